package simnet

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		address       string
		bind, connect bool
	}{
		{"collector", true, true},
		{"collector:1", true, true},
		{"a-b_c.example:65535", true, true},
		{"collector:0", true, false},
		{"", false, false},
		{":1", false, false},
		{"a b", false, false},
		{"a/b", false, false},
		{"*", false, false},
		{"a:", false, false},
		{"a:x", false, false},
		{"a:01", false, false},
		{"a:-1", false, false},
		{"a:65536", false, false},
		{"a:1:2", false, false},
		{strings.Repeat("a", 253), true, true},
		{strings.Repeat("a", 254), false, false},
	} {
		t.Run(c.address, func(t *testing.T) {
			n := New(Config{})
			for use, want := range map[transport.Use]bool{transport.ForBind: c.bind, transport.ForConnect: c.connect} {
				err := n.Host("h").Validate(c.address, use)
				if (err == nil) != want {
					t.Errorf("for %v: %v", use, err)
				}
				if err != nil {
					wantErr(t, "Validate", err, transport.ErrAddress)
				}
			}
			if !c.connect {
				_, err := n.Dial(t.Context(), c.address)
				wantErr(t, "Dial", err, transport.ErrAddress)
			}
			if !c.bind {
				_, err := n.Listen(t.Context(), c.address)
				wantErr(t, "Listen", err, transport.ErrAddress)
			}
		})
	}
}

func TestListen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{})
		l, err := n.Listen(t.Context(), "srv")
		if err != nil {
			t.Fatal(err)
		}
		if l.Address() != "srv" || n.Scheme() != "sim" || n.Host("a").Scheme() != "sim" || n.Host("a").Name() != "a" {
			t.Fatalf("address %q", l.Address())
		}
		_, err = n.Host("other").Listen(t.Context(), "srv")
		wantErr(t, "second Listen", err, transport.ErrAddressInUse)

		accepted := make(chan error)
		go func() { _, err := l.Accept(); accepted <- err }()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "Accept", <-accepted, net.ErrClosed)
		wantErr(t, "second Close", l.Close(), net.ErrClosed)

		if l, err = n.Listen(t.Context(), "srv"); err != nil { // the address is free again
			t.Fatal(err)
		}
		l.Close()

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = n.Listen(ctx, "srv")
		wantErr(t, "Listen with an ended context", err, context.Canceled)
	})
}

func TestPortZero(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{})
		seen := map[string]bool{}
		for range 3 {
			l, err := n.Listen(t.Context(), "srv:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if seen[l.Address()] || n.Validate(l.Address(), transport.ForConnect) != nil {
				t.Fatalf("address %q", l.Address())
			}
			seen[l.Address()] = true
			c, err := n.Dial(t.Context(), l.Address())
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	})
}

func TestCloseListenerResetsTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{})
		l, _ := n.Listen(t.Context(), "srv")
		c, err := n.Dial(t.Context(), "srv")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		_, err = c.Read(make([]byte, 1))
		wantErr(t, "Read", err, syscall.ECONNRESET)
		c.Close()
		if s := n.Stats(); s.Open != 0 || s.Cuts != 0 || len(n.links) != 0 {
			t.Fatalf("stats %+v, %d links", s, len(n.links))
		}
	})
}

func TestDialRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(n *Network)
		want    error
	}{
		{"nobody listens", func(n *Network) {}, syscall.ECONNREFUSED},
		{"refused by address", func(n *Network) { listenAs(n, "h", "srv:1"); n.Refuse("srv:1") }, syscall.ECONNREFUSED},
		{"refused by name", func(n *Network) { listenAs(n, "h", "srv:1"); n.Refuse("srv") }, syscall.ECONNREFUSED},
		{"refused by host", func(n *Network) { listenAs(n, "h", "srv:1"); n.Refuse("h") }, syscall.ECONNREFUSED},
		{"refused by wildcard", func(n *Network) { listenAs(n, "h", "srv:1"); n.Refuse("*") }, syscall.ECONNREFUSED},
		{"another is refused", func(n *Network) { listenAs(n, "h", "srv:1"); n.Refuse("srv:2") }, nil},
		{"allowed again", func(n *Network) { listenAs(n, "h", "srv:1"); n.Refuse("srv"); n.Allow("srv") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := New(Config{Latency: time.Second})
				c.prepare(n)
				start := time.Now()
				conn, err := n.Dial(t.Context(), "srv:1")
				took(t, "dial", start, 2*time.Second)
				if err == nil {
					conn.Close()
				}
				if !errors.Is(err, c.want) {
					t.Fatalf("error %v, want %v", err, c.want)
				}
				if s := n.Stats(); s.Dials != 1 || (s.Refused == 1) != (c.want != nil) {
					t.Fatalf("stats %+v", s)
				}
			})
		})
	}
}

func listenAs(n *Network, host, address string) {
	if _, err := n.Host(host).Listen(context.Background(), address); err != nil {
		panic(err)
	}
}

func TestDialContextEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		at   time.Duration
	}{
		{"at once", 0},
		{"on the way there", 500 * time.Millisecond},
		{"on the way back", 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := New(Config{Latency: time.Second})
				l, _ := n.Listen(t.Context(), "srv")
				ctx, cancel := context.WithTimeout(t.Context(), c.at)
				defer cancel()
				start := time.Now()
				_, err := n.Dial(ctx, "srv")
				wantErr(t, "Dial", err, context.DeadlineExceeded)
				took(t, "dial", start, c.at)
				if c.at > time.Second { // the listener's side exists and learns
					s, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					_, err = s.Read(make([]byte, 1))
					wantErr(t, "Read", err, syscall.ECONNRESET)
					s.Close()
				}
				l.Close()
				if len(n.links) != 0 {
					t.Fatalf("%d links left", len(n.links))
				}
			})
		})
	}
}

func TestServerMaySpeakFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n := New(Config{Latency: time.Second})
		l, _ := n.Listen(t.Context(), "srv")
		defer l.Close()
		start := time.Now()
		go func() {
			s, _ := l.Accept()
			s.Write([]byte("hello"))
			s.Close()
		}()
		c, err := n.Dial(t.Context(), "srv")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		expect(t, c, "hello")
		took(t, "greeting", start, 2*time.Second)
	})
}

func TestListenerClosesDuringDial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var l transport.Listener
		n := New(Config{OnConn: func(*Link) { l.Close() }})
		l, _ = n.Listen(t.Context(), "srv")
		_, err := n.Dial(t.Context(), "srv")
		wantErr(t, "Dial", err, syscall.ECONNREFUSED)
		if len(n.links) != 0 {
			t.Fatalf("%d links left", len(n.links))
		}
	})
}

func TestPortsRunOut(t *testing.T) {
	n := New(Config{})
	for range 65536 - 49152 {
		listenAs(n, "srv", "srv:0")
	}
	_, err := n.Listen(t.Context(), "srv:0")
	wantErr(t, "Listen", err, syscall.EADDRNOTAVAIL)
	listenAs(n, "other", "other:0") // each host has its own ports
}
