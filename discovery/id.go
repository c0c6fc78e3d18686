package discovery

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
)

// An ID names a node: 128 bits, random for each process, or derived from the node's public key (see [KeyID]). The
// zero ID names nobody.
type ID [16]byte

var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a random ID.
func NewID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// KeyID returns the ID that goes with a public key: a record that claims it must be signed with that key.
func KeyID(key ed25519.PublicKey) (id ID) {
	sum := sha256.Sum256(key)
	copy(id[:], sum[:])
	return id
}

// ParseID reads what [ID.String] wrote.
func ParseID(s string) (id ID, err error) {
	b, err := idText.DecodeString(s)
	if err != nil || len(b) != len(id) || idText.EncodeToString(b) != s {
		return ID{}, fmt.Errorf("%w: %.40q is not a node id, want %d characters of a-z and 2-7", ErrRecord, s,
			idText.EncodedLen(len(id)))
	}
	return ID(b), nil
}

// String returns the ID as 26 characters of a-z and 2-7, fit for a DNS label.
func (id ID) String() string { return idText.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
