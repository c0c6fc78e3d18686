package mdns

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// named is the announcement of a node by a name that need not be its ID.
func named(t testing.TB, name string, r discovery.Record) []byte {
	t.Helper()
	p, err := publish(r, discovery.Open(), 15*time.Second, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.label = name
	m := dns.Msg{
		MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Answer: p.records(serviceType, r.Addrs, cacheFlush),
	}
	return pack(t, m)
}

// A goodbye is that of the node that said it, whatever others have announced by the same name.
func TestGoodbyeIsAttributedRightly(t *testing.T) {
	home, forger := netip.MustParseAddrPort("10.0.7.7:5353"), netip.MustParseAddrPort("10.0.6.6:5353")
	peer, liar := somebody, somebody
	liar.ID = discovery.ID{0xbb}
	own := peer.ID.String()
	const name = `my\032node`
	for _, tc := range []struct {
		name   string
		goes   string // by which the real node goes
		forged func() [][]byte
	}{
		{"alone, by its id", own, func() [][]byte { return nil }},
		{"alone, by a name", name, func() [][]byte { return nil }},
		{"another node's record by its id", own, func() [][]byte { return [][]byte{named(t, own, liar)} }},
		{"another node's record by its name", name, func() [][]byte { return [][]byte{named(t, name, liar)} }},
		{"its own record by another name", own, func() [][]byte { return [][]byte{named(t, name, peer)} }},
		{"its own record by many other names", name, func() (all [][]byte) {
			for i := range 20 {
				all = append(all, named(t, fmt.Sprintf("name%d", i), peer))
			}
			return all
		}},
		{"many nodes' records by its name", name, func() (all [][]byte) {
			for i := range 20 {
				r := liar
				r.ID[1] = byte(i)
				all = append(all, named(t, name, r))
			}
			return all
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := on(newMemLAN(4).host())
				v := watch(t, b, discovery.Query{})
				synctest.Wait()
				b.engine.handle(named(t, tc.goes, peer), home, 2, 255)
				synctest.Wait()
				if !v.has(peer.ID) {
					t.Fatal("not found")
				}
				for _, packet := range tc.forged() {
					b.engine.handle(packet, forger, 2, 255)
				}
				synctest.Wait()
				others, asked := v.count()-1, b.Stats().Questions
				b.engine.handle(must(goodbye(tc.goes)), home, 2, 255)
				synctest.Wait()
				if v.has(peer.ID) || v.count() != others {
					t.Errorf("after its goodbye it is there: %t; %d others of %d: %v", v.has(peer.ID), v.count(), others, v.kinds())
				}
				if n := b.Stats().Questions - asked; n > 0 {
					t.Errorf("%d questions: there was nothing to ask", n)
				}
				v.close()
			})
		})
	}
}

// Whoever announces a node of ours by another name does not get to answer for it.
func TestNodeIsAskedForByItsID(t *testing.T) {
	now := time.Now()
	id, foreign := discovery.ID{1}, discovery.ID{2}
	var c nameCache
	c.heard(id.String(), id, time.Second, now)
	c.heard("false", id, time.Second, now)
	c.heard("one", foreign, time.Second, now)
	c.heard("two", foreign, time.Second, now)
	for _, tc := range []struct {
		id   discovery.ID
		want []string
	}{
		{id, []string{id.String()}},
		{foreign, []string{"one", "two"}},
	} {
		if labels, known, lately := c.confirm(tc.id, now); !known || lately || !slices.Equal(labels, tc.want) {
			t.Errorf("%v: %v, known: %t, asked lately: %t; want %v", tc.id, labels, known, lately, tc.want)
		}
	}
	due := c.due(now.Add(900*time.Millisecond), false)
	slices.Sort(due)
	if want := []string{id.String(), "one", "two"}; !slices.Equal(due, want) {
		t.Errorf("due are %v, want %v", due, want)
	}
	c.heard(foreign.String(), foreign, time.Second, now) // a node of ours after all
	if got := c.due(now.Add(time.Second), true); len(got) != 0 {
		t.Errorf("of the nodes of others %v are due", got)
	}
	c.due(now.Add(time.Hour), false)
	if len(c.nodes) != 0 || len(c.named) != 0 {
		t.Errorf("left behind: %v, %v", c.nodes, c.named)
	}
}
