package simnet

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs f under virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// pair connects the unnamed host to host "srv" and returns the dialling and the accepting end.
func pair(t *testing.T, n *Network) (client, server net.Conn) {
	t.Helper()
	return pairFrom(t, n.Host(""), n, "srv")
}

func pairFrom(t *testing.T, from *Host, n *Network, address string) (client, server net.Conn) {
	t.Helper()
	l, err := n.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = from.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, p := range []*pipe{client.(*conn).out, client.(*conn).in} {
			if !p.armed.IsZero() {
				t.Error("a timer outlives both ends")
			}
		}
	})
	return client, server
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := c.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", s, n, err)
	}
}

// expect reads exactly s.
func expect(t *testing.T, c net.Conn, s string) {
	t.Helper()
	buf := make([]byte, len(s)+1)
	got := 0
	for got < len(s) {
		n, err := c.Read(buf[got:])
		got += n
		if err != nil {
			t.Fatalf("read %q, then %v; want %q", buf[:got], err, s)
		}
	}
	if string(buf[:got]) != s {
		t.Fatalf("read %q, want %q", buf[:got], s)
	}
}

// silent checks that nothing can be read for the given time.
func silent(t *testing.T, c net.Conn, d time.Duration) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(d))
	defer c.SetReadDeadline(time.Time{})
	if n, err := c.Read(make([]byte, 8)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read = %d, %v; want silence for %v", n, err, d)
	}
}

// wantErr checks that err matches.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error is %v, want %v", what, err, want)
	}
}

// took checks how much virtual time has passed since start.
func took(t *testing.T, what string, start time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(start); got != want {
		t.Fatalf("%s took %v, want %v", what, got, want)
	}
}
