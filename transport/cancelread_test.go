package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// reads are the ways to read a connection.
var reads = map[string]func(c net.Conn, b []byte) (int, error){
	"Read": net.Conn.Read,
	"ReadTwo": func(c net.Conn, b []byte) (int, error) {
		if two, ok := c.(TwoReader); ok {
			return two.ReadTwo(b[:len(b)/2], b[len(b)/2:])
		}
		return c.Read(b)
	},
}

// TestCancelRead: a read in progress ends, those that follow end at once, and with another deadline reading goes on
// where it was.
func TestCancelRead(t *testing.T) {
	for _, s := range append(streams, withinProcess()) {
		for name, read := range reads {
			t.Run(s.name+" "+name, func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				got := make([]byte, 10)
				if _, err := io.WriteString(client, "one"); err != nil {
					t.Fatal(err)
				}
				if n, err := read(server, got); string(got[:n]) != "one" || err != nil {
					t.Fatalf("got %q, %v", got[:n], err)
				}
				failed := make(chan error)
				go func() {
					_, err := read(server, got)
					failed <- err
				}()
				select {
				case err := <-failed:
					t.Fatalf("read nothing: %v", err)
				case <-time.After(10 * time.Millisecond): // it waits by now, as a rule
				}
				canceler := server.(ReadCanceler)
				if err := canceler.CancelRead(); err != nil {
					t.Fatal(err)
				}
				if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("ended with %v", err)
				}
				if _, err := io.WriteString(client, "two"); err != nil {
					t.Fatal(err)
				}
				if n, err := read(server, got); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("got %q, %v while cancelled", got[:n], err)
				}
				if err := server.SetReadDeadline(time.Time{}); err != nil {
					t.Fatal(err)
				}
				if n, err := read(server, got); string(got[:n]) != "two" || err != nil {
					t.Errorf("got %q, %v afterwards", got[:n], err)
				}
				_ = server.Close()
				if err := canceler.CancelRead(); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			})
		}
	}
}
