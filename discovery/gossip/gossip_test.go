package gossip

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

// atMost fails when something took longer than the project promises, by a [watchtest.Clock]. The race detector makes
// all slower, but not that much.
func atMost(t *testing.T, what string, took, most time.Duration) {
	t.Helper()
	t.Logf("%s: %v", what, took.Round(time.Millisecond))
	if took > most {
		t.Errorf("%s took %v, want at most %v", what, took, most)
	}
}

// best fails when something took longer than the project promises each time it was tried: the machine may be busy. A
// try tells what it has measured.
func best(t *testing.T, most time.Duration, try func() map[string]time.Duration) {
	t.Helper()
	for n := 1; ; n++ {
		late := ""
		for what, took := range try() {
			t.Logf("%s: %v", what, took.Round(time.Millisecond))
			if took > most {
				late = what
			}
		}
		if late == "" {
			return
		}
		if n == 3 {
			t.Errorf("%s took more than %v, three times", late, most)
			return
		}
	}
}

// Nine members with the profile as it is: join, update, goodbye, kill.
func TestNineMembers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for range 8 {
		c.start()
	}
	c.allSee(c.peers...)
	eight := c.peers

	best(t, time.Second, func() map[string]time.Duration {
		took := make(map[string]time.Duration)
		c.peers = eight
		ninth := c.start()
		took["join seen by all"] = c.allSee(c.peers...)
		for id, r := range c.peers[0].log.Nodes() {
			if r.Configured || len(r.From) != 1 || r.ID == c.peers[3].rec.ID && r.From[0] != c.peers[3].addr {
				t.Errorf("%v is from %v, configured: %v; want the address of its member, and not", id, r.From, r.Configured)
			}
		}
		ninth.rec.Revision++
		ninth.rec.Services = append(ninth.rec.Services,
			discovery.Service{Name: "prices", Type: "REP", Endpoints: []string{"tcp://*:6000"}})
		began := c.clock.Now()
		if err := ninth.ann.Update(ninth.rec); err != nil {
			t.Fatal(err)
		}
		for _, p := range c.peers {
			e, _ := p.log.About(discovery.Updated, ninth.rec.ID)
			if len(e.Record.Services) != 2 {
				t.Errorf("updated to %v", e.Record.Services)
			}
		}
		took["update seen by all"] = c.clock.Since(began)
		began = c.clock.Now()
		ninth.leave()
		for _, p := range c.peers {
			p.log.About(discovery.Left, ninth.rec.ID)
		}
		took["goodbye seen by all"] = c.clock.Since(began)
		ninth.log.Stop()
		return took
	})

	eighth := eight[7]
	began := c.clock.Now()
	eighth.kill()
	for _, p := range eight[:7] {
		p.log.About(discovery.Expired, eighth.rec.ID)
	}
	atMost(t, "kill seen by all", c.clock.Since(began), 10*time.Second)
}

// A goodbye is told even when the whole process ends with it, and before the member itself is gone for the others.
func TestGoodbyeOfTheLastUser(t *testing.T) {
	c := newCluster(t, fast)
	a := c.start()
	b := c.member()
	b.announce(record("", 1))
	a.log.About(discovery.Added, b.rec.ID)
	began := c.clock.Now()
	b.leave()
	if _, ok := b.b.shared.Current(); ok {
		t.Error("still open after the last Close")
	}
	a.log.About(discovery.Left, b.rec.ID)
	atMost(t, "goodbye", c.clock.Since(began), time.Second)
	b.leave() // again
	if err := b.ann.Update(b.rec); !errors.Is(err, discovery.ErrClosed) {
		t.Errorf("Update after Close: %v, want ErrClosed", err)
	}
	// And back, under the same ID.
	b.rec.Revision++
	b.announce(b.rec)
	a.sees(a, b)
}

// One of two announcements of a member goes, the member stays.
func TestSeveralRecords(t *testing.T) {
	c := newCluster(t, fast)
	a, b := c.start(), c.start()
	other := record("", 1)
	second, err := b.b.Announce(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	a.log.About(discovery.Added, other.ID)
	if err := second.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.log.About(discovery.Left, other.ID)
	a.sees(a, b)

	for i := range maxRecords {
		x, err := b.b.Announce(t.Context(), record("", 1))
		if i == maxRecords-1 {
			if !errors.Is(err, discovery.ErrLimit) {
				t.Errorf("record %d: %v, want ErrLimit", i+2, err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = x.Close(context.WithoutCancel(t.Context())) })
	}
}

// Records that do not fit into metadata are asked for.
func TestBigRecords(t *testing.T) {
	c := newCluster(t, fast)
	for range 3 {
		p := c.member()
		p.announce(record("", 10))
		p.watch()
		if c.seed == "" {
			c.seed = p.session().transport.public.String()
		}
	}
	took := c.allSee(c.peers...)
	atMost(t, "big records seen by all", took, 2*time.Second)
	p := c.peers[1]
	for _, o := range c.peers {
		if got := len(o.log.Nodes()[p.rec.ID].Services); got != 10 {
			t.Errorf("%v sees %d services, want 10", o.addr, got)
		}
	}
	p.rec.Revision++
	p.rec.Services = p.rec.Services[:9]
	if err := p.ann.Update(p.rec); err != nil {
		t.Fatal(err)
	}
	for _, o := range c.peers {
		o.log.About(discovery.Updated, p.rec.ID)
	}
	p.leave()
	c.peers[0].log.About(discovery.Left, p.rec.ID)

	late := c.start() // learns of the big ones from its seed
	late.sees(c.peers[0], c.peers[2], late)
}

// Synced comes after all that was there, big records among it.
func TestSynced(t *testing.T) {
	c := newCluster(t)
	for range 3 {
		c.start()
	}
	big := c.member()
	big.announce(record("", 10))
	big.watch()
	c.peers[0].sees(c.peers...)
	late := c.start()
	late.log.Kind(discovery.Synced, 0)
	for i, e := range late.log.Events() {
		if e.Kind == discovery.Synced && i < 5 {
			t.Errorf("Synced after %d nodes, want 5: %s", i, late.log)
		}
	}
}

func TestWrongKey(t *testing.T) {
	c := newCluster(t, fast)
	a, b := c.start(), c.start()
	c.allSee(a, b)
	for name, opt := range map[string]Option{
		"another key": WithKey([]byte("another key 16 b")),
		"no key":      option(func(c *config) { c.keys, c.open = nil, true }),
	} {
		t.Run(name, func(t *testing.T) {
			x := c.start(opt)
			e := x.log.Kind(discovery.Trouble, 0)
			if !errors.Is(e.Err, ErrAlone) {
				t.Errorf("trouble is %v, want ErrAlone", e.Err)
			}
			if strings.Contains(e.Err.Error(), "\n") {
				t.Errorf("trouble is of more than a line: %q", e.Err)
			}
			t.Log(e.Err)
			x.log.Kind(discovery.Synced, 0)
			x.sees(x)
			x.leave()
			x.log.Stop()
		})
	}
	if n := a.log.Count(discovery.Added); n != 2 {
		t.Errorf("%d nodes have been added, want the two with the key: %s", n, a.log)
	}
}

// The three steps of changing a key, with members that are a step apart.
func TestKeyChange(t *testing.T) {
	old, next := testKey, []byte("0123456789abcdef0123456789abcdef")
	c := newCluster(t, fast)
	first := c.start(WithKey(old))
	second := c.start(WithKey(old, next))
	c.allSee(first, second)
	first.leave()
	first.log.Stop()
	c.seed = second.session().transport.public.String()
	third := c.start(WithKey(next, old))
	c.allSee(second, third)
	second.leave()
	second.log.Stop()
	c.seed = third.session().transport.public.String()
	c.allSee(third, c.start(WithKey(next)))
}

func TestGroupsDoNotMeet(t *testing.T) {
	c := newCluster(t, fast)
	a := c.start()
	b := c.start(WithGroup("prod"))
	b.log.Kind(discovery.Trouble, 0)
	d := c.start(WithSeeds(b.session().transport.public.String())) // knows both
	c.allSee(a, d)
	b.sees(b)

	if _, err := a.b.Announce(t.Context(), record("prod", 1)); !errors.Is(err, discovery.ErrRecord) {
		t.Errorf("Announce in another group: %v, want ErrRecord", err)
	}
	if _, err := a.b.Watch(t.Context(), discovery.Query{Group: "prod"}); !errors.Is(err, discovery.ErrRecord) {
		t.Errorf("Watch of another group: %v, want ErrRecord", err)
	}
	if err := a.ann.Update(record("prod", 1)); !errors.Is(err, discovery.ErrRecord) {
		t.Errorf("Update to another group: %v, want ErrRecord", err)
	}
	if err := a.ann.Update(record("", 1)); !errors.Is(err, discovery.ErrRecord) {
		t.Errorf("Update to another node: %v, want ErrRecord", err)
	}
	other := a.rec
	other.Name = "other"
	if err := a.ann.Update(other); !errors.Is(err, discovery.ErrRecord) {
		t.Errorf("Update without a new revision: %v, want ErrRecord", err)
	}
}

// Both halves forget each other, also memberlist does; then the network heals.
func TestPartitionHeals(t *testing.T) {
	for name, seeds := range map[string]bool{"by the seed": true, "by those that were lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, hasty, WithRejoin(300*time.Millisecond))
			for i := range 4 {
				first := c.seed
				if !seeds {
					c.seed = ""
				}
				p := c.start()
				if !seeds && i > 0 { // joins by hand, and knows no seed
					if _, err := p.session().list.Join([]string{first}); err != nil {
						t.Fatal(err)
					}
					c.seed = first
				}
			}
			p := c.peers
			c.allSee(p...)
			c.split(p[2], p[3])
			c.allSee(p[0], p[1])
			c.allSee(p[2], p[3])
			for _, x := range p { // until memberlist tries no more by itself
				forgotten(t, x)
			}
			c.split()
			atMost(t, "healed", c.allSee(p...), 5*time.Second)
		})
	}
}

// Gossip that hardly passes anything on, by chance or because packets are lost.
func TestWhatGossipMisses(t *testing.T) {
	c := newCluster(t, option(func(c *config) { c.tune = func(m *memberlist.Config) { m.RetransmitMult = 0 } }))
	for range 7 {
		c.start()
	}
	atMost(t, "seen by all", c.allSee(c.peers...), 8*time.Second)
}

func TestSeedByName(t *testing.T) {
	c := newCluster(t, fast)
	a := c.start()
	_, port, _ := net.SplitHostPort(c.seed)
	c.seed = net.JoinHostPort("localhost", port)
	c.allSee(a, c.start())
}

// forgotten waits until memberlist has only two members in its books: it sends the whole books to whoever joins.
func forgotten(t *testing.T, p *peer) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(watchtest.Patience); ; <-tick.C {
		if n := p.session().list.NumMembers(); n == 2 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("memberlist still knows the others")
		}
	}
}

func TestTrust(t *testing.T) {
	key := make([]byte, 32)
	group, err := discovery.GroupKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, fast, WithTrust(group))
	a, b := c.start(), c.start()
	x := c.start(WithTrust(discovery.Open())) // a member, whose records have no proof
	c.allSee(a, b)
	s := a.session()
	for end := time.Now().Add(watchtest.Patience); s.table.Stats().Refused.Untrusted == 0; {
		if time.Now().After(end) {
			t.Fatal("the record without a proof never came")
		}
		time.Sleep(5 * time.Millisecond)
	}

	// Nor is a goodbye without one believed.
	forged := discovery.Record{ID: b.rec.ID, Incarnation: b.rec.Incarnation, Revision: b.rec.Revision + 1, Goodbye: true}
	if err := discovery.Open().Seal(&forged); err != nil {
		t.Fatal(err)
	}
	if s.takeBye(forged) {
		t.Error("a goodbye without a proof was believed")
	}
	// What is announced anew is no news.
	b.session().reseal()
	a.sees(a, b)
	b.leave()
	a.log.About(discovery.Left, b.rec.ID)
	if u := a.log.Count(discovery.Updated); u != 0 {
		t.Errorf("%d updates: %s", u, a.log)
	}
	x.leave()
}

func TestOtherWireIsIncompatible(t *testing.T) {
	c := newCluster(t, fast)
	a := c.start(WithWire("other/1"))
	b := c.start()
	a.log.About(discovery.Incompatible, b.rec.ID)
}

func TestSeedsFrom(t *testing.T) {
	far := newMemoryBackend()
	c := newCluster(t, fast)
	a := c.start(WithSeedsFrom(far))
	c.seed = ""
	b := c.start(WithSeedsFrom(far))
	c.allSee(a, b)
	far.mu.Lock()
	n := len(far.records)
	far.mu.Unlock()
	if n != 2 {
		t.Errorf("%d members have announced themselves, want 2", n)
	}
	b.leave()
	b.log.Stop()
	far.mu.Lock()
	defer far.mu.Unlock()
	if n := len(far.records); n != 1 {
		t.Errorf("%d announcements after one has left, want 1", n)
	}
}
