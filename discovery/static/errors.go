package static

import (
	"fmt"

	"github.com/yodel-mq/yodel/discovery"
)

// A LineError tells which line of a file cannot be understood. It wraps [discovery.ErrRecord].
type LineError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{discovery.ErrRecord}, args...)...)
}
