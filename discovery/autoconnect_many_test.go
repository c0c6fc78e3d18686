package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

func TestShared(t *testing.T) {
	onStage(t, Policy{}, nil, func(g *stage) {
		g.s.open(0, epA)
		g.emit(Added, offer(1, epA))
		g.after(0)
		g.emit(Added, offer(2, epA)) // forged, or the same socket by another backend
		g.notified("connected", "connected")
		g.emit(Left, offer(2, epA))
		g.after(time.Hour)
		g.want("the other one is still there", epA+"+")
		g.emit(Added, offer(3, epA))
		g.emit(Left, offer(1, epA))
		g.after(time.Hour)
		g.want("one is left", epA+"+")
		g.emit(Left, offer(3, epA))
		g.after(time.Hour)
		g.want("none is left")
		if len(g.s.dialled()) != 1 {
			g.Errorf("dialled %v", g.s.dialled())
		}
	})
}

func TestLimits(t *testing.T) {
	endpoint := func(n int) string { return fmt.Sprintf("tcp://10.0.0.%d:%d", 100+n%100, 1000+n) }
	t.Run("dials", func(t *testing.T) {
		onStage(t, Policy{MaxDials: 4}, nil, func(g *stage) {
			for i := range 3000 { // forged, all from one address
				r := offer(i, endpoint(i), endpoint(i+3000))
				r.From = addrs("10.0.0.66")
				g.emit(Added, r)
			}
			real := offer(5000, epA)
			real.From = addrs("10.0.0.7")
			g.s.open(0, epA)
			g.emit(Added, real)
			start := time.Now()
			for !slices.Contains(g.s.state(), epA+"+") {
				if g.after(100 * time.Millisecond); time.Since(start) > 6*time.Second {
					g.Fatalf("not connected: %v", g.s.state())
				}
			}
			g.after(time.Minute)
			if _, dials := g.s.peak(); dials != 4 {
				g.Errorf("%d dials at a time, want 4", dials)
			}
		})
	})
	t.Run("peers", func(t *testing.T) {
		onStage(t, Policy{MaxPeers: 10}, nil, func(g *stage) {
			for i := range 30 {
				g.s.open(0, endpoint(i))
				g.emit(Added, offer(i, endpoint(i)))
			}
			g.after(time.Minute)
			first := g.s.state()
			if most, _ := g.s.peak(); len(first) != 10 || most != 10 {
				g.Fatalf("%d connections, %d at a time, want 10", len(first), most)
			}
			g.s.shut(strings.TrimSuffix(first[0], "+"))
			for i := range 30 {
				if endpoint(i)+"+" == first[0] {
					g.emit(Left, offer(i, endpoint(i)))
				}
			}
			g.after(time.Minute)
			if now := g.s.state(); len(now) != 10 || slices.Equal(now, first) || slices.Contains(now, first[0]) {
				g.Errorf("%v, want another one in the place of %s", now, first[0])
			}
		})
	})
	t.Run("to share costs nothing", func(t *testing.T) {
		onStage(t, Policy{MaxPeers: 1, MaxDials: 1}, nil, func(g *stage) {
			g.s.open(0, epA)
			for i := range 100 {
				g.emit(Added, offer(i, epA))
			}
			g.after(0)
			g.want("one connection", epA+"+")
			if g.count() != 100 {
				g.Errorf("%d of 100 nodes are connected", g.count())
			}
		})
	})
	t.Run("each endpoint has its turn", func(t *testing.T) {
		onStage(t, Policy{MaxPeers: 1}, nil, func(g *stage) {
			g.s.open(0, epC)
			g.emit(Added, offer(1, epA, epB, epC))
			g.after(20 * time.Second)
			g.want("the third", epC+"+")
			if most, _ := g.s.peak(); most != 1 {
				g.Errorf("%d at a time", most)
			}
		})
	})
	t.Run("nodes", func(t *testing.T) {
		onStage(t, Policy{}, nil, func(g *stage) {
			for i := range maxKnown + 10 {
				g.emit(Added, offer(i, "tcp://192.0.2.1:1"))
			}
			if g.count() != maxKnown {
				g.Errorf("%d nodes are remembered, want %d", g.count(), maxKnown)
			}
		})
	})
}

func TestOwnInterfacesChange(t *testing.T) {
	onStage(t, Policy{}, nil, func(g *stage) {
		const far = "tcp://10.1.0.7:5001"
		g.s.open(0, far)
		g.emit(Added, offer(1, far))
		g.notified("refused")
		g.after(time.Minute)
		g.want("not in our network")
		g.move(append(slices.Clone(home), ifaces.Interface{Name: "eth1", Index: 3, Addrs: prefixes("10.1.0.1/16")}))
		g.after(2 * time.Second)
		g.want("now it is", far+"+")
		g.move(home)
		g.after(time.Minute)
		g.want("the connection decides", far+"+")
		g.s.shut(far)
		g.after(0)
		g.want("not any more")
		g.notified("connected", "lost", "refused")
		g.emit(Expired, offer(1, far))
	})
	onStage(t, Policy{}, nil, func(g *stage) {
		g.emit(Added, offer(1, epA))
		for g.w.confirms() < 8 {
			g.after(time.Second)
		}
		g.s.open(0, epA)
		g.move(append(slices.Clone(home), ifaces.Interface{Name: "eth1", Index: 3}))
		g.after(2*time.Second + time.Millisecond)
		g.want("a pause ends when the network changes", epA+"+")
	})
}

func TestWithoutWaitConnected(t *testing.T) {
	blind := func(s *fakeSocket) Connector { return simple{s} }
	onStage(t, Policy{}, blind, func(g *stage) {
		g.emit(Added, offer(1, epA, epB))
		g.after(time.Hour)
		g.want("the first, for ever", epA)
		g.emit(Updated, offer(1, epB, epA))
		g.want("as long as it is there", epA)
		g.emit(Updated, offer(1, epB))
		g.want("then the next", epB)
		g.emit(Expired, offer(1, epB))
		g.after(9 * time.Second)
		g.want("expired", epB)
		g.emit(Added, offer(1, epB))
		g.after(time.Hour)
		g.want("and back", epB)
		g.emit(Expired, offer(1, epB))
		g.after(10 * time.Second)
		g.want("gone")
		g.notified("connected", "connected", "disconnected")
		g.emit(Added, offer(1, epA))
		g.emit(Expired, offer(1, epA))
		g.after(9 * time.Second)
		g.emit(Left, offer(1, epA))
		g.after(9 * time.Second)
		g.want("the goodbye counts", epA)
		g.after(time.Second)
		g.want("gone again")
	})
}

// Somebody else disconnects what AutoConnect has connected.
func TestTakenAway(t *testing.T) {
	onStage(t, Policy{}, nil, func(g *stage) {
		g.s.open(0, epA)
		g.emit(Added, offer(1, epA))
		g.after(0)
		if err := g.s.Disconnect(epA); err != nil {
			g.Fatal(err)
		}
		g.after(0)
		g.notified("connected", "lost", "failed")
		g.after(time.Second)
		g.want("after a pause", epA+"+")
	})
	onStage(t, Policy{}, nil, func(g *stage) {
		g.s.open(0, epB)
		g.emit(Added, offer(1, epA, epB))
		if err := g.s.Disconnect(epA); err != nil {
			g.Fatal(err)
		}
		g.after(0)
		g.want("the next at once", epB+"+")
	})
}

func TestWatchFails(t *testing.T) {
	broken := errors.New("broken")
	err := AutoConnect(t.Context(), newFakeSocket(), &fakeWatcher{err: broken}, "orders", Policy{})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), `"orders"`) {
		t.Errorf("%v, want one that names the service and says broken", err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, w, result := newFakeSocket(), &fakeWatcher{events: make(chan Event)}, make(chan error)
		go func() { result <- AutoConnect(t.Context(), s, w, "orders", Policy{OffLink: true}) }()
		w.events <- Event{Kind: Added, Record: offer(1, epA)}
		synctest.Wait()
		if got := s.state(); !slices.Equal(got, []string{epA}) {
			t.Errorf("%v before", got)
		}
		close(w.events)
		if err := <-result; !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
		if got := s.state(); len(got) > 0 {
			t.Errorf("left behind: %v", got)
		}
		synctest.Wait()
		if !w.ended {
			t.Error("the context of the watch goes on")
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &fakeWatcher{events: make(chan Event)}
	close(w.events)
	if err := AutoConnect(ctx, newFakeSocket(), w, "orders", Policy{}); err != nil {
		t.Errorf("the context has ended: %v", err)
	}
}

// Whoever has announced a node and takes that back at once does not get the next one dialled the sooner.
func TestComeAndGo(t *testing.T) {
	for _, tc := range []struct {
		name string
		back func(g *stage, i int)
	}{
		{"goodbye", func(g *stage, i int) { g.emit(Left, offer(i, epOf(i))) }},
		{"another service", func(g *stage, i int) {
			r := offer(i, epOf(i))
			r.Services[0].Name = "other"
			g.emit(Updated, r)
		}},
		{"no endpoint, and then one", func(g *stage, i int) {
			g.emit(Updated, offer(i, "tcp://192.0.2.1:1"))
			g.emit(Updated, offer(i, epOf(i+20_000)))
			g.emit(Left, offer(i, epA))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onStage(t, Policy{MaxDials: 4}, nil, func(g *stage) {
				const nodes, pause = 2000, 5 * time.Millisecond
				for i := 1; i <= nodes; i++ {
					g.emit(Added, offer(i, epOf(i)))
					g.after(pause)
					tc.back(g, i)
				}
				if n, most := len(g.s.dialled()), 4*(1+int(nodes*pause/time.Second)); n > most || n < most/2 {
					g.Errorf("dialled %d times, want %d at most, and half of that", n, most)
				}
				g.after(time.Second)
				g.s.open(0, epB)
				g.emit(Added, offer(nodes+1, epB))
				g.after(0)
				g.want("an honest one after that", epB+"+")
			})
		})
	}
}

// epOf is an endpoint that nobody else has.
func epOf(i int) string { return fmt.Sprintf("tcp://10.0.0.7:%d", 10_000+i) }
