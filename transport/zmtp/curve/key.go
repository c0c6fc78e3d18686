package curve

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// z85KeySize is the length of a key as text.
const z85KeySize = KeySize / z85Bytes * z85Chars

// A PublicKey is the name by which others know a peer. It is no secret, can be compared with == and used as the key of
// a map. Its text is Z85. The zero value is no key.
type PublicKey [KeySize]byte

// A SecretKey is what proves that a peer is who it is. It is printed as "curve.SecretKey(hidden)" by every verb of fmt
// but %p, and by log/slog, and encoding/json and encoding/gob refuse it; but Go prints the unexported fields of a
// struct as they are, so that a SecretKey should not be one of a struct that is printed: [GenerateKey] and the rest
// give and take pointers. Compare it with Equal, which takes the same time whatever is in it. The zero value is no key.
type SecretKey [KeySize]byte

// hidden is what a secret key is printed as.
const hidden = "curve.SecretKey(hidden)"

var errSecretText = errors.New("curve: a secret key is not encoded by itself, use its method Z85")

// GenerateKey makes a new key from the system's source of randomness, which never fails.
func GenerateKey() *SecretKey {
	k := new(SecretKey)
	_, _ = rand.Read(k[:]) // ends the program rather than return an error
	return k
}

// ParsePublicKey reads the 40 characters of a public key. The error wraps ErrKey.
func ParsePublicKey(z85 string) (PublicKey, error) {
	var k PublicKey
	err := k.UnmarshalText([]byte(z85))
	return k, err
}

// ParseSecretKey reads the 40 characters of a secret key. The error wraps ErrKey and says nothing of the text.
func ParseSecretKey(z85 string) (*SecretKey, error) {
	k := new(SecretKey)
	if err := decodeKey(k[:], z85); err != nil {
		return nil, err
	}
	return k, nil
}

// decodeKey reads a key of either kind and leaves zeros if there is none.
func decodeKey[T string | []byte](k []byte, z85 T) error {
	err := decodeZ85(k, z85)
	if errors.Is(err, errZ85Length) {
		err = fmt.Errorf("%d characters; want the %d of a key in Z85", len(z85), z85KeySize)
	}
	if err == nil && subtle.ConstantTimeCompare(k, make([]byte, KeySize)) == 1 {
		err = errors.New("all zeros")
	}
	if err != nil {
		clear(k)
		return fmt.Errorf("curve: %w: %w", ErrKey, err)
	}
	return nil
}

// IsZero reports whether k is the zero value.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// String returns the 40 characters of Z85.
func (k PublicKey) String() string { return string(encodeZ85(k[:])) }

// MarshalText is String for encoding packages; it never fails.
func (k PublicKey) MarshalText() ([]byte, error) { return encodeZ85(k[:]), nil }

// UnmarshalText reads what MarshalText gives. The error wraps ErrKey; k is the zero value then.
func (k *PublicKey) UnmarshalText(z85 []byte) error { return decodeKey(k[:], z85) }

// Public returns the public key that belongs to k. It costs a multiplication on the curve, some 50 µs.
func (k *SecretKey) Public() PublicKey {
	key, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		panic(err) // it accepts any 32 bytes
	}
	return PublicKey(key.PublicKey().Bytes())
}

// Equal reports whether two keys are the same, in a time that tells nothing of them.
func (k *SecretKey) Equal(other *SecretKey) bool {
	return subtle.ConstantTimeCompare(k[:], other[:]) == 1
}

// IsZero reports whether k is the zero value, or nil.
func (k *SecretKey) IsZero() bool { return k == nil || k.Equal(&SecretKey{}) }

// Wipe makes k the zero value. Nobody may be using it.
func (k *SecretKey) Wipe() { clear(k[:]) }

// Z85 returns the 40 characters of the key. They are as secret as the key itself.
func (k *SecretKey) Z85() string { return string(encodeZ85(k[:])) }

// UnmarshalText reads what Z85 gives, as a configuration may have it. The error wraps ErrKey and says nothing of the
// text; k is the zero value then.
func (k *SecretKey) UnmarshalText(z85 []byte) error { return decodeKey(k[:], z85) }

// MarshalText always fails, so that a secret key that is part of something else is not written by accident.
func (SecretKey) MarshalText() ([]byte, error) { return nil, errSecretText }

// MarshalBinary always fails, for the same reason.
func (SecretKey) MarshalBinary() ([]byte, error) { return nil, errSecretText }

// String returns the same for every key.
func (SecretKey) String() string { return hidden }

// Format prints the same for every key and verb.
func (SecretKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// LogValue is the same for every key.
func (SecretKey) LogValue() slog.Value { return slog.StringValue(hidden) }
