package gossip

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

// A nic is an interface whose address a test changes.
type nic struct {
	mu   sync.Mutex
	addr netip.Addr
}

func (n *nic) set(addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addr = addr
}

func (n *nic) links() (ifaces.Snapshot, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := ifaces.Snapshot{{Name: "lo", Index: 1, Loopback: true}}
	if n.addr.IsValid() {
		s[0].Addrs = []netip.Prefix{netip.PrefixFrom(n.addr, 8)}
	}
	return s, nil
}

// pick is choose for addresses that all lead to this host, of which that would take none.
func (n *nic) pick(addrs []netip.Addr) netip.Addr {
	if len(addrs) == 0 {
		return netip.MustParseAddr("127.0.9.1")
	}
	return addrs[0]
}

func (n *nic) use(c *config) { c.source, c.pick, c.look = n.links, n.pick, 20*time.Millisecond }

// A node whose address changes has never gone: others are told of its new address, and of nothing else.
func TestAddressChanges(t *testing.T) {
	old, other := netip.MustParseAddr("127.0.9.1"), netip.MustParseAddr("127.0.9.2")
	for _, tc := range []struct {
		name   string
		others int
		update bool // the record changes as well, as that of a Node does
		lapse  bool // there is no address for a while
		dead   bool // the old member is given up before it leaves
	}{
		{"two members", 1, true, false, false},
		{"four members", 3, true, false, false},
		{"the record stays as it is", 3, false, false, false},
		{"after a while without any", 1, true, true, false},
		{"the old member counts as dead", 3, true, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, fast)
			for range tc.others {
				c.start()
			}
			n := &nic{addr: old}
			mover := c.start(WithBind("0.0.0.0:0"), option(n.use))
			c.allSee(c.peers...)
			if got := mover.session().public().Addr(); got != old {
				t.Fatalf("it advertises %v", got)
			}
			before := mover.session().memberID()

			c.mu.Lock()
			c.side[old] = 1 // from now on nothing reaches it
			c.mu.Unlock()
			if tc.lapse {
				n.set(netip.Addr{})
				time.Sleep(200 * time.Millisecond)
			}
			n.set(other)
			if tc.update {
				mover.rec.Revision++
				mover.rec.Meta = map[string]string{"moved": "1"}
				if err := mover.ann.Update(mover.rec); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range c.peers[:tc.others] {
				p.log.Until("its new address", func(_ []discovery.Event, nodes map[discovery.ID]discovery.Record) bool {
					r, ok := nodes[mover.rec.ID]
					return ok && slices.Contains(r.From, other) && r.Revision == mover.rec.Revision
				})
			}
			for _, p := range c.peers[:tc.others] {
				if s := p.session(); tc.dead { // as memberlist says it
					(&instanceDelegate{session: s, self: s.memberID()}).NotifyLeave(&memberlist.Node{Name: before.String()})
				}
			}
			until(t, "the old member has left", func() bool {
				for _, p := range c.peers {
					if p.session().knows(before) || p.session().memberlist().NumMembers() != len(c.peers) {
						return false
					}
				}
				return true
			})
			time.Sleep(4 * grace) // for what should not come
			for _, p := range c.peers {
				for _, e := range p.log.Events() {
					if e.Kind == discovery.Expired || e.Kind == discovery.Left {
						t.Errorf("%v was told %v of %v", p.addr, e.Kind, e.Record.ID)
					}
				}
				if got := len(p.log.Nodes()); got != len(c.peers) {
					t.Errorf("%v knows %d nodes", p.addr, got)
				}
			}
			mover.leave()
			for _, p := range c.peers[:tc.others] {
				p.log.About(discovery.Left, mover.rec.ID)
			}
		})
	}
}

func (s *session) memberID() discovery.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

func (s *session) knows(id discovery.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[id] != nil
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(watchtest.Patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", watchtest.Patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestNewAddr(t *testing.T) {
	snapshot := func(addrs ...string) ifaces.Snapshot {
		s := ifaces.Snapshot{{Name: "a", Index: 1}}
		for _, a := range addrs {
			s[0].Addrs = append(s[0].Addrs, netip.MustParsePrefix(a))
		}
		return s
	}
	for _, tc := range []struct {
		name string
		old  string
		now  ifaces.Snapshot
		want string // "" for none
	}{
		{"unchanged", "10.0.0.1", snapshot("127.0.0.1/8", "10.0.0.1/24"), ""},
		{"another", "10.0.0.1", snapshot("127.0.0.1/8", "10.0.0.9/24"), "10.0.0.9"},
		{"one more", "10.0.0.1", snapshot("127.0.0.1/8", "10.0.0.0/24", "10.0.0.1/24"), ""},
		{"none for the moment", "10.0.0.1", snapshot("127.0.0.1/8"), ""},
		{"not even loopback", "10.0.0.1", snapshot(), ""},
		{"not known", "10.0.0.1", nil, ""},
		{"the first", "127.0.0.1", snapshot("127.0.0.1/8", "10.0.0.9/24"), "10.0.0.9"},
		{"still none", "127.0.0.1", snapshot("127.0.0.1/8"), ""},
		{"link-local is none", "127.0.0.1", snapshot("127.0.0.1/8", "fe80::1/64"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := newAddr(netip.MustParseAddr(tc.old), addrsOf(tc.now), choose)
			if ok != (tc.want != "") || ok && got.String() != tc.want {
				t.Errorf("%v, %t, want %q", got, ok, tc.want)
			}
		})
	}
}
