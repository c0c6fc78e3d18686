package socket_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

func TestConnectAs(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		for name, opts := range map[string][]socket.DealerOption{
			"a peer without an identity":       nil,
			"a peer that calls itself another": {socket.WithIdentity("by another name")},
		} {
			t.Run(name, func(t *testing.T) {
				at := unused(t, endpoint)
				router := closing(t, socket.NewRouter(quick()))
				must(t, router.ConnectAs(at, "peer"))
				must(t, router.ConnectAs(at, "peer")) // twice is once
				for range 3 {                         // it keeps its name when it returns
					dealer := socket.NewDealer(opts...)
					bind(t, dealer, at)
					waitPeers(t, router, 1)
					send(t, router, "peer", "hello")
					expect(t, dealer, "hello")
					send(t, dealer, "hi")
					m := recv(t, router)
					if m.String() != `["peer" "hi"]` {
						t.Fatalf("received %s", m)
					}
					if want := len(opts) > 0; (string(m.From.Identity) == "by another name") != want {
						t.Fatalf("it is said to call itself %q", m.From.Identity)
					}
					if err := router.Send(within(t), socket.Text("by another name", "x")); !errors.Is(err, socket.ErrUnroutable) {
						t.Fatalf("to its own name: %v, want ErrUnroutable", err)
					}
					must(t, dealer.Close())
					waitUntil(t, "it is gone", func() bool { return len(router.Stats().Peers) == 0 })
				}
			})
		}
	})
}

func TestConnectAsErrors(t *testing.T) {
	router := closing(t, socket.NewRouter(quick()))
	at := bind(t, router, "tcp://127.0.0.1:*")
	known := closing(t, named("known"))
	connect(t, known, at)
	waitPeers(t, router, 1)
	one, two := unused(t, "ipc://"), unused(t, "ipc://2")
	must(t, router.ConnectAs(one, "one"))
	for _, c := range []struct {
		name, endpoint, id string
		is                 error
		says               string
	}{
		{"empty", two, "", socket.ErrInvalidOption, "1 to 255"},
		{"too long", two, strings.Repeat("x", 256), socket.ErrInvalidOption, "1 to 255"},
		{"zero first", two, "\x00x", socket.ErrInvalidOption, "first not zero"},
		{"name of a peer", two, "known", socket.ErrIdentityInUse, "known"},
		{"name of an endpoint", two, "one", socket.ErrIdentityInUse, one},
		{"another name for an endpoint", one, "another", socket.ErrState, "Disconnect"},
		{"no scheme", "127.0.0.1:1", "x", nil, "tcp://127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := router.ConnectAs(c.endpoint, c.id)
			var at *socket.PeerError
			if !errors.As(err, &at) || at.Endpoint != c.endpoint || at.Op != "connect" || c.is != nil && !errors.Is(err, c.is) ||
				!strings.Contains(err.Error(), c.says) {
				t.Fatalf("ConnectAs: %v, want %v that names the endpoint and says %q", err, c.is, c.says)
			}
		})
	}
	must(t, router.Disconnect(one))
	must(t, router.ConnectAs(two, "one")) // the name is free again
	must(t, router.Close())
	if err := router.ConnectAs(one, "x"); !errors.Is(err, socket.ErrClosed) {
		t.Fatalf("on a closed socket: %v, want ErrClosed", err)
	}
}

// TestConnectAsMeetsItsName: a peer that came in under the name first keeps it, and the endpoint gets in after it.
func TestConnectAsMeetsItsName(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		later := unused(t, endpoint+"/later")
		router := closing(t, socket.NewRouter(quick()))
		at := bind(t, router, endpoint)
		must(t, router.ConnectAs(later, "name"))
		first := closing(t, named("name"))
		connect(t, first, at)
		waitPeers(t, router, 1)
		second := closing(t, socket.NewDealer())
		bind(t, second, later)
		if ev := event(t, router, socket.DuplicateIdentity); ev.Endpoint != later {
			t.Fatalf("event %v", ev)
		}
		send(t, router, "name", "x")
		expect(t, first, "x")
		must(t, first.Close())
		event(t, router, socket.PeerDown) // until then the name is the first one's
		waitUntil(t, "the endpoint has the name", func() bool {
			return router.Send(within(t), socket.Text("name", "y")) == nil
		})
		expect(t, second, "y")
	})
}

func TestBindListener(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "x.sock")
			}
			listen := func() net.Listener {
				ln, err := net.Listen(network, address)
				must(t, err)
				return ln
			}
			ln := listen()
			pull, push := closing(t, socket.NewPull()), closing(t, socket.NewPush(quick()))
			at, err := pull.BindListener(ln)
			must(t, err)
			if scheme := map[string]string{"tcp": "tcp://", "unix": "ipc://"}[network]; at != scheme+ln.Addr().String() {
				t.Fatalf("bound at %s", at)
			}
			if ev := event(t, pull, socket.Listening); ev.Endpoint != at {
				t.Fatalf("event %v", ev)
			}
			connect(t, push, at)
			body := strings.Repeat("x", 100_000)
			for range 100 {
				send(t, push, "hello", body)
				expect(t, pull, "hello", body)
			}
			must(t, pull.Unbind(at))
			event(t, push, socket.PeerDown)
			if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("Accept after Unbind: %v, want net.ErrClosed", err)
			}
			if _, err := os.Stat(address); network == "unix" && !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("the socket file is still there: %v", err)
			}
			must(t, pull.Close())
			again := listen()
			if _, err := pull.BindListener(again); !errors.Is(err, socket.ErrClosed) {
				t.Fatalf("on a closed socket: %v, want ErrClosed", err)
			}
			if _, err := again.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("what a closed socket was given is still open: %v", err)
			}
		})
	}
	t.Run("checks what Bind checks", func(t *testing.T) {
		ln := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		defer ln.Close()
		pull := closing(t, socket.NewPull(socket.WithMetadata("not X-", "x")))
		if _, err := pull.BindListener(ln); err == nil || !strings.Contains(err.Error(), "X-") {
			t.Fatalf("BindListener: %v, want an error that names the property", err)
		}
		event(t, pull, socket.BindFailed)
	})
	t.Run("listeners that go by one address", func(t *testing.T) {
		pull := closing(t, socket.NewPull())
		lns := make([]*pipeListener, 2)
		for i := range lns {
			lns[i] = &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
			if _, err := pull.BindListener(lns[i]); i == 0 {
				must(t, err)
			}
		}
		must(t, pull.Close()) // and whatever became of the second, none is left open
		for i, ln := range lns {
			select {
			case <-ln.closed:
			default:
				t.Errorf("listener %d was not closed", i)
			}
		}
	})
}

// A pipeListener is a listener in memory; they all have the same address.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
		return io.ErrClosedPipe
	default:
		close(l.closed)
		return nil
	}
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
