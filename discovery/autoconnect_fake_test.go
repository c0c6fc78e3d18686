package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

const (
	here  = "00000000000000aa"
	there = "00000000000000bb"
)

// home is a host at 10.0.0.5 and fd00::5.
var home = ifaces.Snapshot{
	{Name: "lo", Index: 1, Loopback: true, Multicast: true, Addrs: prefixes("127.0.0.1/8", "::1/128")},
	{Name: "eth0", Index: 2, Multicast: true, Addrs: prefixes("10.0.0.5/24", "fd00::5/64", "fe80::5/64")},
}

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

func addrs(list ...string) (a []netip.Addr) {
	for _, s := range list {
		a = append(a, netip.MustParseAddr(s))
	}
	return a
}

// nth is the id of the nth node.
func nth(n int) (id ID) {
	id[0], id[1], id[15] = byte(n), byte(n>>8), 1
	return id
}

// offer is a record of the nth node, heard from the 100+nth address, with the service "orders".
func offer(n int, endpoints ...string) Record {
	return Record{
		ID: nth(n), Incarnation: 1, Host: there,
		From:     addrs(fmt.Sprintf("10.0.0.%d", 100+n%100)),
		Services: []Service{{Name: "orders", Type: "PUB", Endpoints: endpoints}},
	}
}

// A fakeSocket connects to what a test says can be reached.
type fakeSocket struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced after each change
	conns   map[string]*fakeConn
	reach   map[string]time.Duration // how long it takes until it is up
	err     error                    // of Connect
	dials   []string
	most    int // connections at a time
	mostNew int // of which have never been up
}

type fakeConn struct{ up, proven bool }

func newFakeSocket() *fakeSocket {
	return &fakeSocket{changed: make(chan struct{}), conns: map[string]*fakeConn{}, reach: map[string]time.Duration{}}
}

func (s *fakeSocket) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *fakeSocket) Connect(endpoint string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, endpoint)
	switch {
	case s.err != nil:
		return s.err
	case s.conns[endpoint] != nil:
		panic("connected twice: " + endpoint)
	}
	c := &fakeConn{}
	s.conns[endpoint] = c
	s.most = max(s.most, len(s.conns))
	unproven := 0
	for _, c := range s.conns {
		if !c.proven {
			unproven++
		}
	}
	s.mostNew = max(s.mostNew, unproven)
	s.dial(endpoint, c)
	return nil
}

// dial takes the time that the test says.
func (s *fakeSocket) dial(endpoint string, c *fakeConn) {
	d, ok := s.reach[endpoint]
	if !ok {
		return
	}
	time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.reach[endpoint]; ok && s.conns[endpoint] == c {
			c.up, c.proven = true, true
			s.change()
		}
	})
}

func (s *fakeSocket) Disconnect(endpoint string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[endpoint] == nil {
		return errors.New("not connected")
	}
	delete(s.conns, endpoint)
	s.change()
	return nil
}

func (s *fakeSocket) WaitConnected(ctx context.Context, endpoint string) error {
	return s.wait(ctx, endpoint, true)
}

func (s *fakeSocket) WaitDisconnected(ctx context.Context, endpoint string) error {
	return s.wait(ctx, endpoint, false)
}

func (s *fakeSocket) wait(ctx context.Context, endpoint string, up bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	conn := s.conns[endpoint]
	for {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case conn == nil || s.conns[endpoint] != conn:
			return errors.New("not connected")
		case conn.up == up:
			return nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
}

// open makes endpoints answer after d, those that are being tried too.
func (s *fakeSocket) open(d time.Duration, endpoints ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range endpoints {
		s.reach[e] = d
		if c := s.conns[e]; c != nil && !c.up {
			s.dial(e, c)
		}
	}
}

// shut makes endpoints unreachable, and connections to them end.
func (s *fakeSocket) shut(endpoints ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range endpoints {
		delete(s.reach, e)
		if c := s.conns[e]; c != nil {
			c.up = false
		}
	}
	s.change()
}

// state lists what the socket is told to connect to, with "+" after what is up.
func (s *fakeSocket) state() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []string{}
	for e, c := range s.conns {
		if c.up {
			e += "+"
		}
		list = append(list, e)
	}
	slices.Sort(list)
	return list
}

// dialled lists the calls of Connect.
func (s *fakeSocket) dialled() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dials)
}

// peak is how many connections there were at a time, and how many of them had never been up.
func (s *fakeSocket) peak() (all, unproven int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most, s.mostNew
}

// simple hides WaitConnected and WaitDisconnected.
type simple struct{ s *fakeSocket }

func (s simple) Connect(endpoint string) error    { return s.s.Connect(endpoint) }
func (s simple) Disconnect(endpoint string) error { return s.s.Disconnect(endpoint) }

// A fakeWatcher tells what the test says.
type fakeWatcher struct {
	events    chan Event
	asked     Query
	ended     bool
	err       error
	mu        sync.Mutex
	confirmed []ID
}

func (w *fakeWatcher) Watch(ctx context.Context, q Query) (<-chan Event, error) {
	w.asked = q
	context.AfterFunc(ctx, func() { w.ended = true })
	return w.events, w.err
}

func (w *fakeWatcher) Confirm(id ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.confirmed = append(w.confirmed, id)
}

func (w *fakeWatcher) confirms() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.confirmed)
}

func (w *fakeWatcher) first() ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.confirmed[0]
}

// A stage is a running AutoConnect with all that is around it, inside a synctest bubble.
type stage struct {
	*testing.T
	s      *fakeSocket
	w      *fakeWatcher
	cancel context.CancelFunc
	result chan error

	mu      sync.Mutex
	links   ifaces.Snapshot
	changes []string
	errs    []error // of these, those that have one
}

// onStage runs a test with an AutoConnect for "orders". Whatever the test does, in the end all must be disconnected.
func onStage(t *testing.T, p Policy, connector func(*fakeSocket) Connector, test func(*stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &stage{
			T: t, s: newFakeSocket(), w: &fakeWatcher{events: make(chan Event)}, result: make(chan error, 1), links: home,
		}
		ctx, cancel := context.WithCancel(t.Context())
		g.cancel = cancel
		p.Host = here
		p.source = func() (ifaces.Snapshot, error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.links, nil
		}
		if p.exists == nil {
			p.exists = func(string) bool { return true }
		}
		p.OnChange = func(c Change) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.changes = append(g.changes, string(c.Kind))
			if c.Err != nil {
				g.errs = append(g.errs, c.Err)
			}
		}
		var c Connector = g.s
		if connector != nil {
			c = connector(g.s)
		}
		go func() { g.result <- AutoConnect(ctx, c, g.w, "orders", p) }()
		test(g)
		cancel()
		synctest.Wait()
		select {
		case err := <-g.result:
			if err != nil {
				t.Errorf("the end: %v", err)
			}
		default:
			t.Error("the context has ended, and AutoConnect goes on")
		}
		if left := g.s.state(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if !g.w.ended {
			t.Error("the watch goes on")
		}
	})
}

// emit sends an event, and lets it take effect.
func (g *stage) emit(k EventKind, r Record) {
	g.Helper()
	select {
	case g.w.events <- Event{Kind: k, Record: r}:
	case <-time.After(time.Minute):
		g.Fatalf("nobody takes events")
	}
	synctest.Wait()
}

// after lets time pass.
func (g *stage) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want checks what the socket is told to connect to.
func (g *stage) want(when string, endpoints ...string) {
	g.Helper()
	slices.Sort(endpoints)
	if got := g.s.state(); !slices.Equal(got, endpoints) {
		g.Errorf("%s: %v, want %v", when, got, endpoints)
	}
}

// notified checks what OnChange was told since the last time.
func (g *stage) notified(want ...string) {
	g.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !slices.Equal(g.changes, want) {
		g.Errorf("told %v, want %v", g.changes, want)
	}
	g.changes = nil
}

// count is how often OnChange was called since the last call of notified.
func (g *stage) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.changes)
}

func (g *stage) move(links ifaces.Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.links = links
}
