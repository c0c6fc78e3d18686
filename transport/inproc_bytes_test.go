package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// inprocBytes is inproc with streams of bytes for connections.
type inprocBytes struct{ *Inproc }

func withinProcess() byteTransport { return byteTransport{"inproc", inprocBytes{NewInproc()}, "a"} }

func (t inprocBytes) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := t.Inproc.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return c.(ByteStreamer).ByteStream(), nil
}

func (t inprocBytes) Listen(ctx context.Context, address string) (Listener, error) {
	l, err := t.Inproc.Listen(ctx, address)
	return bytesListener{l}, err
}

type bytesListener struct{ Listener }

func (l bytesListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return c.(ByteStreamer).ByteStream(), nil
}

func TestInprocByteStream(t *testing.T) {
	ends := func(t *testing.T) (client, server net.Conn) { return pair(t, withinProcess().tr, "a") }
	t.Run("bytes both ways and half close", func(t *testing.T) {
		client, server := ends(t)
		sent := make([]byte, 3<<20)
		for i := range sent {
			sent[i] = byte(rand.Uint32())
		}
		var all sync.WaitGroup
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			all.Go(func() {
				for rest := sent; len(rest) > 0; {
					n := min(len(rest), 1+rand.IntN(100_000))
					if _, err := way[0].Write(rest[:n]); err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
				}
				if err := way[0].(CloseWriter).CloseWrite(); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				if got, err := io.ReadAll(way[1]); err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%d bytes of %d, or others, %v", len(got), len(sent), err)
				}
			})
		}
		all.Wait()
		if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("behind the end: %v", err)
		}
	})
	t.Run("what was written before a close can be read", func(t *testing.T) {
		client, server := ends(t)
		if _, err := io.WriteString(server, "unread"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(client, "last words"); err != nil {
			t.Fatal(err)
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		if ended, reset := server.(Inspector).Ended(); !ended || !reset {
			t.Errorf("ended %v, reset %v, though not all was read", ended, reset)
		}
		if got, err := io.ReadAll(server); err != nil || string(got) != "last words" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := server.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a write to who has closed: %v", err)
		}
	})
	for name, unblock := range map[string]func(waiting, other net.Conn) error{
		"close":    func(c, _ net.Conn) error { return c.Close() },
		"deadline": func(c, _ net.Conn) error { return c.SetDeadline(time.Now().Add(time.Second)) },
		"peer":     func(_, other net.Conn) error { return other.Close() },
	} {
		t.Run(name+" ends waits", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := ends(t)
				if n, err := client.(TryWriter).TryWrite(make([]byte, 2*queueMost)); n != queueMost || err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
				errs := make(chan error, 2)
				go func() { _, err := client.Read(make([]byte, 1)); errs <- err }()
				go func() { _, err := client.Write([]byte("x")); errs <- err }()
				synctest.Wait()
				if len(errs) > 0 {
					t.Fatalf("a wait ended early: %v", <-errs)
				}
				if err := unblock(client, server); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					err := <-errs
					if !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) &&
						!errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("ended with %v", err)
					}
				}
			})
		})
	}
	t.Run("the other end has closed before", func(t *testing.T) {
		client, server := pair(t, NewInproc(), "a")
		_ = server.Close()
		if _, err := client.(ByteStreamer).ByteStream().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one stream, one connection", func(t *testing.T) {
		client, server := pair(t, NewInproc(), "a")
		if _, err := io.WriteString(client.(ByteStreamer).ByteStream(), "x"); err != nil {
			t.Fatal(err)
		}
		again := server.(ByteStreamer).ByteStream()
		if state, ok := again.(Inspector).Inspect(); !ok || state.Unread != 1 || state.Ended {
			t.Errorf("%+v, %v", state, ok)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		<-client.(Direct).Done()
		if err := again.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
	})
}
