package mdns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// on returns a backend on a host of a network in memory.
func on(h *memHost, opts ...Option) *Backend {
	return New(append(opts, option(func(c *config) { c.network = h }))...)
}

// node is a record with one service.
func node(h *memHost) discovery.Record {
	return discovery.Record{
		ID: discovery.NewID(), Incarnation: 1, Addrs: []netip.Addr{h.addr[0]},
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://*:5555"}}},
	}
}

func announce(t testing.TB, b *Backend, r discovery.Record) discovery.Announcement {
	t.Helper()
	a, err := b.Announce(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bye(t testing.TB, a discovery.Announcement) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := a.Close(ctx); err != nil {
		t.Error(err)
	}
}

func byeAll(t testing.TB, all []discovery.Announcement) {
	var wg sync.WaitGroup
	for _, a := range all {
		wg.Go(func() { bye(t, a) })
	}
	wg.Wait()
}

// A view follows a watch.
type view struct {
	t      testing.TB
	events <-chan discovery.Event
	cancel context.CancelFunc

	mu    sync.Mutex
	nodes map[discovery.ID]discovery.Record
	log   []discovery.Event
	when  map[discovery.ID]time.Time // of the last event
	moved chan struct{}              // closed and replaced with each event
	ended chan struct{}
}

func watch(t testing.TB, b discovery.Backend, q discovery.Query) *view {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	events, err := b.Watch(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	v := &view{
		t: t, events: events, cancel: cancel, nodes: make(map[discovery.ID]discovery.Record),
		when: make(map[discovery.ID]time.Time), moved: make(chan struct{}), ended: make(chan struct{}),
	}
	go v.run()
	return v
}

func (v *view) run() {
	defer close(v.ended)
	for ev := range v.events {
		v.mu.Lock()
		if v.log = append(v.log, ev); len(v.log) > 2000 {
			v.log = slices.Clone(v.log[1000:]) // enough for all tests but floods
		}
		switch ev.Kind {
		case discovery.Added, discovery.Updated:
			v.nodes[ev.Record.ID] = ev.Record
		case discovery.Left, discovery.Expired:
			delete(v.nodes, ev.Record.ID)
		}
		if len(v.when) < 2000 {
			v.when[ev.Record.ID] = time.Now()
		}
		close(v.moved)
		v.moved = make(chan struct{})
		v.mu.Unlock()
	}
}

// close ends the watch and waits until the backend has given up what it took.
func (v *view) close() {
	v.cancel()
	<-v.ended
}

func (v *view) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.nodes)
}

// last returns a copy of the state.
func (v *view) last() map[discovery.ID]discovery.Record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.nodes)
}

// get returns what is known of a node.
func (v *view) get(id discovery.ID) discovery.Record {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.nodes[id]
}

// at is when the last event of a node came.
func (v *view) at(id discovery.ID) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.when[id]
}

func (v *view) has(id discovery.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, ok := v.nodes[id]
	return ok
}

func (v *view) kinds() (kinds []discovery.EventKind) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, ev := range v.log {
		kinds = append(kinds, ev.Kind)
	}
	return kinds
}

// until waits for a state of the view, and returns how long that took.
func (v *view) until(
	what string, patience time.Duration, ok func(nodes map[discovery.ID]discovery.Record) bool,
) time.Duration {
	v.t.Helper()
	began := time.Now()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		v.mu.Lock()
		good, moved := ok(v.nodes), v.moved
		n, log := len(v.nodes), len(v.log)
		v.mu.Unlock()
		if good {
			return time.Since(began)
		}
		select {
		case <-moved:
		case <-timeout.C:
			if n == 1 {
				v.t.Fatalf("%s: not within %v; after %d events known is %+v", what, patience, log,
					slices.Collect(maps.Values(v.last())))
			}
			v.t.Fatalf("%s: not within %v; %d nodes, %d events", what, patience, n, log)
		}
	}
}

func (v *view) untilKind(k discovery.EventKind, patience time.Duration) discovery.Event {
	v.t.Helper()
	var found discovery.Event
	v.until(string(k), patience, func(map[discovery.ID]discovery.Record) bool {
		at := slices.IndexFunc(v.log, func(ev discovery.Event) bool { return ev.Kind == k })
		if at >= 0 {
			found = v.log[at]
		}
		return at >= 0
	})
	return found
}

func TestFindsInBothOrders(t *testing.T) {
	for _, first := range []string{"announce", "watch"} {
		for _, f := range [][]family{{4}, {6}, {4, 6}} {
			t.Run(fmt.Sprint(first, f), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newMemLAN(f...)
					a, b := l.host(), l.host()
					r := node(a)
					var v *view
					if first == "watch" {
						v = watch(t, on(b), discovery.Query{})
						time.Sleep(10 * time.Second)
					}
					ann := announce(t, on(a), r)
					if first == "announce" {
						time.Sleep(4 * time.Second) // the burst is over, the next announcement is far
						v = watch(t, on(b), discovery.Query{})
					}
					began := time.Now()
					v.until("found", time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == 1 })
					if took := time.Since(began); took > time.Millisecond {
						t.Errorf("took %v of virtual time, want none", took)
					}
					got := v.get(r.ID)
					if len(got.From) == 0 || got.From[0].WithZone("") != a.addr[at(f[0])] &&
						got.From[0].WithZone("") != a.addr[at(f[len(f)-1])] {
						t.Errorf("found it from %v, want %v", got.From, a.addr)
					}
					if len(got.Services) != 1 || got.Services[0].Name != "orders" {
						t.Errorf("services %+v", got.Services)
					}
					v.untilKind(discovery.Synced, 2*time.Second)

					bye(t, ann)
					synctest.Wait()
					if v.count() != 0 || !slices.Contains(v.kinds(), discovery.Left) {
						t.Errorf("after the goodbye: %v", v.kinds())
					}
					v.close()
				})
			})
		}
	}
}

// sent is what a tap has seen.
type sent struct {
	at   time.Time
	from *memHost
	f    family
	msg  dns.Msg
}

// tapped records what is sent to the group.
func tapped(t testing.TB, l *memLAN) func() []sent {
	var mu sync.Mutex
	var all []sent
	l.tap = func(from *memHost, f family, packet []byte) {
		var m dns.Msg
		if err := m.Unpack(packet); err != nil {
			t.Errorf("a packet that nobody can read: %v", err)
		}
		if len(packet) > maxMessage {
			t.Errorf("a packet of %d bytes", len(packet))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, sent{time.Now(), from, f, m})
	}
	return func() []sent {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		packets := tapped(t, l)
		h := l.host()
		began := time.Now()
		a := announce(t, on(h), node(h))
		time.Sleep(time.Minute)
		closed := time.Now()
		bye(t, a)

		all := packets()
		var at, byes []time.Duration
		for _, s := range all {
			if !s.msg.Response || !s.msg.Authoritative || len(s.msg.Question) > 0 {
				t.Errorf("not an announcement: %v", s.msg.String())
			}
			ptr, ok := s.msg.Answer[0].(*dns.PTR)
			switch {
			case !ok:
				t.Errorf("its first answer is no PTR: %v", s.msg.String())
			case ptr.Hdr.Ttl == 0:
				byes = append(byes, s.at.Sub(closed))
				if len(s.msg.Answer)+len(s.msg.Extra) != 1 {
					t.Errorf("a goodbye with more than the PTR: %v", s.msg.String())
				}
			default:
				at = append(at, s.at.Sub(began))
				if ptr.Hdr.Ttl != 15 {
					t.Errorf("TTL %d, want 15", ptr.Hdr.Ttl)
				}
			}
		}
		if want := burst[:]; len(at) < 4 || !slices.Equal(at[:4], want) {
			t.Fatalf("announced at %v, want %v first", at, want)
		}
		for i := 4; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap < 4500*time.Millisecond || gap > 5500*time.Millisecond {
				t.Errorf("%v between two announcements, want 5 s and 10 %% more or less", gap)
			}
		}
		if len(at) < 4+10 || len(at) > 4+12 {
			t.Errorf("%d announcements in a minute", len(at))
		}
		if !slices.Equal(byes, []time.Duration{0, byePause, 2 * byePause}) {
			t.Errorf("goodbyes at %v after Close", byes)
		}
	})
}

func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN()
		h, other := l.host(), l.host()
		v := watch(t, on(other), discovery.Query{})
		a := announce(t, on(h), node(h))
		time.Sleep(30 * time.Second)
		if v.count() != 1 {
			t.Fatalf("events %v", v.kinds())
		}
		h.set(false) // as if killed
		v.until("expired", 15*time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == 0 })
		if k := v.kinds(); k[len(k)-1] != discovery.Expired {
			t.Errorf("events %v", k)
		}
		h.set(true)
		v.until("back", 3*time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == 1 })
		h.renew()
		time.Sleep(20 * time.Second)
		if v.count() != 1 {
			t.Errorf("after the interface was made anew: %v", v.kinds())
		}
		bye(t, a)
		v.close()
	})
}

func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		h, other := l.host(), l.host()
		b := on(other)
		v := watch(t, b, discovery.Query{})
		r := node(h)
		a := announce(t, on(h), r)
		time.Sleep(10 * time.Second)
		b.Confirm(r.ID)
		time.Sleep(3 * time.Second)
		if v.count() != 1 {
			t.Errorf("it is there, and yet %v", v.kinds())
		}
		h.set(false)
		b.Confirm(r.ID)
		v.until("expired", confirmTimeout+time.Millisecond, func(n map[discovery.ID]discovery.Record) bool {
			return len(n) == 0
		})
		b.Confirm(discovery.NewID()) // nobody
		h.set(true)
		bye(t, a)
		v.close()
		b.Confirm(r.ID) // nothing runs
	})
}

func TestPortTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		h, other := l.host(), l.host()
		r := node(h)
		other.refusing(fmt.Errorf("bind: %w", syscall.EADDRINUSE))
		b := on(other)
		v := watch(t, b, discovery.Query{})
		if ev := v.untilKind(discovery.Trouble, time.Second); !errors.Is(ev.Err, ErrPort) {
			t.Errorf("told %v", ev.Err)
		}
		time.Sleep(10 * time.Second)
		a := announce(t, on(h), r)
		v.until("found by asking", 3*time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == 1 })
		late := watch(t, b, discovery.Query{})
		late.untilKind(discovery.Trouble, time.Second)

		mine := announce(t, b, node(other))
		v2 := watch(t, on(h), discovery.Query{})
		time.Sleep(10 * time.Second)
		if v2.count() != 1 {
			t.Errorf("found %d nodes, want only the one with a port", v2.count())
		}
		other.refusing(nil)
		v2.until("found once the port is free", 2*time.Second, func(n map[discovery.ID]discovery.Record) bool {
			return len(n) == 2
		})
		for _, v := range []*view{v, late} {
			n := 0
			for _, k := range v.kinds() {
				if k == discovery.Trouble {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d times in trouble, want to hear of it once", n)
			}
		}
		bye(t, mine)
		bye(t, a)
		for _, v := range []*view{v, v2, late} {
			v.close()
		}
	})
}

// Without any interface there is trouble of another kind, and it is over when one appears.
func TestNoInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		h, other := l.host(), l.host()
		other.set(false)
		other.refusing(syscall.EADDRINUSE)
		v := watch(t, on(other), discovery.Query{})
		time.Sleep(5 * time.Second)
		other.set(true)
		time.Sleep(5 * time.Second)
		var told []error
		v.mu.Lock()
		log := slices.Clone(v.log)
		v.mu.Unlock()
		for _, ev := range log {
			if ev.Kind == discovery.Trouble {
				told = append(told, ev.Err)
			}
		}
		if len(told) != 2 || !errors.Is(told[0], ErrNoInterface) || !errors.Is(told[1], ErrPort) {
			t.Errorf("told %v", told)
		}
		a := announce(t, on(h), node(h))
		v.until("found", 3*time.Second, one)
		bye(t, a)
		v.close()
	})
}
