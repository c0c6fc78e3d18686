package discovery

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// An ether is a network without wires: what one port announces all others hear.
type ether struct {
	table *Table

	mu   sync.Mutex
	err  error // of Announce, Update and Close
	log  []string
	last Record // the latest that was announced, without what receivers add
}

// A port is the backend of one node.
type port struct {
	*ether
	addr netip.Addr
}

func newEther(t *testing.T) *ether {
	e := &ether{table: NewTable("ether", TableConfig{})}
	e.table.Sync()
	t.Cleanup(e.table.Close)
	return e
}

func (e *ether) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

func (e *ether) note(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, s)
}

// took returns what happened since the last time.
func (e *ether) took() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	log := e.log
	e.log = nil
	return log
}

func (e *ether) record() Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

func (p port) Name() string { return "ether" }

func (p port) Watch(ctx context.Context, q Query) (<-chan Event, error) { return p.table.Watch(ctx, q) }

func (p port) put(what string, r Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if _, err := r.TXT(); err != nil {
		return err
	}
	p.log, p.last = append(p.log, what), r.Clone()
	r.From = []netip.Addr{p.addr}
	return p.table.Put(r, Forever)
}

func (p port) Announce(ctx context.Context, r Record) (Announcement, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := p.put("announce", r); err != nil {
		return nil, err
	}
	return &announcement{port: p, r: r.Clone()}, nil
}

type announcement struct {
	port
	r Record
}

func (a *announcement) Update(r Record) error {
	if err := a.put("update", r); err != nil {
		return err
	}
	a.r = r.Clone()
	return nil
}

func (a *announcement) Close(context.Context) error {
	a.note("goodbye")
	a.mu.Lock()
	err := a.err
	a.mu.Unlock()
	if err != nil {
		return err
	}
	a.r.Goodbye, a.r.From = true, []netip.Addr{a.addr}
	return a.table.Leave(a.r)
}

// A fakeAnnounceable is bound to what the test says.
type fakeAnnounceable struct {
	mu  sync.Mutex
	typ string
	at  []string
}

func bound(typ string, endpoints ...string) *fakeAnnounceable {
	return &fakeAnnounceable{typ: typ, at: endpoints}
}

func (b *fakeAnnounceable) Type() string { return b.typ }

func (b *fakeAnnounceable) Endpoints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.at)
}

func (b *fakeAnnounceable) bind(endpoints ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = endpoints
}

// A world is a host with changing interfaces.
type world struct {
	mu    sync.Mutex
	links ifaces.Snapshot
	asked int
}

func (w *world) take() (ifaces.Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return w.links, nil
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *world) set(links ifaces.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links = links
}

// nodeAt returns a node on the host 10.0.0.x of a network, and its host.
func nodeAt(e *ether, x byte, opts ...NodeOption) (*Node, *world) {
	a := netip.AddrFrom4([4]byte{10, 0, 0, x})
	w := &world{
		links: ifaces.Snapshot{
			home[0], {Name: "eth0", Index: 2, Multicast: true, Addrs: []netip.Prefix{netip.PrefixFrom(a, 24)}},
		},
	}
	host := "00000000000000" + string([]byte{'0' + x/10, '0' + x%10})
	return NewNode(port{e, a}, append([]NodeOption{withWorld(host, w.take)}, opts...)...), w
}

// inEther runs a test in a bubble.
func inEther(t *testing.T, test func(t *testing.T, e *ether)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newEther(t)) })
}
