package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/socket"
)

// Certificates lets in peers over tls whose certificates are for a key of which the hash stands in a file:
//
//	# anything
//	sha256//u6Wb3vgd2JKnLAPYh+x1kYVgvqZDfGpd3VSyGbvRlDc= the name of the user
//	sha256:bba59bdef81dd892a72c03d887ec75918560bea6437c6a5ddd54b219bbd19437
//
// The hash is that of [transport.Certificate].KeyHash, in the forms that package mtls and other tools print; the same
// key in a certificate that is renewed keeps it. What else a certificate says is up to the transport, which may ask for
// one that an authority vouches for. A line may have a name, as in a list of [Keys]. All methods may be called by any
// number of goroutines.
type Certificates struct{ list list[keyHash, string] }

type keyHash [sha256.Size]byte

// OpenCertificates reads a list of hashes. The error matches [ErrFile] or [ErrExposed], or is that of the file system.
func OpenCertificates(path string, opts ...FileOption) (*Certificates, error) {
	c := &Certificates{list[keyHash, string]{path: path, parse: parseHashes}}
	if err := c.list.open(opts); err != nil {
		return nil, err
	}
	return c, nil
}

// Authenticate implements [socket.Authenticator].
func (c *Certificates) Authenticate(_ context.Context, claim socket.Claim) (socket.User, error) {
	if claim.Certificate == nil {
		return socket.User{}, fmt.Errorf("auth: %s: %w, a certificate", claim.Endpoint, ErrUnproven)
	}
	key := keyHash(claim.Certificate.KeyHash)
	name, ok := c.list.find(key)
	if !ok {
		return socket.User{}, fmt.Errorf("auth: certificate of %.64q with the key %v: %w", claim.Certificate.Subject, key,
			ErrUnknown)
	}
	return socket.User{
		ID: name, Metadata: map[string]string{"subject": claim.Certificate.Subject}, OnRevoke: c.list.hold(key, name),
	}, nil
}

// Reload reads the file now. After an error what was read before counts.
func (c *Certificates) Reload() error { return c.list.reload() }

// Err returns why the file could not be used when it was read last, or nil.
func (c *Certificates) Err() error { return c.list.err() }

// Close ends the looking for changes. The keys that were read last may come in as before. It always returns nil.
func (c *Certificates) Close() error {
	c.list.close()
	return nil
}

func parseHashes(text string) (map[keyHash]string, error) {
	return parseNamed(text, parseKeyHash, keyHash.String)
}

var errKeyHash = errors.New("want sha256// and 44 characters of base64, or 64 hexadecimal digits")

// parseKeyHash is that of package mtls, which links crypto/tls.
func parseKeyHash(text string) (k keyHash, err error) {
	for _, prefix := range []string{"sha256//", "sha256:"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			text = rest
			break
		}
	}
	var b []byte
	if len(text) == hex.EncodedLen(len(k)) {
		b, err = hex.DecodeString(text)
	} else {
		b, err = base64.StdEncoding.Strict().DecodeString(text)
	}
	if err != nil || len(b) != len(k) || strings.ContainsAny(text, "\r\n") { // which base64 passes over
		return keyHash{}, errKeyHash
	}
	return keyHash(b), nil
}

// String is as mtls.KeyHash has it.
func (k keyHash) String() string { return "sha256//" + base64.StdEncoding.EncodeToString(k[:]) }
