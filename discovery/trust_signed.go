package discovery

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"slices"
	"time"
)

// Signed returns the Trust of nodes with Ed25519 keys: each record, goodbyes included, carries a public key and a
// signature.
//
// With trusted keys only records signed by one of them pass, for whatever ID; while a node is known, only those with
// the same key as before. Without any, everybody may show up, but nobody can speak for another node: its ID must be
// the [KeyID] of the public key.
//
// The private key signs own records; nil will do for those who only watch. A key of the wrong length is an error.
func Signed(key ed25519.PrivateKey, trusted ...ed25519.PublicKey) (Trust, error) {
	if len(key) != 0 && len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("discovery: an Ed25519 private key has %d bytes, not %d", ed25519.PrivateKeySize, len(key))
	}
	s := &signed{key: slices.Clone(key)}
	for _, k := range trusted {
		if len(k) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("discovery: an Ed25519 public key has %d bytes, not %d", ed25519.PublicKeySize, len(k))
		}
		if s.trusted == nil {
			s.trusted = make(map[[ed25519.PublicKeySize]byte]bool)
		}
		s.trusted[[ed25519.PublicKeySize]byte(k)] = true
	}
	return s, nil
}

type signed struct {
	key     ed25519.PrivateKey
	trusted map[[ed25519.PublicKeySize]byte]bool // nil if none were given
}

func (s *signed) Seal(r *Record) error {
	if len(s.key) == 0 {
		return fmt.Errorf("%w: there is no private key to sign it with", ErrUntrusted)
	}
	public := s.key.Public().(ed25519.PublicKey)
	if r.ID != KeyID(public) && !s.trusted[[ed25519.PublicKeySize]byte(public)] {
		return fmt.Errorf("%w: the id %v is not that of the key, %v", ErrUntrusted, r.ID, KeyID(public))
	}
	r.Issued = time.Now().UTC().Truncate(time.Millisecond)
	digest, err := s.digest(r)
	if err != nil {
		return err
	}
	r.Proof = append(slices.Clone([]byte(public)), ed25519.Sign(s.key, digest)...)
	return nil
}

func (s *signed) Verify(r *Record) error {
	if err := timely(r); err != nil {
		return err
	}
	if len(r.Proof) != ed25519.PublicKeySize+ed25519.SignatureSize {
		return fmt.Errorf("%w: the proof is not a public key and a signature", ErrUntrusted)
	}
	public := ed25519.PublicKey(r.Proof[:ed25519.PublicKeySize])
	switch {
	case s.trusted != nil && !s.trusted[[ed25519.PublicKeySize]byte(public)]:
		return fmt.Errorf("%w: signed with a key that is not trusted, of %v", ErrUntrusted, KeyID(public))
	case s.trusted == nil && r.ID != KeyID(public):
		return fmt.Errorf("%w: the id %v is not that of the key, %v", ErrUntrusted, r.ID, KeyID(public))
	}
	digest, err := s.digest(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	if !ed25519.Verify(public, digest, r.Proof[ed25519.PublicKeySize:]) {
		return fmt.Errorf("%w: wrong signature", ErrUntrusted)
	}
	return nil
}

// digest is what is signed. The version goes before the hash of the record, as with a group key.
func (s *signed) digest(r *Record) ([]byte, error) {
	h := sha512.New()
	err := r.hash(h)
	return h.Sum([]byte(proofVersion)), err
}

func (s *signed) Mode() string            { return "signed" }
func (s *signed) Tag(group string) string { return groupName(group) }
func (s *signed) proves() bool            { return true }
func (s *signed) exclusive() bool         { return s.trusted != nil }

func (s *signed) same(a, b *Record) bool {
	return len(a.Proof) >= ed25519.PublicKeySize && len(b.Proof) >= ed25519.PublicKeySize &&
		bytes.Equal(a.Proof[:ed25519.PublicKeySize], b.Proof[:ed25519.PublicKeySize])
}
