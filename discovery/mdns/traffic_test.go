package mdns

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// 200 nodes that all watch, at rest: fewer than ten multicast packets per node and minute, on the family in the simulation,
// the other one, and loopback together. One family suffices to simulate, for the others carry the same, and few that watch, for
// each asks as much.
func TestTrafficAtRest(t *testing.T) {
	const waysOut, watchers = 3, 10
	for _, tc := range []struct {
		nodes   int
		minutes int
		limit   float64
	}{{10, 5, 45}, {50, 2, 40}, {200, 1, 10}} {
		t.Run(fmt.Sprint(tc.nodes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemLAN(4)
				var anns []discovery.Announcement
				var views []*view
				for i := range tc.nodes {
					h := l.host()
					b := on(h)
					anns = append(anns, announce(t, b, node(h)))
					if i < watchers {
						views = append(views, watch(t, b, discovery.Query{}))
					}
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(10 * time.Second)
				for i, v := range views {
					if v.count() != tc.nodes {
						t.Fatalf("node %d of %d knows %d", i, tc.nodes, v.count())
					}
				}
				announced, asked := l.announced.Load(), l.asked.Load()
				time.Sleep(time.Duration(tc.minutes) * time.Minute)
				got := float64(l.announced.Load()-announced)/float64(tc.nodes) + float64(l.asked.Load()-asked)/watchers
				got = got / float64(tc.minutes) * waysOut
				t.Logf("%d nodes: %.1f packets per node and minute", tc.nodes, got)
				if got >= tc.limit {
					t.Errorf("%d nodes: %.1f packets per node and minute, want fewer than %v", tc.nodes, got, tc.limit)
				}
				for i, v := range views {
					if v.count() != tc.nodes {
						t.Errorf("node %d has lost some: %d left", i, v.count())
					}
				}
				if n := l.overflown.Load(); n > 0 {
					t.Errorf("%d packets lost because a buffer was full", n)
				}
				byeAll(t, anns)
				for _, v := range views {
					v.close()
				}
			})
		})
	}
}

// Half of all that is sent to the group is lost.
func TestLoss(t *testing.T) {
	const nodes = 10
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN()
		l.lose(50)
		var anns []discovery.Announcement
		late := 0
		for round := range 20 {
			b := on(l.host())
			v := watch(t, b, discovery.Query{})
			if round == 0 {
				time.Sleep(time.Second)
				for range nodes {
					h := l.host()
					anns = append(anns, announce(t, on(h), node(h)))
				}
			}
			began := time.Now()
			v.until("all found", 20*time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == nodes })
			if took := time.Since(began); took > 5*time.Second {
				late++
				t.Logf("round %d took %v", round, took)
			}
			v.close()
		}
		// With six questions and an announcement on two families, one in 1,500 is not found in time.
		if late > 1 {
			t.Errorf("%d of 20 watches needed more than 5 s", late)
		}
		byeAll(t, anns)
	})
}

// No node is forgotten for lost announcements while it is there.
func TestLossAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		h, other := l.host(), l.host()
		v := watch(t, on(other), discovery.Query{})
		a := announce(t, on(h), node(h))
		synctest.Wait()
		l.lose(30)
		time.Sleep(10 * time.Minute)
		expired := 0
		for _, k := range v.kinds() {
			if k == discovery.Expired {
				expired++
			}
		}
		if expired > 2 || v.count() == 0 && expired == 0 {
			t.Errorf("expired %d times in ten minutes: %v", expired, v.kinds())
		}
		bye(t, a)
		v.close()
	})
}

// In a crowd answers are spread, so that they do not all arrive at once; among few they come at once.
func TestAnswersAreSpread(t *testing.T) {
	for _, nodes := range []int{20, 150} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemLAN(4)
				var anns []discovery.Announcement
				for range nodes {
					h := l.host()
					anns = append(anns, announce(t, on(h), node(h)))
				}
				time.Sleep(5 * time.Second)
				began := time.Now()
				v := watch(t, on(l.host()), discovery.Query{})
				v.until("all found", time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == nodes })
				var at []time.Duration
				for _, when := range v.when {
					at = append(at, when.Sub(began))
				}
				slices.Sort(at)
				if first, last := at[0], at[len(at)-1]; nodes <= manyPeers && last > 0 || nodes > manyPeers && (last-first < answersSpread/2 || last > answersSpread) {
					t.Errorf("%d answers came between %v and %v", nodes, first, last)
				}
				v.close()
				byeAll(t, anns)
			})
		})
	}
}

// A daemon asks from port 5353 and is answered to the group, but not again and again, and not if it knows.
func TestDaemonsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		packets := tapped(t, l)
		h, daemon := l.host(), l.host()
		r := node(h)
		a := announce(t, on(h), r)
		time.Sleep(3*time.Second + 1500*time.Millisecond) // after the burst, well before the refresh
		c, err := daemon.open(iface{}, 4, true, 100)
		if err != nil {
			t.Fatal(err)
		}
		c.index = 2
		announcements := func() (n int) {
			for _, p := range packets() {
				if p.from == h {
					n++
				}
			}
			return n
		}
		before := announcements()
		for range 10 {
			_ = c.send(must(question()))
		}
		time.Sleep(130 * time.Millisecond)
		if got := announcements() - before; got != 1 {
			t.Errorf("%d answers to ten questions at once, want 1", got)
		}
		before = announcements()
		time.Sleep(1500 * time.Millisecond)
		_ = c.send(pack(t, dns.Msg{
			Question: []dns.Question{{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}},
			Answer:   []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: serviceType, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 15}, Ptr: instanceName(r.ID.String())}},
		}))
		time.Sleep(130 * time.Millisecond)
		if got := announcements() - before; got != 0 {
			t.Errorf("%d answers to one who knows", got)
		}
		_ = c.Close()
		bye(t, a)
	})
}

// The server asks the zone for each question; it must not be made to send many answers to somebody who did not ask.
func TestAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		h := l.host()
		b := on(h)
		a := announce(t, b, node(h)).(*announcement)
		z := &zone{a: a}
		q := dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
		answers := 0
		for range 10 * answersBurst {
			if z.Records(q) != nil {
				answers++
			}
		}
		if answers != answersBurst {
			t.Errorf("%d answers at once, want %d", answers, answersBurst)
		}
		time.Sleep(time.Second)
		if z.Records(q) == nil {
			t.Error("no answer after a pause")
		}
		bye(t, a)
	})
}

func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN()
		h := l.host()
		b := on(h)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					r := node(h)
					v := watch(t, b, discovery.Query{})
					a := announce(t, b, r)
					r.Revision++
					if err := a.Update(r); err != nil {
						t.Error(err)
					}
					v.until("itself", time.Second, func(n map[discovery.ID]discovery.Record) bool { return n[r.ID].Revision == 1 })
					b.Confirm(r.ID)
					_ = b.Stats()
					bye(t, a)
					bye(t, a)
					v.close()
				}
			})
		}
		wg.Wait()
		if b.users != 0 || b.engine != nil {
			t.Errorf("%d users left", b.users)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.conns) != 0 {
			t.Errorf("%d sockets left open", len(h.conns))
		}
	})
}
