package simnet

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

func TestPartitionBlocks(t *testing.T) {
	var (
		anon = names{""}
		a    = names{"a"}
		b    = names{"b"}
		srv  = names{"srv", "srv:1", "a"} // an accepting end on host a
	)
	for _, c := range []struct {
		name     string
		groups   [][]string
		oneWay   [][2]string
		from, to names
		want     bool
	}{
		{"nothing", nil, nil, a, b, false},
		{"into the group", [][]string{{"a"}}, nil, b, a, true},
		{"out of the group", [][]string{{"a"}}, nil, a, b, true},
		{"within the group", [][]string{{"a", "b"}}, nil, a, b, false},
		{"outside the group", [][]string{{"a"}}, nil, b, anon, false},
		{"by address", [][]string{{"srv:1"}}, nil, b, srv, true},
		{"by address without port", [][]string{{"srv"}}, nil, b, srv, true},
		{"by other port", [][]string{{"srv:2"}}, nil, b, srv, false},
		{"by the listener's host", [][]string{{"a"}}, nil, b, srv, true},
		{"same host", [][]string{{"a"}}, nil, a, srv, false},
		{"the unnamed host", [][]string{{""}}, nil, anon, a, true},
		{"two groups", [][]string{{"a", "b"}, {"b"}}, nil, a, b, true},
		{"empty group", [][]string{{}}, nil, a, b, false},
		{"one way, with it", nil, [][2]string{{"a", "b"}}, a, b, true},
		{"one way, against it", nil, [][2]string{{"a", "b"}}, b, a, false},
		{"one way, from all", nil, [][2]string{{"*", "b"}}, anon, b, true},
		{"one way, to all", nil, [][2]string{{"a", "*"}}, b, a, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := faults{groups: c.groups, oneWay: c.oneWay}
			if got := f.blocks(c.from, c.to); got != c.want {
				t.Errorf("blocks = %v", got)
			}
		})
	}
}

// TestPartitionAnHour also shows what virtual time is for: it takes milliseconds.
func TestPartitionAnHour(t *testing.T) {
	real := time.Now()
	bubble(t, func(t *testing.T) {
		n := New(Config{Latency: 20 * time.Millisecond})
		client, server := pair(t, n)
		write(t, client, "on the wire, ")
		time.Sleep(10 * time.Millisecond)
		n.Partition("srv")
		write(t, client, "held")
		write(t, server, "held too")
		if err := client.(*conn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		silent(t, server, time.Hour)
		silent(t, client, time.Hour)

		start := time.Now()
		n.Heal()
		got, err := io.ReadAll(server)
		if string(got) != "on the wire, held" || err != nil {
			t.Fatalf("read %q, %v", got, err)
		}
		took(t, "healing", start, 20*time.Millisecond)
		expect(t, client, "held too")
		took(t, "healing", start, 20*time.Millisecond)
	})
	if d := time.Since(real); d > 5*time.Second {
		t.Errorf("two virtual hours took %v", d)
	}
}

func TestPartitionFillsTheWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{Window: 100, Bandwidth: 100, Latency: time.Second})
		client, server := pair(t, n)
		n.Partition("srv")
		client.SetWriteDeadline(time.Now().Add(time.Hour))
		k, err := client.Write(make([]byte, 250))
		wantErr(t, "Write", err, os.ErrDeadlineExceeded)
		if k != 100 {
			t.Fatalf("Write = %d, want the window of 100", k)
		}
		start := time.Now()
		n.Heal()
		if _, err := io.ReadFull(server, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		took(t, "window after healing, at the speed of the wire", start, 2*time.Second)
	})
}

func TestPartitionOneWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{Latency: time.Second})
		client, server := pairFrom(t, n.Host("a"), n, "srv:1")
		n.PartitionOneWay("a", "srv")
		write(t, client, "held")
		write(t, server, "open")
		start := time.Now()
		expect(t, client, "open")
		took(t, "the open way", start, time.Second)
		silent(t, server, time.Hour)
		n.Heal()
		expect(t, server, "held")
	})
}

func TestPartitionHoldsDials(t *testing.T) {
	for _, c := range []struct {
		name string
		at   time.Duration // when the partition comes, seen from the dial
		want time.Duration // when the dial returns, an hour of partition later
	}{
		{"before the dial", 0, time.Hour + 2*time.Second},
		{"on the way there", 500 * time.Millisecond, time.Hour + 2500*time.Millisecond},
		{"on the way back", 1500 * time.Millisecond, time.Hour + 2500*time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := New(Config{Latency: time.Second})
				l, _ := n.Listen(t.Context(), "srv")
				defer l.Close()
				start := time.Now()
				if c.at == 0 {
					n.Partition("srv")
				} else {
					time.AfterFunc(c.at, func() { n.Partition("srv") })
				}
				time.AfterFunc(c.at+time.Hour, n.Heal)
				conn, err := n.Dial(t.Context(), "srv")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				took(t, "dial", start, c.want)
			})
		})
	}
	t.Run("until the context ends", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			n := New(Config{})
			n.PartitionOneWay("srv", "*") // the answer cannot come back
			l, _ := n.Listen(t.Context(), "srv")
			defer l.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			start := time.Now()
			_, err := n.Dial(ctx, "srv")
			wantErr(t, "Dial", err, context.DeadlineExceeded)
			took(t, "dial", start, time.Hour)
		})
	})
	t.Run("everybody from everybody", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			n := New(Config{})
			client, server := pair(t, n)
			n.Partition("*")
			write(t, client, "held")
			silent(t, server, time.Hour)
		})
	})
}

func TestStall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{Window: 100})
		client, server := pair(t, n)
		n.Stall("srv")
		read := make(chan string)
		go func() {
			buf := make([]byte, 1000)
			k, _ := server.Read(buf)
			read <- string(buf[:k])
		}()
		client.SetWriteDeadline(time.Now().Add(time.Hour))
		k, err := client.Write([]byte(strings.Repeat("x", 250)))
		wantErr(t, "Write", err, os.ErrDeadlineExceeded)
		if k != 100 {
			t.Fatalf("Write = %d, want the window of 100", k)
		}
		write(t, server, "the stalled host still writes")
		expect(t, client, "the stalled host still writes")

		late, lateServer := pairFrom(t, n.Host(""), n, "srv:2") // stalls are for new connections too
		write(t, late, "x")
		silent(t, lateServer, time.Second)

		n.Unstall("srv")
		if got := <-read; len(got) != 100 {
			t.Fatalf("read %d bytes after the stall", len(got))
		}
		expect(t, lateServer, "x")
	})
	t.Run("Close ends a stalled Read", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			n := New(Config{})
			client, server := pair(t, n)
			n.Stall("srv")
			write(t, client, "x")
			done := make(chan error)
			go func() { _, err := server.Read(make([]byte, 1)); done <- err }()
			synctest.Wait()
			server.Close()
			wantErr(t, "Read", <-done, net.ErrClosed)
		})
	})
}

func TestVanish(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{Window: 100, Latency: time.Second})
		client, server := pairFrom(t, n.Host("a"), n, "srv:1")
		write(t, server, "arrived")
		time.Sleep(2 * time.Second)
		write(t, server, "on the wire")
		if ends := n.Vanish("srv"); ends != 1 {
			t.Fatalf("%d ends vanished", ends)
		}
		_, err := server.Read(make([]byte, 1))
		wantErr(t, "the vanished end's Read", err, syscall.ECONNABORTED)
		_, err = server.Write(make([]byte, 1))
		wantErr(t, "the vanished end's Write", err, syscall.ECONNABORTED)
		server.Close()

		expect(t, client, "arrived")
		silent(t, client, time.Hour)
		client.SetWriteDeadline(time.Now().Add(time.Hour))
		k, err := client.Write(make([]byte, 250))
		wantErr(t, "Write", err, os.ErrDeadlineExceeded)
		if k != 100 {
			t.Fatalf("Write = %d, want the window of 100 swallowed", k)
		}
		n.Partition("a")
		n.Heal() // healing does not bring it back
		silent(t, client, time.Hour)

		client2, server2 := pairFrom(t, n.Host("a"), n, "srv:1") // a new dial works
		write(t, client2, "again")
		expect(t, server2, "again")

		client.Close()
		if s := n.Stats(); s.Open != 1 || s.Vanished != 1 || s.Cuts != 0 {
			t.Fatalf("stats %+v", s)
		}
		n.Vanish("*")
		if s := n.Stats(); s.Open != 0 || s.Vanished != 3 || len(n.links) != 0 {
			t.Fatalf("stats %+v, %d links", s, len(n.links))
		}
	})
}

// What an end can tell of how the connection has ended: a reset is no end of stream, and nothing is told by a host that
// is stalled or has closed its end.
func TestInspectEnd(t *testing.T) {
	for name, c := range map[string]struct {
		does         func(n *Network, client, server net.Conn)
		ended, reset bool
	}{
		"open":    {func(*Network, net.Conn, net.Conn) {}, false, false},
		"end":     {func(_ *Network, client, _ net.Conn) { client.Close() }, true, false},
		"half":    {func(_ *Network, client, _ net.Conn) { _ = client.(transport.CloseWriter).CloseWrite() }, true, false},
		"reset":   {func(n *Network, _, _ net.Conn) { n.Cut("srv") }, true, true},
		"stalled": {func(n *Network, client, _ net.Conn) { n.Stall("srv"); client.Close() }, false, false},
		"closed":  {func(_ *Network, client, server net.Conn) { client.Close(); server.Close() }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := New(Config{})
				client, server := pair(t, n)
				write(t, client, "unread")
				if err := server.(transport.CloseWriter).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				c.does(n, client, server)
				synctest.Wait()
				look := server.(transport.Inspector)
				ended, reset := look.Ended()
				if ended != c.ended || reset != c.reset {
					t.Errorf("Ended says %v, %v, want %v, %v", ended, reset, c.ended, c.reset)
				}
				s, known := look.Inspect()
				if known == (name == "closed") || known && (s.Ended != ended || s.Reset != reset || s.Acknowledged == reset) {
					t.Errorf("Inspect says %+v, %v", s, known)
				}
			})
		})
	}
}
