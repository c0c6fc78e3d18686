package discovery

import "errors"

// Errors that callers may want to tell apart. They come wrapped, with what they are about.
var (
	// ErrRecord says that a record cannot be understood, or would not be.
	ErrRecord = errors.New("discovery: bad record")
	// ErrReadOnly says that a backend only finds and does not announce, as static and dns.
	ErrReadOnly = errors.New("discovery: this backend does not announce")
	// ErrUntrusted says that a record lacks the proof that the Trust asks for, or has a wrong or stale one.
	ErrUntrusted = errors.New("discovery: record is not trusted")
	// ErrStale says that a record is older than what is known of the node, a replay, or says something else under the
	// same revision.
	ErrStale = errors.New("discovery: record is stale")
	// ErrLimit says that a record was turned away because a limit is reached.
	ErrLimit = errors.New("discovery: limit reached")
	// ErrNoEndpoint says that a node has no endpoint which the policy allows to connect to.
	ErrNoEndpoint = errors.New("discovery: no endpoint of the node may be connected to")
	// ErrWrongNode says that another node answers at an endpoint than the one that was announced there.
	ErrWrongNode = errors.New("discovery: another node answers")
	// ErrInvalidOption says that an option has a value that cannot be used; the package's documentation says which call
	// returns it.
	ErrInvalidOption = errors.New("discovery: bad option")
	// ErrClosed says that the node or the table is closed.
	ErrClosed = errors.New("discovery: closed")
)
