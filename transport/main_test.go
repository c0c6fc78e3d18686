package transport

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// children are what the test binary does instead of testing if an environment variable is set.
var children = map[string]func(value string) int{childEnv: childListen}

func TestMain(m *testing.M) {
	for env, child := range children {
		if value := os.Getenv(env); value != "" {
			os.Exit(child(value))
		}
	}
	goleak.VerifyTestMain(m)
}

// listen binds and closes at the end of the test.
func listen(t testing.TB, tr Transport, address string) Listener {
	t.Helper()
	l, err := tr.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// dial connects and closes at the end of the test.
func dial(t testing.TB, tr Transport, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := tr.Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// accept takes one connection and closes it at the end of the test.
func accept(t testing.TB, l Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pair returns both ends of a connection over a fresh listener.
func pair(t testing.TB, tr Transport, address string) (client, server net.Conn) {
	t.Helper()
	l := listen(t, tr, address)
	client = dial(t, tr, l.Address())
	return client, accept(t, l)
}

// shortDir is a directory whose name leaves room in a socket's address, which
// t.TempDir does not on every system.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "y")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// needIPv6 skips the test where ::1 cannot be bound.
func needIPv6(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		unavailable(t, "no IPv6 here: "+err.Error())
	}
	_ = l.Close()
}

// unavailable skips a test for lack of what the machine does not give it.
func unavailable(t testing.TB, what string) {
	t.Helper()
	t.Skip(what)
}
