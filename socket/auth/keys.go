package auth

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// Keys lets in CURVE clients whose public keys stand in a file:
//
//	# anything
//	rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 the name of the user
//	C6@^ibBhaL]P(z-5Y3K6.o]=?]-NXX<?q!6vM8uA
//
// A line has the 40 characters of a key and, if the user has one, a name of up to 255 bytes; without one the user is
// called by the key. Keys may share a name. All methods may be called by any number of goroutines.
type Keys struct{ list list[curve.PublicKey, string] }

// OpenKeys reads a list of keys. The error matches [ErrFile] or [ErrExposed], or is that of the file system.
func OpenKeys(path string, opts ...FileOption) (*Keys, error) {
	k := &Keys{list[curve.PublicKey, string]{path: path, parse: parseKeys}}
	if err := k.list.open(opts); err != nil {
		return nil, err
	}
	return k, nil
}

// Authenticate implements [socket.Authenticator].
func (k *Keys) Authenticate(_ context.Context, c socket.Claim) (socket.User, error) {
	if c.Mechanism != "CURVE" || len(c.Credentials) != 1 || len(c.Credentials[0]) != curve.KeySize {
		return socket.User{}, fmt.Errorf("auth: %s: %w, a CURVE key", c.Mechanism, ErrUnproven)
	}
	key := curve.PublicKey(c.Credentials[0])
	name, ok := k.list.find(key)
	if !ok {
		return socket.User{}, fmt.Errorf("auth: key %v: %w", key, ErrUnknown)
	}
	return socket.User{ID: name, OnRevoke: k.list.hold(key, name)}, nil
}

// Reload reads the file now. After an error what was read before counts.
func (k *Keys) Reload() error { return k.list.reload() }

// Err returns why the file could not be used when it was read last, or nil.
func (k *Keys) Err() error { return k.list.err() }

// Close ends the looking for changes. The keys that were read last may come in as before. It always returns nil.
func (k *Keys) Close() error {
	k.list.close()
	return nil
}

func parseKeys(text string) (map[curve.PublicKey]string, error) {
	return parseNamed(text, curve.ParsePublicKey, curve.PublicKey.String)
}
