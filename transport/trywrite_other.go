//go:build !unix

package transport

// rawWriter has no TryWrite here: on Windows the descriptor is in overlapped
// mode, where a plain write does not answer "would block". Callers find the
// method missing and write in the blocking way.
type rawWriter struct{}

func (*rawWriter) initWriter(syscallConn) error { return nil }
