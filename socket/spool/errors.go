package spool

import "errors"

// Errors that callers decide on. They come wrapped with what was done and where; match them with [errors.Is].
var (
	// ErrInUse: another process, or another Spool of this one, has the directory. The error names its process id and
	// host.
	ErrInUse = errors.New("in use")
)
