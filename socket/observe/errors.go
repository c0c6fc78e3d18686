package observe

import "errors"

// Errors that callers decide on; match them with [errors.Is].
var (
	// ErrSnapshot: what was read is not a snapshot, or one of a version that this package does not know; the text says
	// which.
	ErrSnapshot = errors.New("not a snapshot")
)
