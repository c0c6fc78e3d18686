package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// A byteTransport carries bytes; it has an address to bind.
type byteTransport struct {
	name    string
	tr      Transport
	address string
}

var streams = []byteTransport{
	{"tcp", NewTCP(), "127.0.0.1:0"},
	{"ipc", NewIPC(), "*"},
}

func TestStream(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			t.Run("bytes both ways and half close", func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				for _, end := range [][2]net.Conn{{client, server}, {server, client}} {
					if _, err := io.WriteString(end[0], "hello"); err != nil {
						t.Fatal(err)
					}
					if err := end[0].(CloseWriter).CloseWrite(); err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(end[1]); err != nil || string(got) != "hello" {
						t.Fatalf("got %q, %v", got, err)
					}
				}
			})
			t.Run("addresses", func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				if client.RemoteAddr().String() != server.LocalAddr().String() || client.RemoteAddr().String() == "" {
					t.Errorf("client sees %q, server is %q", client.RemoteAddr(), server.LocalAddr())
				}
				if client.LocalAddr().String() != server.RemoteAddr().String() || client.LocalAddr().String() == "" {
					t.Errorf("server sees %q, client is %q", server.RemoteAddr(), client.LocalAddr())
				}
			})
			t.Run("close unblocks read", func(t *testing.T) {
				client, _ := pair(t, s.tr, s.address)
				failed := make(chan error)
				go func() {
					_, err := client.Read(make([]byte, 1))
					failed <- err
				}()
				_ = client.Close()
				if err := <-failed; !errors.Is(err, net.ErrClosed) {
					t.Errorf("got %v", err)
				}
			})
			t.Run("close unblocks write", func(t *testing.T) {
				client, _ := pair(t, s.tr, s.address)
				writing := make(chan struct{})
				failed := make(chan error)
				go func() {
					b := make([]byte, 1<<20)
					_, err := client.Write(b[:1])
					close(writing)
					for err == nil { // until the kernel's buffers are full
						_, err = client.Write(b)
					}
					failed <- err
				}()
				<-writing
				_ = client.Close()
				if err := <-failed; !errors.Is(err, net.ErrClosed) {
					t.Errorf("got %v", err)
				}
			})
			t.Run("close unblocks accept", func(t *testing.T) {
				l := listen(t, s.tr, s.address)
				failed := make(chan error)
				go func() {
					_, err := l.Accept()
					failed <- err
				}()
				for range 2 { // closing again is fine
					if err := l.Close(); err != nil {
						t.Error(err)
					}
				}
				if err := <-failed; !errors.Is(err, net.ErrClosed) {
					t.Errorf("got %v", err)
				}
				if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("after close: got %v", err)
				}
			})
			t.Run("accepted connections outlive the listener", func(t *testing.T) {
				l := listen(t, s.tr, s.address)
				client, server := dial(t, s.tr, l.Address()), accept(t, l)
				_ = l.Close()
				if _, err := io.WriteString(client, "x"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			})
			t.Run("dial fails when nobody listens", func(t *testing.T) {
				l := listen(t, s.tr, s.address)
				_ = l.Close()
				c, err := s.tr.Dial(t.Context(), l.Address())
				if err == nil {
					_ = c.Close()
					t.Fatal("connected")
				}
				op, ok := errors.AsType[*OpError](err)
				if !ok || op.Op != "dial" ||
					!strings.HasPrefix(err.Error(), "transport: dial "+s.tr.Scheme()+"://"+l.Address()+": connect: ") {
					t.Errorf("got %v", err)
				}
			})
			t.Run("address in use", func(t *testing.T) {
				l := listen(t, s.tr, s.address)
				if _, err := s.tr.Listen(t.Context(), l.Address()); !errors.Is(err, ErrAddressInUse) {
					t.Errorf("got %v", err)
				}
			})
			t.Run("cancelled", func(t *testing.T) {
				l := listen(t, s.tr, s.address)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := s.tr.Dial(ctx, l.Address()); !errors.Is(err, context.Canceled) {
					t.Errorf("dial: got %v", err)
				}
				if _, err := s.tr.Listen(ctx, s.address); !errors.Is(err, context.Canceled) {
					t.Errorf("listen: got %v", err)
				}
			})
			t.Run("bad addresses", func(t *testing.T) {
				if _, err := s.tr.Dial(t.Context(), s.address); !errors.Is(err, ErrAddress) {
					t.Errorf("dial: got %v", err)
				}
				if _, err := s.tr.Listen(t.Context(), ""); !errors.Is(err, ErrAddress) {
					t.Errorf("listen: got %v", err)
				}
			})
		})
	}
}

// tcpCount counts calls of Write. net.Buffers calls Write once per buffer
// unless it finds net's own unexported writev method, promoted from the embedded
// connection, so a count of 0 shows that the method is there.
type tcpCount struct {
	*tcpConn
	writes int
}

func (c *tcpCount) Write(b []byte) (int, error) { c.writes++; return c.tcpConn.Write(b) }

type ipcCount struct {
	*ipcConn
	writes int
}

func (c *ipcCount) Write(b []byte) (int, error) { c.writes++; return c.ipcConn.Write(b) }

func TestBuffersUseWritev(t *testing.T) {
	check := func(t *testing.T, w io.Writer, writes *int, server net.Conn) {
		t.Helper()
		b := net.Buffers{[]byte("one "), []byte("two "), []byte("three")}
		if n, err := b.WriteTo(w); n != 13 || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
		got := make([]byte, 13)
		if _, err := io.ReadFull(server, got); err != nil || string(got) != "one two three" {
			t.Fatalf("read %q, %v", got, err)
		}
		if *writes != 0 {
			t.Errorf("%d single writes instead of a writev", *writes)
		}
	}
	t.Run("tcp", func(t *testing.T) {
		client, server := pair(t, NewTCP(), "127.0.0.1:0")
		w := &tcpCount{tcpConn: client.(*tcpConn)}
		check(t, w, &w.writes, server)
	})
	t.Run("ipc", func(t *testing.T) {
		client, server := pair(t, NewIPC(), "*")
		w := &ipcCount{ipcConn: client.(*ipcConn)}
		check(t, w, &w.writes, server)
	})
	t.Run("the counter counts", func(t *testing.T) {
		// The control: behind an interface the method is hidden and each
		// buffer is a Write of its own.
		client, server := pair(t, NewTCP(), "127.0.0.1:0")
		inner := &tcpCount{tcpConn: client.(*tcpConn)}
		b := net.Buffers{[]byte("a"), []byte("b")}
		if _, err := b.WriteTo(struct{ io.Writer }{inner}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, make([]byte, 2)); err != nil || inner.writes != 2 {
			t.Errorf("%d writes, %v; want 2", inner.writes, err)
		}
	})
}
