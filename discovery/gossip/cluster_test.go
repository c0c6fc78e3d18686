package gossip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

var testKey = []byte("0123456789abcdef")

// fast makes news travel fast, and memberlist forget the dead soon. A member that is only slow to answer is suspected
// for six seconds before it counts as dead: a busy machine does not kill it.
var fast = option(func(c *config) {
	c.tune = func(m *memberlist.Config) { tune(m, 30) }
})

// hasty makes failure detection take a second instead of six as well, for tests that wait for it and in which a member
// may be given up that is only slow.
var hasty = option(func(c *config) {
	c.tune = func(m *memberlist.Config) { tune(m, 3) }
})

func tune(m *memberlist.Config, suspicion int) {
	m.ProbeInterval, m.ProbeTimeout = 200*time.Millisecond, 100*time.Millisecond
	m.SuspicionMult, m.SuspicionMaxTimeoutMult = suspicion, 2
	m.GossipInterval = 30 * time.Millisecond
	m.GossipToTheDeadTime = 300 * time.Millisecond
}

// A cluster is a group of members on addresses of their own, between which links can be cut.
type cluster struct {
	t     *testing.T
	opts  []Option
	seed  string // the first member
	peers []*peer
	clock *watchtest.Clock

	mu   sync.Mutex
	side map[netip.Addr]int // those on different sides do not reach each other
}

type peer struct {
	c    *cluster
	addr netip.Addr
	b    *Backend
	rec  discovery.Record
	ann  discovery.Announcement
	log  *watchtest.Log
}

func newCluster(t *testing.T, opts ...Option) *cluster {
	return newOpenCluster(t, append([]Option{WithKey(testKey)}, opts...)...)
}

// newOpenCluster is newCluster without a key.
func newOpenCluster(t *testing.T, opts ...Option) *cluster {
	return &cluster{t: t, opts: opts, clock: watchtest.NewClock(t), side: make(map[netip.Addr]int)}
}

// member makes a backend that has joined nobody yet, on the next address.
func (c *cluster) member(opts ...Option) *peer {
	c.t.Helper()
	addr := netip.AddrFrom4([4]byte{127, 0, 0, byte(len(c.peers) + 1)})
	all := append([]Option{WithBind(addr.String() + ":0")}, c.opts...)
	if c.seed != "" {
		all = append(all, WithSeeds(c.seed))
	}
	all = append(all, option(func(conf *config) {
		conf.cut = func(to netip.Addr) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.side[addr] != c.side[to.Unmap()]
		}
	}))
	b, err := New(append(all, opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	p := &peer{c: c, addr: addr, b: b}
	c.peers = append(c.peers, p)
	return p
}

// start makes a member that announces and watches.
func (c *cluster) start(opts ...Option) *peer {
	c.t.Helper()
	p := c.member(opts...)
	p.announce(record(p.b.config.group, 1))
	p.watch()
	if c.seed == "" {
		c.seed = p.session().transport.public.String()
	}
	return p
}

func record(group string, services int) discovery.Record {
	r := discovery.Record{
		ID: discovery.NewID(), Incarnation: uint64(time.Now().UnixMilli()), Group: group, Wire: "zmtp/3.1",
	}
	for i := range services {
		r.Services = append(r.Services, discovery.Service{
			Name: fmt.Sprintf("orders-%d", i), Type: "PUB",
			Endpoints: []string{
				fmt.Sprintf("tcp://*:%d", 5000+i), fmt.Sprintf("ipc:///run/yodel/%s-%d", strings.Repeat("x", 30), i),
			},
		})
	}
	return r
}

func (p *peer) announce(r discovery.Record) {
	p.c.t.Helper()
	a, err := p.b.Announce(p.c.t.Context(), r)
	if err != nil {
		p.c.t.Fatal(err)
	}
	p.rec, p.ann = r, a
	p.c.t.Cleanup(func() { p.leave() })
}

func (p *peer) watch() {
	p.c.t.Helper()
	p.log = watchtest.Watch(p.c.t, p.b, discovery.Query{Group: p.b.config.group})
}

// leave says goodbye; once that has been called it does nothing.
func (p *peer) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.ann.Close(ctx); err != nil {
		p.c.t.Errorf("Close: %v", err)
	}
}

// kill has the member fall silent, as if its process had been killed.
func (p *peer) kill() { _ = p.session().transport.Shutdown() }

func (p *peer) session() *session {
	s, ok := p.b.shared.Current()
	if !ok {
		p.c.t.Fatal("not open")
	}
	return s
}

// sees waits until this member knows these and no others, and returns how long that took.
func (p *peer) sees(others ...*peer) time.Duration {
	p.c.t.Helper()
	return p.log.Until(fmt.Sprintf("%d nodes at %v", len(others), p.addr),
		func(_ []discovery.Event, nodes map[discovery.ID]discovery.Record) bool {
			for _, o := range others {
				if _, ok := nodes[o.rec.ID]; !ok {
					return false
				}
			}
			return len(nodes) == len(others)
		})
}

// allSee waits until these know each other and nobody else.
func (c *cluster) allSee(peers ...*peer) time.Duration {
	c.t.Helper()
	began := c.clock.Now()
	for _, p := range peers {
		p.sees(peers...)
	}
	return c.clock.Since(began)
}

// split puts these on a side of their own, none joins all again.
func (c *cluster) split(peers ...*peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.side)
	for _, p := range peers {
		c.side[p.addr] = 1
	}
}
