//go:build !unix

package transport

import "syscall"

// reuseAddress does nothing: on Windows the option would let two programs
// have the same port at once.
func reuseAddress(_, _ string, _ syscall.RawConn) error { return nil }
