//go:build linux || darwin

package socket_test

import (
	"syscall"
	"testing"
)

// wantDescriptors fails a test that needs more descriptors than a process may have here. The runtime has raised the
// soft limit to the hard one already.
func wantDescriptors(t testing.TB, n int) {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if have := limit.Cur; have < uint64(n) {
		t.Fatalf(
			"a process may have %d descriptors here and this test needs %d: raise the hard limit (ulimit -Hn) or use -short",
			have, n)
	}
}
