package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport"
)

// A worker is a backend of a proxy, and what of each envelope has come to it.
type worker struct {
	*socket.Dealer
	got map[string][]string
}

func newWorker(t *testing.T, at string, opts ...socket.DealerOption) *worker {
	t.Helper()
	w := &worker{closing(t, socket.NewDealer(opts...)), make(map[string][]string)}
	connect(t, w, at)
	return w
}

// take receives n messages and notes them by their envelopes, of which the last frame before the empty one counts.
func (w *worker) take(t *testing.T, n int) {
	t.Helper()
	for range n {
		w.note(recv(t, w))
	}
}

func (w *worker) note(m socket.Msg) {
	envelope, body := m.Envelope()
	call := string(envelope[len(envelope)-2])
	w.got[call] = append(w.got[call], string(body[0]))
}

// TestAffinity: what comes with one envelope goes to one backend, in order, and so do the answers back; among many
// envelopes all backends have some.
func TestAffinity(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		p := runProxy(t, socket.NewRouter(), socket.NewDealer(), endpoint, proxy.WithAffinity(0))
		ctx, cancel := context.WithCancel(t.Context())
		answering := make(chan map[string][]string, 3)
		for i := range 3 {
			w := newWorker(t, p.backAt)
			go func() {
				defer func() { answering <- w.got }()
				for m, err := range w.Messages(ctx) {
					if err != nil {
						return
					}
					w.note(m)
					_ = w.Send(ctx, m)
				}
			}()
			waitPeers(t, p.back, i+1)
		}
		const calls, each = 60, 20
		clients := []*socket.Dealer{closing(t, socket.NewDealer()), closing(t, socket.NewDealer())}
		for _, c := range clients {
			connect(t, c, p.frontAt)
		}
		for i := range each {
			for call := range calls {
				send(t, clients[call%2], fmt.Sprint("call ", call), "", fmt.Sprint(i))
			}
		}
		next := make(map[string]int)
		for n := range calls * each {
			m := recv(t, clients[n%2])
			call := string(m.Frames[0])
			if want := socket.Text(call, "", fmt.Sprint(next[call])); m.String() != want.String() {
				t.Fatalf("received %s, want %s", m, want)
			}
			next[call]++
		}
		cancel()
		seen := make(map[string]bool)
		for range 3 {
			for call, bodies := range <-answering {
				if seen[call] || len(bodies) != each {
					t.Errorf("%s came to several backends, %d messages of it to one", call, len(bodies))
				}
				seen[call] = true
			}
		}
		if len(seen) != calls {
			t.Errorf("%d calls of %d", len(seen), calls)
		}
		p.end(t)
		if s := p.control.Stats(); s.Forth.Forwarded != s.Forth.Received || s.Forth.Forwarded.Messages != calls*each {
			t.Errorf("stats %+v", s)
		}
	})
}

// affine runs a test of a proxy with affinity, in a bubble, so that all that is known of backends is known at once.
func affine(t *testing.T, test func(t *testing.T, p *proxied, space socket.Option), opts ...socket.DealerOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		p := runProxy(t, socket.NewRouter(space), socket.NewDealer(append(opts, space)...), "inproc://x",
			proxy.WithAffinity(8))
		test(t, p, space)
	})
}

// TestAffinityTakesTurns: envelopes that are new go to one backend after the other, and so do messages without one.
func TestAffinityTakesTurns(t *testing.T) {
	affine(t, func(t *testing.T, p *proxied, space socket.Option) {
		client := closing(t, socket.NewDealer(space))
		connect(t, client, p.frontAt)
		a, b := newWorker(t, p.backAt, space), newWorker(t, p.backAt, space)
		synctest.Wait()
		for i := range 4 {
			send(t, client, fmt.Sprint(i), "", "x")
			send(t, client, fmt.Sprint(i), "", "y")
		}
		a.take(t, 4)
		b.take(t, 4)
		if len(a.got) != 2 || len(b.got) != 2 {
			t.Errorf("of four envelopes %d and %d", len(a.got), len(b.got))
		}
		for range 4 {
			send(t, client, "no envelope")
		}
		for _, w := range []*worker{a, b, a, b} {
			if m := recv(t, w); len(m.Frames) != 2 {
				t.Errorf("received %s", m)
			}
		}
	})
}

// TestAffinityWhenABackendLeaves: its envelopes go to another, and stay there.
func TestAffinityWhenABackendLeaves(t *testing.T) {
	affine(t, func(t *testing.T, p *proxied, space socket.Option) {
		client := closing(t, socket.NewDealer(space))
		connect(t, client, p.frontAt)
		a := newWorker(t, p.backAt, space)
		synctest.Wait()
		send(t, client, "call", "", "1")
		a.take(t, 1)
		b := newWorker(t, p.backAt, space)
		synctest.Wait()
		send(t, client, "call", "", "2")
		a.take(t, 1)
		nothing(t, b)
		must(t, a.Close())
		synctest.Wait()
		send(t, client, "call", "", "3")
		b.take(t, 1)
		c := newWorker(t, p.backAt, space)
		synctest.Wait()
		for i := range 4 {
			send(t, client, "call", "", fmt.Sprint(4+i))
		}
		b.take(t, 4)
		nothing(t, c)
		if got := strings.Join(b.got["call"], ""); got != "34567" {
			t.Errorf("the other has had %s", got)
		}
		must(t, b.Close())
		must(t, c.Close())
		synctest.Wait()
		send(t, client, "call", "", "waits")
		synctest.Wait()
		d := newWorker(t, p.backAt, space)
		d.take(t, 1)
		p.end(t)
		if s := p.control.Stats().Forth; s.Dropped.Messages != 0 || s.Forwarded.Messages != 8 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestAffinityPassesOverTheFull: new envelopes go to those that have room, and wait where none has. What belongs to a
// backend that is full waits for that.
func TestAffinityPassesOverTheFull(t *testing.T) {
	affine(t, func(t *testing.T, p *proxied, space socket.Option) {
		mark := socket.WithRecvHWM(1)
		client := closing(t, socket.NewDealer(space))
		connect(t, client, p.frontAt)
		a := newWorker(t, p.backAt, space, mark)
		synctest.Wait()
		fill := func(call string) (n int) {
			for {
				send(t, client, call, "", "x")
				synctest.Wait()
				if s := p.control.Stats().Forth; s.Forwarded != s.Received {
					return n // and one more, in the proxy's hand
				}
				n++
			}
		}
		full := fill("a")
		b := newWorker(t, p.backAt, space, mark)
		synctest.Wait()
		nothing(t, b) // though it has room: what waits is not for it
		a.take(t, full+1)
		synctest.Wait()
		send(t, client, "b", "", "x") // it is its turn
		b.take(t, 1)
		for n := range full {
			send(t, client, "a", "", fmt.Sprint(n))
		}
		synctest.Wait()
		for n := range full {
			send(t, client, fmt.Sprint("new ", n), "", "x") // a has no room
		}
		b.take(t, full)
		for n := range full {
			send(t, client, "b", "", fmt.Sprint(n))
		}
		send(t, client, "waits", "", "x")
		synctest.Wait()
		if s := p.control.Stats().Forth; s.Received.Messages != s.Forwarded.Messages+1 {
			t.Errorf("stats %+v, want one in hand", s)
		}
		a.take(t, full)
		a.take(t, 1)
		if a.got["waits"] == nil {
			t.Errorf("a has had %v", a.got)
		}
		b.take(t, full)
	}, socket.WithSendHWM(1))
}

// TestAffinityNeedsADealer: of what cannot be addressed Run says so at once.
func TestAffinityNeedsADealer(t *testing.T) {
	sp, err := spool.Open(t.TempDir(), spool.Options{})
	must(t, err)
	defer sp.Close()
	for name, backend := range map[string]socket.Socket{
		"PUSH": socket.NewPush(), "ROUTER": socket.NewRouter(), "spool": socket.NewDealer(socket.WithSpool(sp)),
	} {
		t.Run(name, func(t *testing.T) {
			defer backend.Close()
			front := closing(t, socket.NewRouter())
			err := proxy.Run(t.Context(), front, backend, proxy.WithAffinity(0))
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

// TestAffinityEndsWhenASocketCloses: nobody waits for a backend that cannot come any more.
func TestAffinityEndsWhenASocketCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		p := runProxy(t, socket.NewRouter(space), socket.NewDealer(space), "inproc://x", proxy.WithAffinity(0))
		client := closing(t, socket.NewDealer(space))
		connect(t, client, p.frontAt)
		send(t, client, "call", "", "x")
		synctest.Wait()
		must(t, p.back.Close())
		if err := <-p.done; !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Run: %v, want ErrClosed", err)
		}
		p.done = nil
		if s := p.control.Stats().Forth; s.Dropped.Messages != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}
