//go:build unix

package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestTryWrite(t *testing.T) {
	for _, s := range append(streams, withinProcess()) {
		t.Run(s.name, func(t *testing.T) {
			t.Run("fills the buffer, then goes on", func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				w := client.(TryWriter)
				sent := make([]byte, 16<<20)
				for i := range len(sent) / 8 {
					binary.LittleEndian.PutUint64(sent[8*i:], uint64(i))
				}
				// Some kernels take more once the bytes have moved on to the
				// receiver, so look for an attempt that takes nothing.
				rest := sent
				for {
					n, err := w.TryWrite(rest)
					if err != nil {
						t.Fatal(err)
					}
					if rest = rest[n:]; n == 0 {
						break
					}
				}
				if len(rest) == 0 || len(rest) == len(sent) {
					t.Fatalf("%d of %d bytes are left", len(rest), len(sent))
				}
				received := make(chan []byte)
				go func() {
					got, _ := io.ReadAll(server)
					received <- got
				}()
				// A blocking write waits for room; then attempts work again.
				if _, err := client.Write(rest[:1]); err != nil {
					t.Fatal(err)
				}
				rest = rest[1:]
				n, err := w.TryWrite(rest)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := client.Write(rest[n:]); err != nil {
					t.Fatal(err)
				}
				_ = client.Close()
				if got := <-received; !bytes.Equal(got, sent) {
					t.Errorf("%d bytes arrived, not the %d sent", len(got), len(sent))
				}
			})
			t.Run("nothing to write", func(t *testing.T) {
				client, _ := pair(t, s.tr, s.address)
				if n, err := client.(TryWriter).TryWrite(nil); n != 0 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
			})
			t.Run("allocates nothing", func(t *testing.T) {
				client, _ := pair(t, s.tr, s.address)
				w := client.(TryWriter)
				b := []byte("0123456789abcdef")
				if n := testing.AllocsPerRun(200, func() {
					if n, err := w.TryWrite(b); n != len(b) || err != nil {
						t.Fatal(n, err)
					}
				}); n != 0 {
					t.Errorf("%v allocations", n)
				}
			})
			t.Run("after close", func(t *testing.T) {
				client, _ := pair(t, s.tr, s.address)
				_ = client.Close()
				if _, err := client.(TryWriter).TryWrite([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("got %v", err)
				}
			})
			t.Run("past the deadline", func(t *testing.T) {
				client, _ := pair(t, s.tr, s.address)
				_ = client.SetWriteDeadline(time.Unix(1, 0))
				_, err := client.(TryWriter).TryWrite([]byte("x"))
				if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
					t.Errorf("got %v", err)
				}
			})
			t.Run("peer has gone", func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				_ = server.Close()
				var err error
				for err == nil { // the first may come before the peer's reset
					_, err = client.(TryWriter).TryWrite([]byte("x"))
				}
				if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("got %v", err)
				}
				if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "write" {
					t.Errorf("not what Write returns: %v", err)
				}
			})
			t.Run("while closing", func(t *testing.T) {
				l := listen(t, s.tr, s.address)
				for range 50 {
					client, server := dial(t, s.tr, l.Address()), accept(t, l)
					var wg sync.WaitGroup
					started := make(chan struct{})
					wg.Go(func() {
						var once sync.Once
						for {
							_, err := client.(TryWriter).TryWrite([]byte("x"))
							once.Do(func() { close(started) })
							if err != nil {
								if !errors.Is(err, net.ErrClosed) {
									t.Errorf("got %v", err)
								}
								return
							}
						}
					})
					<-started
					_ = client.Close()
					wg.Wait()
					_ = server.Close()
				}
			})
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	msg := make([]byte, 16)
	for _, s := range streams {
		for _, way := range []string{"Write", "TryWrite"} {
			b.Run(s.name+"/"+way, func(b *testing.B) {
				client, server := pair(b, s.tr, s.address)
				drained := make(chan struct{})
				go func() {
					defer close(drained)
					_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{server}, make([]byte, 64<<10))
				}()
				write := client.Write
				if way == "TryWrite" {
					try := client.(TryWriter).TryWrite
					write = func(p []byte) (int, error) {
						n, err := try(p)
						if err == nil && n < len(p) {
							return client.Write(p[n:])
						}
						return n, err
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := write(msg); err != nil {
						b.Fatal(err)
					}
				}
				_ = client.Close()
				<-drained
			})
		}
	}
}
