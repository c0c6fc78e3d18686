//go:build !(darwin || linux || openbsd)

package transport

// rawReader has no ReadTwo here: golang.org/x/sys knows no readv for this system. Callers find the method missing and
// read twice.
type rawReader struct{}

func (*rawReader) initReader(syscallConn) error { return nil }
