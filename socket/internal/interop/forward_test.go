//go:build unix

package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// TestForwardForLibzmq forwards the subscriptions of libzmq SUBs to an XPUB of libzmq that shows everything. It hears
// of each subscription, as behind a forwarder of libzmq's, and once nobody is left of one cancellation.
func TestForwardForLibzmq(t *testing.T) {
	z := sharedPeer(t)
	for _, c := range []struct {
		name string
		opts []socket.XPubOption
		adds int // of three SUBs, one of which subscribes twice
	}{
		{"default", nil, 1},
		{"EverySubscription", []socket.XPubOption{socket.WithVerbosity(socket.EverySubscription)}, 4},
		{"EveryChange", []socket.XPubOption{socket.WithVerbosity(socket.EveryChange)}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := z.socket(t, "XPUB", opts{"XPUB_VERBOSER": 1})
			xsub, xpub := closing(t, socket.NewXSub()), closing(t, socket.NewXPub(c.opts...))
			must(t, xsub.Connect(app.bind(fresh(t, "tcp"))))
			at := bind(t, xpub, fresh(t, "tcp"))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- proxy.Run(ctx, xsub, xpub) }()
			defer func() {
				cancel()
				must(t, <-done)
			}()
			subs := []*zsock{z.socket(t, "SUB", nil), z.socket(t, "SUB", nil), z.socket(t, "SUB", nil)}
			heard := 0
			for i, s := range subs {
				s.connect(at)
				s.subscribe("A")
				if i == 0 {
					s.subscribe("A")
				}
				must(t, xpub.WaitSubscribers(lasting(t, 30*time.Second), "A", i+1))
				for ; heard < min(c.adds, i+2); heard++ {
					wantFrames(t, app.recv(), "\x01A")
				}
			}
			app.send("A", "hello")
			for _, s := range subs {
				wantFrames(t, s.recv(), "A", "hello")
			}
			for _, s := range subs {
				s.do("close", nil)
			}
			wantFrames(t, app.recv(), "\x00A")
			if app.readable(100 * time.Millisecond) {
				t.Errorf("and more: %q", app.recv())
			}
		})
	}
}

// TestAffinityForLibzmq: two DEALERs of libzmq have workers of libzmq behind a proxy with affinity. What is said about
// a request reaches the worker that has it, and its answer whoever has asked; when a worker has gone the other one has
// all.
func TestAffinityForLibzmq(t *testing.T) {
	z := sharedPeer(t)
	front, back := closing(t, socket.NewRouter()), closing(t, socket.NewDealer())
	frontAt, backAt := bind(t, front, fresh(t, "tcp")), bind(t, back, fresh(t, "tcp"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- proxy.Run(ctx, front, back, proxy.WithAffinity(0)) }()
	defer func() {
		cancel()
		must(t, <-done)
	}()
	const calls = 8
	var clients, workers []*zsock
	for range 2 {
		c, w := z.socket(t, "DEALER", nil), z.socket(t, "DEALER", nil)
		w.connect(backAt)
		c.connect(frontAt)
		clients, workers = append(clients, c), append(workers, w)
	}
	must(t, back.WaitPeers(lasting(t, patience), 2))
	say := func(what string) {
		t.Helper()
		for n := range calls {
			clients[n%2].send(fmt.Sprint("call ", n), "", what)
		}
	}
	whose := make(map[string]*zsock) // which worker has which call
	hear := func(what string, n int, from ...*zsock) {
		t.Helper()
		for ; n > 0; n-- {
			var w *zsock
			for begin := time.Now(); w == nil; {
				for _, one := range from {
					if one.readable(10 * time.Millisecond) {
						w = one
					}
				}
				if time.Since(begin) > patience {
					t.Fatalf("no worker hears %q", what)
				}
			}
			m := w.recv() // the client, the call, nothing, what is said
			if wantFrames(t, m[1:], m[1], "", what); whose[m[1]] != nil && whose[m[1]] != w {
				t.Errorf("%q of %s reaches another worker", what, m[1])
			}
			whose[m[1]] = w
			w.send(m[0], m[1], "", "done: "+what)
		}
	}
	answered := func(what string) {
		t.Helper()
		for n := range calls {
			if m := clients[n%2].recv(); len(m) != 3 || !strings.HasPrefix(m[0], "call ") || m[2] != "done: "+what {
				t.Errorf("the answer is %q", m)
			}
		}
	}
	for _, what := range []string{"begin", "more", "cancel"} {
		say(what)
		hear(what, calls, workers...)
		answered(what)
	}
	if len(whose) != calls {
		t.Errorf("%d calls of %d", len(whose), calls)
	}
	workers[0].do("close", nil)
	for ev := range back.Events(lasting(t, patience)) {
		if ev.Kind == socket.PeerDown {
			break
		}
	}
	clear(whose)
	say("again")
	hear("again", calls, workers[1])
	answered("again")
}
