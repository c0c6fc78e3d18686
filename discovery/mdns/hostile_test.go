package mdns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
)

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// forged is the announcement of a node that is not there.
func forged(t testing.TB, id discovery.ID) []byte {
	return announced(t, func(m *dns.Msg) {
		r := somebody
		r.ID = id
		m.Answer = records(t, r)
		ttls(m, 1<<31)
	})
}

// A hundred thousand nodes that are not there, from thousands of addresses: what is remembered stays within its
// limits, and honest nodes are found all the same, those from before too. On real time, for stopped timers stay in
// memory on virtual time.
func TestHundredThousandForgedNodes(t *testing.T) {
	for mode, pair := range trusts(t) {
		t.Run(mode, func(t *testing.T) {
			const fakes, addresses = 100_000, 4000
			l := newMemLAN(4)
			h, other := l.host(), l.host()
			r := node(h)
			r.ID = idOf()
			b := on(other, WithTrust(pair[1]))
			v := watch(t, b, discovery.Query{})
			a := announce(t, on(h, WithTrust(pair[0])), r)
			v.until("found", patience, one)
			e := b.engine
			before := heap()
			template, label := forged(t, discovery.ID{0xff}), []byte(discovery.ID{0xff}.String())
			var id discovery.ID
			for i := range fakes {
				binary.BigEndian.PutUint32(id[4:], uint32(i+1))
				from := netip.AddrFrom4([4]byte{10, 0, byte(10 + i%addresses>>8), byte(i % addresses)})
				e.handle(replaced(template, label, []byte(id.String())), netip.AddrPortFrom(from, port), 2, 255)
			}
			grown := int64(heap()) - int64(before)
			s := b.Stats()
			t.Logf("%d nodes, %d KiB more, %+v", s.Table.Nodes, grown>>10, s)
			if grown > 32<<20 {
				t.Errorf("%d bytes more in use", grown)
			}
			if s.Records < fakes || s.Table.Nodes > 4096 || len(e.names.nodes) > maxCachedNodes ||
				len(e.sources.by) > maxSources {
				t.Errorf("%d nodes, %d names, %d sources", s.Table.Nodes, len(e.names.nodes), len(e.sources.by))
			}
			if mode == "group key" && v.count() != 1 {
				t.Errorf("%d nodes, want the honest one only", v.count())
			}
			// In open mode it may have had to give way, which ends no connection, and comes back when it announces
			// itself.
			v.until("the honest node is there", patience, func(n map[discovery.ID]discovery.Record) bool {
				_, ok := n[r.ID]
				return ok
			})
			if mode != "signed" { // there the ID goes with the key, of which this test has one
				late := node(h)
				second := announce(t, on(h, WithTrust(pair[0])), late)
				v.until("another found", patience, func(n map[discovery.ID]discovery.Record) bool {
					_, ok := n[late.ID]
					return ok
				})
				bye(t, second)
			}
			bye(t, a)
			v.close()
		})
	}
}

// replaced returns a copy of packet with every old in it made new, of the same length.
func replaced(packet, old, now []byte) []byte {
	p := append([]byte(nil), packet...)
	for i := 0; i+len(old) <= len(p); i++ {
		if string(p[i:i+len(old)]) == string(old) {
			copy(p[i:], now)
			i += len(old) - 1
		}
	}
	return p
}

// A TTL of years counts for two minutes.
func TestLyingTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		b := on(l.host())
		v := watch(t, b, discovery.Query{})
		synctest.Wait()
		b.engine.handle(forged(t, someID), neighbour, 2, 255)
		synctest.Wait()
		if !v.has(someID) {
			t.Fatal("not found")
		}
		v.until("expired", 120*time.Second+time.Millisecond, none)
		v.close()
	})
}

// Goodbyes for others make us ask, not too often, and lose nobody that answers.
func TestForgedGoodbyes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 20
		l := newMemLAN(4)
		b := on(l.host())
		v := watch(t, b, discovery.Query{})
		var anns []discovery.Announcement
		var byes [][]byte
		for range nodes {
			h := l.host()
			r := node(h)
			anns = append(anns, announce(t, on(h), r))
			byes = append(byes, must(goodbye(r.ID.String())))
		}
		synctest.Wait()
		time.Sleep(5 * time.Second)
		asked := l.asked.Load()
		for range 100 { // ten seconds of it
			for _, packet := range byes {
				b.engine.handle(packet, neighbour, 2, 255)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if v.count() != nodes || len(v.kinds()) != nodes+1 {
			t.Errorf("%d nodes left of %d: %v", v.count(), nodes, v.kinds())
		}
		if got := l.asked.Load() - asked; got > nodes*3*6 {
			t.Errorf("asked %d times", got)
		}
		byeAll(t, anns)
		v.close()
	})
}

// A mDNS daemon announces once, with a long lifetime, and then waits to be asked; its answers to simple clients have
// a short one. It stays for as long as it answers.
func TestDaemonsNodeStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newMemLAN(4)
		b := on(l.host())
		v := watch(t, b, discovery.Query{})
		h := l.host()
		p, err := publish(somebody, discovery.Open(), longest, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		p.label = `my\032node` // as other programs call theirs
		c, err := h.open(ofHost, 4, true, 100)
		if err != nil {
			t.Fatal(err)
		}
		p.ttl = 4500
		synctest.Wait()
		_ = c.send(must(response(p.records(serviceType, somebody.Addrs, cacheFlush))))
		p.ttl = legacyTTL
		var answers atomic.Int64
		go func() {
			buf := make([]byte, maxPacket)
			for {
				n, from, _, _, err := c.read(buf)
				if err != nil {
					return
				}
				var m dns.Msg
				if m.Unpack(buf[:n]) != nil || m.Response || from.Port() == port {
					continue
				}
				rrs := p.answer(m.Question[0], somebody.Addrs)
				if rrs == nil {
					continue
				}
				answers.Add(1)
				reply := dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Question: m.Question, Answer: rrs}
				packet, err := reply.Pack()
				if err != nil {
					panic(err)
				}
				for _, to := range l.all() {
					if to.addr[0] == from.Addr() {
						to.deliver(memPacket{packet, c.address()}, 4, from.Port(), true)
					}
				}
			}
		}()
		time.Sleep(20 * time.Minute)
		if got := fmt.Sprint(v.kinds()); got != "[added synced]" {
			t.Errorf("events %v", got)
		}
		if n := answers.Load(); n < 10 || n > 60 {
			t.Errorf("asked %d times in 20 minutes", n)
		}
		_ = c.Close()
		v.until("expired", 3*time.Minute, none)
		v.close()
	})
}
