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

// crowd announces nodes on a few hosts, so that each packet has few hearers; the nodes know nothing of each other's
// nearness.
func crowd(t *testing.T, l *memLAN, nodes int) (backends []*Backend, anns []discovery.Announcement) {
	t.Helper()
	for range nodes / 10 {
		h := l.host()
		b := on(h)
		backends = append(backends, b)
		for range 10 {
			anns = append(anns, announce(t, b, node(h)))
			time.Sleep(10 * time.Millisecond)
		}
	}
	return backends, anns
}

// 200 nodes that all watch, at rest: fewer than ten multicast packets per node and minute, on the family in the
// simulation, the other one, and loopback together. One family suffices to simulate, for the others carry the same.
func TestTrafficAtRest(t *testing.T) {
	const waysOut = 3
	for _, tc := range []struct {
		nodes int
		limit float64
	}{{10, 45}, {50, 40}, {200, 10}} {
		t.Run(fmt.Sprint(tc.nodes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemLAN(4)
				backends, anns := crowd(t, l, tc.nodes)
				var views []*view
				for _, b := range backends {
					views = append(views, watch(t, b, discovery.Query{}))
				}
				time.Sleep(10 * time.Second)
				check := func() {
					for i, v := range views {
						if v.count() != tc.nodes {
							t.Fatalf("watch %d knows %d of %d nodes", i, v.count(), tc.nodes)
						}
					}
				}
				check()
				announced, asked := l.announced.Load(), l.asked.Load()
				const minutes = 2
				time.Sleep(minutes * time.Minute)
				check()
				got := float64(l.announced.Load()-announced)/float64(tc.nodes) + float64(l.asked.Load()-asked)/float64(len(views))
				got = got / minutes * waysOut
				t.Logf("%d nodes: %.1f packets per node and minute", tc.nodes, got)
				if got >= tc.limit || got < 1 {
					t.Errorf("%d nodes: %.1f packets per node and minute, want fewer than %v", tc.nodes, got, tc.limit)
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

// Where three of ten packets are lost, a node is seldom forgotten while it is there: once in half an hour. If those
// that expire were not asked for, it would be ten times as often.
func TestLossAtRest(t *testing.T) {
	const pairs, limit = 40, 40 // 15 are to be expected
	expired := 0
	for range pairs {
		synctest.Test(t, func(t *testing.T) {
			l := newMemLAN(4)
			h, other := l.host(), l.host()
			v := watch(t, on(other), discovery.Query{})
			a := announce(t, on(h), node(h))
			synctest.Wait()
			l.lose(30)
			time.Sleep(10 * time.Minute)
			for _, k := range v.kinds() {
				if k == discovery.Expired {
					expired++
				}
			}
			if k := v.kinds(); v.count() == 0 && k[len(k)-1] != discovery.Expired {
				t.Errorf("not there, and not expired: %v", k)
			}
			bye(t, a)
			v.close()
		})
	}
	t.Logf("expired %d times in %d × 10 minutes", expired, pairs)
	if expired > limit {
		t.Errorf("expired %d times in %d × 10 minutes, want at most %d", expired, pairs, limit)
	}
}

// In a crowd answers are spread, so that they do not all arrive at once; among few they come at once.
func TestAnswersAreSpread(t *testing.T) {
	for _, nodes := range []int{20, 150} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemLAN(4)
				_, anns := crowd(t, l, nodes)
				time.Sleep(5 * time.Second)
				began := time.Now()
				v := watch(t, on(l.host()), discovery.Query{})
				v.until("all found", time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == nodes })
				var at []time.Duration
				for _, when := range v.when {
					at = append(at, when.Sub(began))
				}
				slices.Sort(at)
				if first, last := at[0], at[len(at)-1]; nodes <= manyPeers && last > 0 || nodes > manyPeers &&
					(last-first < answersSpread/2 || last > answersSpread) {
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
		c, err := daemon.open(ofHost, 4, true, 100)
		if err != nil {
			t.Fatal(err)
		}
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
			Answer: []dns.RR{
				&dns.PTR{
					Hdr: dns.RR_Header{Name: serviceType, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 15},
					Ptr: instanceName(r.ID.String()),
				},
			},
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
		z := &zone{a: a, seen: make(map[questionKey]uint64)}
		z.iface.Index = 2
		q := dns.Question{Name: serviceType, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
		answers := 0
		for range 3 * answersBurst {
			b.engine.filter.received(2, []dns.Question{q, q, q})
			if z.Records(q) != nil {
				answers++
			}
		}
		if answers != answersBurst {
			t.Errorf("%d answers at once, want %d", answers, answersBurst)
		}
		if z.Records(q) != nil {
			t.Error("a question was answered twice")
		}
		time.Sleep(time.Second)
		b.engine.filter.received(2, []dns.Question{q})
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
