package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// A KeyHash is the SHA-256 of a public key, as a certificate has it (SubjectPublicKeyInfo): the name by which peers can
// know each other without a certificate authority. It outlives a certificate that is renewed with the same key. It is
// no secret, can be compared with == and used as the key of a map.
type KeyHash [sha256.Size]byte

// keyHashPrefix is how curl writes what the 44 characters behind it are.
const keyHashPrefix = "sha256//"

// KeyHashOf returns the hash of the key of a certificate.
func KeyHashOf(cert *x509.Certificate) KeyHash { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// ParseKeyHash reads a hash in one of the forms that tools print: "sha256//" and Base64, as String writes it and curl
// takes it for --pinnedpubkey, Base64 alone, or 64 hexadecimal digits, with or without "sha256:" ahead. The error
// matches ErrKeyHash.
func ParseKeyHash(s string) (KeyHash, error) {
	var k KeyHash
	text := s
	for _, prefix := range []string{keyHashPrefix, "sha256:"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			text = rest
			break
		}
	}
	var b []byte
	var err error
	if len(text) == hex.EncodedLen(len(k)) {
		b, err = hex.DecodeString(text)
	} else {
		b, err = base64.StdEncoding.Strict().DecodeString(text)
	}
	if err != nil || len(b) != len(k) || strings.ContainsAny(text, "\r\n") {
		return KeyHash{}, fmt.Errorf("mtls: %w: %.80q; want %s and 44 characters of Base64, or 64 hexadecimal digits",
			ErrKeyHash, s, keyHashPrefix)
	}
	return KeyHash(b), nil
}

// String returns "sha256//" and 44 characters of Base64.
func (k KeyHash) String() string { return keyHashPrefix + base64.StdEncoding.EncodeToString(k[:]) }

// MarshalText is String for encoding packages; it never fails.
func (k KeyHash) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is ParseKeyHash for encoding packages.
func (k *KeyHash) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKeyHash(string(text))
	return err
}

// parsePins reads the hashes of a file: one a line, at its beginning; what follows it behind a blank is a remark, as
// are lines that begin with #.
func parsePins(text []byte) (map[KeyHash]bool, error) {
	pins := make(map[KeyHash]bool)
	n := 0
	for line := range bytes.Lines(text) {
		n++
		fields := bytes.Fields(line)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		k, err := ParseKeyHash(string(fields[0]))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		pins[k] = true
	}
	return pins, nil
}
