package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// What the operating system tells of a connection: the peer's end behind bytes that were not read, what has come,
// what the peer has not taken, and whether its host has everything.
func TestInspect(t *testing.T) {
	for name, tr := range map[string]Transport{"tcp": NewTCP(), "ipc": NewIPC()} {
		t.Run(name, func(t *testing.T) {
			address := "127.0.0.1:*"
			if name == "ipc" {
				address = "*"
			}
			near, far := pair(t, tr, address)
			until(t, near, "a new connection", func(s ConnState) bool { return s == ConnState{Acknowledged: name == "ipc"} })

			if _, err := near.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			until(t, far, "unread bytes", func(s ConnState) bool { return s.Unread == 5 && !s.Ended })
			fill := near.(TryWriter)
			for b := make([]byte, 64<<10); ; {
				if n, err := fill.TryWrite(b); err != nil {
					t.Fatal(err)
				} else if n < len(b) {
					break
				}
			}
			until(t, near, "bytes that the peer has not taken", func(s ConnState) bool {
				return s.Untaken > 64<<10 && s.Unanswered == 0
			})
			near.(Inspector).ProbeWithin(1000) // a hint: nothing is seen of it but that it does no harm

			if err := near.(CloseWriter).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if name == "tcp" {
				until(t, near, "not acknowledged while the peer's host has no room", func(s ConnState) bool {
					return !s.Acknowledged && s.Unacknowledged > 0
				})
			}
			go io.Copy(io.Discard, far) //nolint:errcheck // it ends with the connection
			until(t, near, "acknowledged to the end", func(s ConnState) bool { return s.Acknowledged && s.Unacknowledged == 0 })
			until(t, far, "the end", func(s ConnState) bool { return s.Ended })
			far.Close()
			until(t, near, "the peer's end", func(s ConnState) bool { return s.Ended })
			near.Close()
			if _, ok := near.(Inspector).Inspect(); ok {
				t.Error("a closed connection tells something")
			}
		})
	}
}

// until waits for a connection to be in a state.
func until(t *testing.T, c net.Conn, what string, is func(ConnState) bool) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		s, ok := c.(Inspector).Inspect()
		if ok && is(s) {
			return
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%s: %+v, %v", what, s, ok)
		}
	}
}

// A reset is told from an end of stream, also behind bytes that were not read, without taking away the error that a
// Read or Write has to return.
func TestInspectReset(t *testing.T) {
	for name, tr := range map[string]Transport{"tcp": NewTCP(), "ipc": NewIPC()} {
		for _, reads := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, peer has read everything: %t", name, reads), func(t *testing.T) {
				address := "127.0.0.1:*"
				if name == "ipc" {
					address = "*"
				}
				near, far := pair(t, tr, address)
				for _, c := range []net.Conn{near, far} {
					if _, err := c.Write([]byte("hello")); err != nil {
						t.Fatal(err)
					}
				}
				until(t, far, "something to read", func(s ConnState) bool { return s.Unread == 5 })
				if reads {
					if _, err := io.ReadFull(far, make([]byte, 5)); err != nil {
						t.Fatal(err)
					}
				}
				far.Close()
				for range 2 { // to look takes nothing away
					until(t, near, "the end", func(s ConnState) bool {
						return s.Ended && s.Reset == !reads && s.Unread == 5 && (!s.Reset || !s.Acknowledged)
					})
				}
				if ended, reset := near.(Inspector).Ended(); !ended || reset == reads {
					t.Errorf("Ended says %v, %v", ended, reset)
				}
				got, err := io.ReadAll(near)
				if string(got) != "hello" || errors.Is(err, syscall.ECONNRESET) == reads {
					t.Errorf("read %q, %v", got, err)
				}
				near.Close()
				if ended, reset := near.(Inspector).Ended(); ended || reset {
					t.Errorf("of a closed connection Ended says %v, %v", ended, reset)
				}
			})
		}
	}
}
