package curve

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"

	"golang.org/x/crypto/nacl/secretbox"
)

const (
	nonceSize = 24
	// boxOverhead is how many bytes longer a box is than what is in it: the authenticator of Poly1305.
	boxOverhead = secretbox.Overhead
)

// A nonce is a text that says what a box is for, and behind it what makes it unique: 16 random bytes, or the number of
// the command.
type nonce = [nonceSize]byte

const (
	longNonceSize  = 16
	shortNonceSize = 8
)

// longNonce fills in 16 bytes behind a text of 8.
func longNonce(text string, unique []byte) *nonce {
	var n nonce
	copy(n[:], text)
	copy(n[nonceSize-longNonceSize:], unique)
	return &n
}

// shortNonce fills in 8 bytes behind a text of 16.
func shortNonce(text string, number []byte) *nonce {
	var n nonce
	copy(n[:], text)
	copy(n[nonceSize-shortNonceSize:], number)
	return &n
}

// appendRandom adds n random bytes.
func appendRandom(b []byte, n int) []byte {
	at := len(b)
	b = append(b, make([]byte, n)...)
	_, _ = rand.Read(b[at:]) // never fails
	return b
}

// A sharedKey is what two key pairs have in common, and nobody else: it seals and opens the boxes of either side
// (NaCl's crypto_box_beforenm).
type sharedKey [KeySize]byte

var errWeakKey = errors.New("a key with which there is no secret")

// agree computes the shared key of ours and theirs. A key of small order, with which the outcome would be known to
// anybody, gives errWeakKey.
func agree(ours *SecretKey, theirs []byte) (*sharedKey, error) {
	public, err := ecdh.X25519().NewPublicKey(theirs)
	if err != nil {
		return nil, errWeakKey
	}
	secret, err := ecdh.X25519().NewPrivateKey(ours[:])
	if err != nil {
		return nil, errWeakKey
	}
	point, err := secret.ECDH(public)
	if err != nil {
		return nil, errWeakKey
	}
	k := sharedKey(point)
	clear(point)
	k.derive(&k, &[16]byte{})
	return &k, nil
}

func (k *sharedKey) wipe() { clear(k[:]) }

// seal adds the box of message to b. They must not overlap.
func (k *sharedKey) seal(b, message []byte, n *nonce) []byte {
	return secretbox.Seal(b, message, n, (*[KeySize]byte)(k))
}

// open returns what is in a box.
func (k *sharedKey) open(box []byte, n *nonce) ([]byte, bool) {
	return secretbox.Open(nil, box, n, (*[KeySize]byte)(k))
}
