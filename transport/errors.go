package transport

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// Errors a caller can decide on. They come wrapped in an [OpError] or, for
// ErrAddress, as an [AddressError]; match them with [errors.Is].
var (
	// ErrAddress matches every [AddressError]: the endpoint can never work
	// as written, so trying again is pointless.
	ErrAddress = errors.New("transport: endpoint is not well formed")

	// ErrAddressInUse means that Listen found somebody else listening at the
	// address. It is the same on every operating system and transport.
	ErrAddressInUse = errors.New("address already in use")

	// ErrSelfConnect means that a TCP connection was made to its own port:
	// nobody listened there and the kernel happened to choose the wanted port
	// as the local one. Trying again is right.
	ErrSelfConnect = errors.New("connected to itself")

	// ErrHandshake means that a connection was made and is not to be used: the two ends have no way to talk in common, or
	// one does not take the other for who it should be ([Handshaker]). Trying again helps once one of them has changed.
	ErrHandshake = errors.New("the two ends have not come to terms")
)

// AddressError says what is wrong with an endpoint as written and what would
// be right. It matches [ErrAddress].
type AddressError struct {
	Endpoint string // the whole endpoint as far as it is known
	Problem  string // what is wrong
	Fix      string // what would be right
}

// Error returns `transport: endpoint "…": problem; fix`.
func (e *AddressError) Error() string {
	return fmt.Sprintf("transport: endpoint %q: %s; %s", e.Endpoint, e.Problem, e.Fix)
}

// Is reports whether target is [ErrAddress].
func (e *AddressError) Is(target error) bool { return target == ErrAddress }

// OpError is a failure of one operation on one endpoint.
// It implements [net.Error].
type OpError struct {
	Op       string // "dial", "listen", "accept", "handshake", "close", "exchange", "read" or "write"
	Endpoint string // with its scheme
	Err      error  // the cause
}

// Error returns "transport: op endpoint: cause".
func (e *OpError) Error() string {
	return "transport: " + e.Op + " " + e.Endpoint + ": " + cause(e.Err, e.Endpoint)
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Timeout reports whether the cause is a timeout.
func (e *OpError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// Temporary reports whether the cause calls itself temporary, as running out
// of file descriptors in Accept does.
func (e *OpError) Temporary() bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](e.Err)
	return ok && t.Temporary()
}

// cause is the text of err without what the endpoint already says: package
// net repeats operation, network and address.
func cause(err error, endpoint string) string {
	inner, ok := err.(*net.OpError) //nolint:errorlint // only the outermost one may be shortened
	if !ok {
		return err.Error()
	}
	// A host name may stand for many addresses: name the one that failed.
	if inner.Addr != nil && !strings.HasSuffix(endpoint, inner.Addr.String()) {
		return inner.Addr.String() + ": " + inner.Err.Error()
	}
	return inner.Err.Error()
}

// inUseError is [ErrAddressInUse] with advice. It keeps the system's error in
// the chain but out of the text, where it would say the same again.
type inUseError struct {
	advice string
	cause  error
}

func (e *inUseError) Error() string   { return ErrAddressInUse.Error() + ": " + e.advice }
func (e *inUseError) Unwrap() []error { return []error{ErrAddressInUse, e.cause} }

// Winsock's numbers for two errors that package syscall does not name. No
// other system has error numbers this high, so they can be tested for anywhere.
const (
	wsaAddressInUse = syscall.Errno(10048)
	wsaRefused      = syscall.Errno(10061)
)

func isInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddressInUse)
}

func isRefused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, wsaRefused)
}
