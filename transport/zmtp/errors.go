package zmtp

import (
	"errors"
	"fmt"
)

// Reasons for which a peer's bytes are refused. Every error of this package
// that blames the peer wraps exactly one of them; its text adds what was seen
// and what would have been right. An error of the connection itself (a reset, an
// early end) wraps the connection's error instead.
var (
	// ErrNotZMTP means the far side does not speak ZMTP at all: an HTTP client, a
	// TLS hello, a port scanner.
	ErrNotZMTP = errors.New("not a ZMTP peer")

	// ErrVersion means the far side speaks ZMTP 1 or 2 (libzmq before 4.0, JeroMQ
	// before 0.4.1), which this package refuses: those versions carry no mechanism
	// and no commands. The text says which.
	ErrVersion = errors.New("ZMTP version not supported")

	// ErrMechanism means the far side wants another security mechanism than ours.
	ErrMechanism = errors.New("security mechanism differs")

	// ErrMalformed means the bytes break the grammar of RFC 37, or arrive where
	// that grammar does not allow them.
	ErrMalformed = errors.New("malformed")

	// ErrTooLarge means a size passes a limit of ours; the bytes may be well
	// formed.
	ErrTooLarge = errors.New("too large")

	// ErrSocketType means the peer's socket type cannot talk to ours, is unknown,
	// or was not given.
	ErrSocketType = errors.New("socket type not accepted")

	// ErrRefused means the peer answered with an ERROR command. The error is then a
	// [*RefusedError], which carries the peer's reason. Trying again with the
	// same settings will not help.
	ErrRefused = errors.New("refused by the peer")

	// ErrDenied means that we have refused the peer: it is not one of those who may come in. The
	// text says why; the peer is told a status at most.
	ErrDenied = errors.New("may not come in")

	// ErrSilent means the connection ended before the far side had sent a byte, as
	// TCP health checks and port scanners leave it. It comes beside the
	// connection's own error.
	ErrSilent = errors.New("nothing came from the peer")

	// ErrConfig means our own [Config] or [Metadata] is unusable; nothing was sent.
	ErrConfig = errors.New("unusable configuration")
)

// RefusedError is the ERROR command of a peer that refused our handshake. It
// matches [ErrRefused].
type RefusedError struct {
	// Reason is the peer's text, 0 to 255 bytes, untrusted. libzmq sends the three
	// digits of a ZAP status: "400" for wrong credentials, "500" for an
	// authenticator that failed.
	Reason string
}

// Error quotes the reason, so that a hostile one cannot forge log lines.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("zmtp: handshake: %v: ERROR with reason %q", ErrRefused, e.Reason)
}

// Unwrap makes errors.Is(err, ErrRefused) true.
func (e *RefusedError) Unwrap() error { return ErrRefused }

// fail builds the one shape of all errors here: what was being read, which
// sentinel, what was seen and wanted.
func fail(op string, kind error, format string, args ...any) error {
	return fmt.Errorf("zmtp: %s: %w: %s", op, kind, fmt.Sprintf(format, args...))
}
