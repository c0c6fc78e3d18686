package simnet

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

func TestWindowBlocksWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, server := pair(t, New(Config{Window: 100}))
		var written int
		var wg sync.WaitGroup
		wg.Go(func() { written, _ = client.Write(make([]byte, 250)) })
		synctest.Wait()
		if got := client.(*conn).out.buf.size; got != 100 {
			t.Fatalf("%d bytes in the window of 100", got)
		}
		start := time.Now()
		time.Sleep(time.Hour)
		if n, err := server.Read(make([]byte, 60)); n != 60 || err != nil {
			t.Fatalf("Read = %d, %v", n, err)
		}
		synctest.Wait()
		if got := client.(*conn).out.buf.size; got != 100 {
			t.Fatalf("%d bytes in the window after reading 60; the writer should have filled it again", got)
		}
		if _, err := io.ReadFull(server, make([]byte, 190)); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if written != 250 {
			t.Fatalf("Write = %d, want 250", written)
		}
		took(t, "all", start, time.Hour)
	})
}

func TestTryWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, server := pair(t, New(Config{Window: 100, Latency: time.Second}))
		try := client.(transport.TryWriter)
		for _, step := range []struct {
			name       string
			read, give int
			want       int
		}{
			{"all fits", 0, 70, 70},
			{"part fits", 0, 70, 30},
			{"nothing fits", 0, 70, 0},
			{"room after a read", 45, 70, 45},
			{"empty", 0, 0, 0},
		} {
			if _, err := io.ReadFull(server, make([]byte, step.read)); err != nil {
				t.Fatal(err)
			}
			if n, err := try.TryWrite(make([]byte, step.give)); n != step.want || err != nil {
				t.Fatalf("%s: TryWrite = %d, %v; want %d", step.name, n, err, step.want)
			}
		}
		// Bytes must not land in the middle of a Write that waits.
		go client.Write([]byte(strings.Repeat("w", 100)))
		synctest.Wait()
		if _, err := server.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if n, err := try.TryWrite([]byte("t")); n != 0 || err != nil {
			t.Fatalf("TryWrite beside a waiting Write = %d, %v; want 0", n, err)
		}
		client.Close()
		_, err := try.TryWrite([]byte("t"))
		wantErr(t, "TryWrite after Close", err, net.ErrClosed)
	})
}

// A read that is cancelled ends, those that follow too, and with another deadline reading goes on where it was.
func TestCancelRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, server := pair(t, New(Config{}))
		failed := make(chan error, 1)
		go func() {
			_, err := server.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		canceler := server.(transport.ReadCanceler)
		if err := canceler.CancelRead(); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "the read in progress", <-failed, os.ErrDeadlineExceeded)
		if _, err := io.WriteString(client, "x"); err != nil {
			t.Fatal(err)
		}
		_, err := server.Read(make([]byte, 1))
		wantErr(t, "the next one", err, os.ErrDeadlineExceeded)
		if err := server.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if n, err := server.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("afterwards: %d, %v", n, err)
		}
	})
}

func TestTryWriteAllocatesNothing(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Nanosecond} {
		t.Run(latency.String(), func(t *testing.T) {
			client, server := pair(t, New(Config{Latency: latency}))
			try := client.(transport.TryWriter)
			msg, buf := make([]byte, 64), make([]byte, 64)
			allocs := testing.AllocsPerRun(200, func() {
				_, _ = try.TryWrite(msg)
				_, _ = io.ReadFull(server, buf)
			})
			// With latency the runtime starts a goroutine for the timer; TryWrite itself still allocates nothing.
			if allocs > float64(min(latency, 1)) {
				t.Fatalf("%v allocations", allocs)
			}
		})
	}
}

func TestWritesDoNotInterleave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, server := pair(t, New(Config{Window: 7}))
		for _, s := range []string{"a", "b", "c"} {
			go client.Write([]byte(strings.Repeat(s, 50)))
		}
		got := make([]byte, 150)
		if _, err := io.ReadFull(server, got); err != nil {
			t.Fatal(err)
		}
		changes := 0
		for i := 1; i < len(got); i++ {
			if got[i] != got[i-1] {
				changes++
			}
		}
		if changes != 2 {
			t.Fatalf("writes are interleaved: %s", got)
		}
	})
}

func TestDeadlines(t *testing.T) {
	ends := func(c net.Conn, op string) error {
		if op == "read" {
			_, err := c.Read(make([]byte, 1))
			return err
		}
		_, err := c.Write(make([]byte, 100))
		return err
	}
	for _, op := range []string{"read", "write"} {
		set := func(c net.Conn, at time.Time) {
			if op == "read" {
				c.SetReadDeadline(at)
			} else {
				c.SetWriteDeadline(at)
			}
		}
		t.Run(op, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client, _ := pair(t, New(Config{Window: 10}))

				start := time.Now()
				set(client, start.Add(time.Minute))
				err := ends(client, op)
				wantErr(t, "at the deadline", err, os.ErrDeadlineExceeded)
				if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
					t.Fatalf("%v is not a timeout", err)
				}
				took(t, "deadline", start, time.Minute)
				wantErr(t, "again", ends(client, op), os.ErrDeadlineExceeded)

				set(client, time.Time{}) // cleared: waits until one is set from elsewhere, in the past
				start = time.Now()
				time.AfterFunc(time.Hour, func() { set(client, time.Unix(1, 0)) })
				wantErr(t, "set while waiting", ends(client, op), os.ErrDeadlineExceeded)
				took(t, "deadline set from elsewhere", start, time.Hour)

				set(client, time.Now().Add(time.Minute)) // moved on while waiting
				start = time.Now()
				time.AfterFunc(time.Second, func() { set(client, start.Add(2*time.Minute)) })
				wantErr(t, "moved", ends(client, op), os.ErrDeadlineExceeded)
				took(t, "moved deadline", start, 2*time.Minute)

				client.SetDeadline(time.Unix(1, 0))
				wantErr(t, "SetDeadline", ends(client, op), os.ErrDeadlineExceeded)
				client.Close()
				wantErr(t, "after Close", client.SetDeadline(time.Time{}), net.ErrClosed)
			})
		})
	}
}

func TestCloseWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		client, server := pair(t, New(Config{Latency: time.Second, Bandwidth: 1000}))
		write(t, client, "request")
		start := time.Now()
		if err := client.(transport.CloseWriter).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_, err := client.Write([]byte("x"))
		wantErr(t, "Write after CloseWrite", err, syscall.EPIPE)
		got, err := io.ReadAll(server)
		if string(got) != "request" || err != nil {
			t.Fatalf("read %q, %v", got, err)
		}
		took(t, "data then FIN", start, time.Second+7*time.Millisecond)
		write(t, server, "reply") // the other half is open
		server.Close()
		got, err = io.ReadAll(client)
		if string(got) != "reply" || err != nil {
			t.Fatalf("read %q, %v", got, err)
		}
	})
}

func TestClose(t *testing.T) {
	t.Run("data and FIN still arrive", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client, server := pair(t, New(Config{Latency: time.Second}))
			write(t, client, "last words")
			client.Close()
			got, err := io.ReadAll(server)
			if string(got) != "last words" || err != nil {
				t.Fatalf("read %q, %v", got, err)
			}
		})
	})
	t.Run("ends waiting calls", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client, _ := pair(t, New(Config{Window: 1}))
			errs := make(chan error, 3)
			go func() { _, err := client.Read(make([]byte, 1)); errs <- err }()
			for range 2 { // one waits for room, one for its turn
				go func() { _, err := client.Write(make([]byte, 10)); errs <- err }()
			}
			synctest.Wait()
			client.Close()
			for range 3 {
				wantErr(t, "waiting call", <-errs, net.ErrClosed)
			}
			wantErr(t, "second Close", client.Close(), net.ErrClosed)
			wantErr(t, "CloseWrite", client.(*conn).CloseWrite(), net.ErrClosed)
			_, err := client.Read(nil)
			wantErr(t, "Read", err, net.ErrClosed)
		})
	})
	t.Run("writing to a closed peer is answered by a reset", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client, server := pair(t, New(Config{Latency: time.Second}))
			server.Close()
			start := time.Now()
			write(t, client, "nobody reads this")
			for {
				if _, err := client.Write([]byte("x")); err != nil {
					wantErr(t, "Write", err, syscall.ECONNRESET)
					break
				}
				time.Sleep(250 * time.Millisecond)
				synctest.Wait() // the reset comes at the very moment of one of these
			}
			took(t, "reset", start, 2*time.Second)
		})
	})
	t.Run("a closed reader frees the window", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client, server := pair(t, New(Config{Window: 10, Latency: time.Second}))
			errs := make(chan error)
			go func() { _, err := client.Write(make([]byte, 100)); errs <- err }()
			time.Sleep(time.Minute)
			server.Close()
			wantErr(t, "Write", <-errs, syscall.ECONNRESET)
		})
	})
}

func TestAddresses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{})
		client, server := pairFrom(t, n.Host("a"), n, "srv:7")
		for _, c := range []struct {
			name      string
			got, want net.Addr
		}{
			{"client local", client.LocalAddr(), addr("a:49152")},
			{"client remote", client.RemoteAddr(), addr("srv:7")},
			{"server local", server.LocalAddr(), addr("srv:7")},
			{"server remote", server.RemoteAddr(), addr("a:49152")},
		} {
			if c.got != c.want || c.got.Network() != "sim" {
				t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
			}
		}
	})
}

// TestStress runs everything at once in real time, for the race detector: every byte read must be the right one.
func TestStress(t *testing.T) {
	n := New(Config{Latency: 20 * time.Microsecond, Jitter: 50 * time.Microsecond, Window: 500, CutPerKiB: 0.02, Seed: 3})
	l, err := n.Listen(t.Context(), "srv")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	verify := func(c net.Conn) {
		defer c.Close()
		buf := make([]byte, 300)
		next := byte(0)
		for {
			k, err := c.Read(buf)
			for _, b := range buf[:k] {
				if b != next {
					t.Errorf("read byte %d, want %d", b, next)
					return
				}
				next++
			}
			if err != nil {
				return
			}
		}
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { verify(c) })
		}
	})
	var dialers sync.WaitGroup
	for range 4 {
		dialers.Go(func() {
			for range 25 {
				c, err := n.Dial(t.Context(), "srv")
				if err != nil {
					t.Error(err)
					return
				}
				buf, next := make([]byte, 700), byte(0)
				for range 20 {
					size := rand.IntN(len(buf))
					for i := range size {
						buf[i] = next
						next++
					}
					if _, err := c.Write(buf[:size]); err != nil {
						break
					}
				}
				c.Close()
			}
		})
	}
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			switch i % 4 {
			case 0:
				n.Partition("srv")
				n.Heal()
			case 1:
				n.Stall("srv")
				n.Unstall("srv")
			case 2:
				n.Cut("srv")
			}
		}
	})
	dialers.Wait()
	close(stop)
	l.Close()
	wg.Wait()
	if s := n.Stats(); s.Open != 0 || s.Connections != 100 || s.Cuts == 0 || s.Delivered > s.Written {
		t.Errorf("stats %+v", s)
	}
}
