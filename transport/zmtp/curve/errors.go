package curve

import (
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Errors of keys and key files. What a peer does wrong in a handshake or afterwards wraps [zmtp.ErrMalformed], a server
// that refused us gives a [*zmtp.RefusedError].
var (
	// ErrKey means that a text is no key, or that a key cannot be used.
	ErrKey = errors.New("not a key")

	// ErrExposed means that a key file may be read or written by others than its owner.
	ErrExposed = errors.New("others have access to the key file")

	// ErrNotAllowed means that the server does not have the client's key on its list ([Server]). The text has the key.
	// It is a [zmtp.ErrDenied].
	ErrNotAllowed = fmt.Errorf("key not allowed: %w", zmtp.ErrDenied)
)

// malformed is the error of a command that is not as it should be. Why a box does not open is not to be told apart:
// wrong keys, changed bytes and old cookies all look the same.
func malformed(command, format string, args ...any) error {
	return fmt.Errorf("curve: %s: %w: %s", command, zmtp.ErrMalformed, fmt.Sprintf(format, args...))
}
