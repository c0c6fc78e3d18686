package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

// members is a session whose members are what the test says, and so without memberlist and a network.
type members struct {
	*session
	t   *testing.T
	log *watchtest.Log
}

func newMembers(t *testing.T) *members {
	b, err := New(WithKey(testKey))
	if err != nil {
		t.Fatal(err)
	}
	s := &session{
		config:         &b.config,
		table:          discovery.NewTable("gossip", discovery.TableConfig{Trust: discovery.Open()}),
		transport:      new(transport),
		id:             discovery.NewID(),
		wake:           make(chan struct{}, 1),
		moved:          make(chan struct{}),
		members:        make(map[discovery.ID]*member),
		changedMembers: make(map[discovery.ID]struct{}),
		owners:         make(map[discovery.ID]owner),
		timers:         make(map[discovery.ID]*time.Timer),
	}
	t.Cleanup(s.table.Close)
	return &members{s, t, watchtest.Watch(t, s.table, discovery.Query{})}
}

// node is a member as memberlist tells of it.
func (s *members) node(id discovery.ID, addr string, records ...discovery.Record) *memberlist.Node {
	s.t.Helper()
	var bundle []byte
	for _, r := range records {
		var err error
		if bundle, err = appendRecord(bundle, &r); err != nil {
			s.t.Fatal(err)
		}
	}
	return &memberlist.Node{
		Name: id.String(), Addr: netip.MustParseAddr(addr).AsSlice(), Port: DefaultPort,
		Meta: appendMeta(s.config.group, bundle, memberlist.MetaMaxSize),
		DMin: formatVersion, DMax: formatVersion,
	}
}

func (s *members) joins(n *memberlist.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found(n)
}

func (s *members) leaves(n *memberlist.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone(n)
}

// pass lets time go by, with run looking at members whenever it is woken.
func (s *members) pass(d time.Duration) {
	for end := time.Now().Add(d); ; {
		s.look()
		select {
		case <-s.wake:
		case <-time.After(time.Until(end)):
			s.look()
			synctest.Wait()
			return
		}
	}
}

// events is what a watch was told, but for what has changed.
func (s *members) events() string {
	synctest.Wait()
	var kinds []string
	for _, e := range s.log.Events() {
		if e.Kind != discovery.Updated && e.Kind != discovery.Synced {
			kinds = append(kinds, fmt.Sprint(e.Record.Name, " ", e.Kind))
		}
	}
	return strings.Join(kinds, ", ")
}

// TestRecordsOfMembersThatGo: when a member goes, those of its records expire that no other member has, for a process
// that moves is two members for a while, of which others hear in any order.
func TestRecordsOfMembersThatGo(t *testing.T) {
	const addr, other = "10.0.0.1", "10.0.0.2"
	before, after := discovery.NewID(), discovery.NewID()
	one, two := record(discovery.DefaultGroup, 1), record(discovery.DefaultGroup, 1)
	one.Name, two.Name = "one", "two"
	for _, tc := range []struct {
		name  string
		steps func(s *members, old, now *memberlist.Node)
		want  string
	}{
		{"nobody else has them", func(s *members, old, _ *memberlist.Node) {
			s.joins(old)
			s.look()
			s.leaves(old)
		}, "one added, one expired"},
		{"a new member has them, and the old one goes", func(s *members, old, now *memberlist.Node) {
			s.joins(old)
			s.look()
			s.joins(now)
			s.look()
			s.leaves(old)
		}, "one added"},
		{"the old member is heard of after the new one", func(s *members, old, now *memberlist.Node) {
			s.joins(now)
			s.look()
			s.joins(old)
			s.look()
			s.leaves(old)
		}, "one added"},
		{"the new member is heard of a moment after the old one has gone", func(s *members, old, now *memberlist.Node) {
			s.joins(old)
			s.look()
			s.leaves(old)
			s.pass(grace - 1)
			s.joins(now)
		}, "one added"},
		{"the new member is heard of too late", func(s *members, old, now *memberlist.Node) {
			s.joins(old)
			s.look()
			s.leaves(old)
			s.pass(grace + 1)
			s.joins(now)
		}, "one added, one expired, one added"},
		{"both go", func(s *members, old, now *memberlist.Node) {
			s.joins(now)
			s.look()
			s.joins(old)
			s.look()
			s.leaves(old)
			s.look()
			s.leaves(now)
		}, "one added, one expired"},
		{"another member has other records", func(s *members, old, _ *memberlist.Node) {
			s.joins(old)
			s.look()
			s.joins(s.node(after, other, two))
			s.look()
			s.leaves(old)
		}, "one added, two added, one expired"},
		{"the member stays and has other records", func(s *members, old, _ *memberlist.Node) {
			s.joins(old)
			s.look()
			s.joins(s.node(before, addr, two))
		}, "one added, two added, one expired"},
		{"a goodbye follows", func(s *members, old, _ *memberlist.Node) {
			s.joins(old)
			s.look()
			s.leaves(old)
			s.pass(grace - 1)
			s.takeBye(discovery.Record{
				ID: one.ID, Incarnation: one.Incarnation, Revision: one.Revision, Group: one.Group, Goodbye: true,
			})
		}, "one added, one left"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newMembers(t)
				tc.steps(s, s.node(before, addr, one), s.node(after, other, one))
				s.pass(4 * grace)
				if got := s.events(); got != tc.want {
					t.Errorf("told: %s; want: %s", got, tc.want)
				}
				known := len(s.table.Records(discovery.Query{}))
				if len(s.owners) != known {
					t.Errorf("%d records have an owner, %d are known", len(s.owners), known)
				}
			})
		})
	}
}

// TestMemberBecomesAnother: to a process that moves its own records have never gone, and the member that it was has,
// at once.
func TestMemberBecomesAnother(t *testing.T) {
	for _, tc := range []struct {
		name string
		then func(s *members, old discovery.ID, r discovery.Record)
		want string
	}{
		{"and goes on", func(*members, discovery.ID, discovery.Record) {}, "one added"},
		{"which is looked at later", func(s *members, old discovery.ID, _ discovery.Record) {
			s.lookAt(old)
			time.Sleep(2 * grace)
		}, "one added"},
		{"and says goodbye at once", func(s *members, _ discovery.ID, r discovery.Record) {
			s.takeBye(discovery.Record{
				ID: r.ID, Incarnation: r.Incarnation, Revision: r.Revision, Group: r.Group, Goodbye: true,
			})
			s.joins(s.node(s.id, "10.0.0.2"))
		}, "one added, one left"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newMembers(t)
				r := record(discovery.DefaultGroup, 1)
				r.Name = "one"
				old, at := s.id, netip.MustParseAddrPort("10.0.0.2:7946")
				s.joins(s.node(old, "10.0.0.1", r))
				s.look()
				synctest.Wait() // the watch has been told
				e := &instanceDelegate{session: s.session, self: discovery.NewID(), joining: true}
				e.NotifyJoin(s.node(e.self, "10.0.0.2", r))
				s.mu.Lock()
				s.become(e, nil, at)
				s.mu.Unlock()
				if m := s.members[old]; s.id != e.self || m != nil && m.alive {
					t.Error("the old member still counts")
				}
				tc.then(s, old, r)
				s.pass(4 * grace)
				if got := s.events(); got != tc.want {
					t.Errorf("told: %s; want: %s", got, tc.want)
				}
				if s.knows(old) {
					t.Error("the old member is still known")
				}
				if have := s.table.Records(discovery.Query{}); len(have) == 1 &&
					!slices.Contains(have[0].From, at.Addr()) {
					t.Errorf("the record is known from %v", have[0].From)
				}
			})
		})
	}
}
