package discovery_test

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// 100,000 nodes that do not exist, each from an address of its own or all from one: what is known stays within the
// limits, also for a reader that does not read, and those who are really there stay.
func TestFloodOfFakeNodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fakes  int
		source func(i int) netip.Addr
		most   int
	}{
		"each from its own address": {100_000, func(i int) netip.Addr {
			return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		}, 4096},
		"from one address":   {10_000, func(int) netip.Addr { return netip.MustParseAddr("10.9.9.9") }, 10 + 64},
		"without an address": {10_000, func(int) netip.Addr { return netip.Addr{} }, 4096},
		"zones do not help it": {
			10_000, func(i int) netip.Addr { return netip.MustParseAddr("fe80::9").WithZone(string(rune('a' + i%26))) }, 10 + 64,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				table := newTable(t, discovery.TableConfig{})
				never := watching(t, table, discovery.Query{})
				const friends = 10
				for range 2 {
					for i := range friends {
						put(t, table, from(sample(i), "10.255.0.1"), 2*time.Minute)
					}
					time.Sleep(250 * time.Millisecond)
				}
				for i := range c.fakes {
					r := sample(1000 + i)
					if a := c.source(i); a.IsValid() {
						r.From = []netip.Addr{a}
					}
					if err := table.Put(r, 1<<31*time.Second); err != nil {
						t.Fatalf("fake node %d: %v, want it to take another's place", i, err)
					}
				}
				n := table.Stats()
				if n.Nodes != c.most || n.Evicted != uint64(c.fakes+friends-c.most) {
					t.Errorf("stats are %+v, want %d nodes", n, c.most)
				}
				here := map[discovery.ID]bool{}
				for _, r := range table.Records(discovery.Query{}) {
					here[r.ID] = true
				}
				for i := range friends {
					if !here[nodeID(i)] {
						t.Errorf("node %d was pushed out", i)
					}
				}
				// The reader that wakes up is told of those who are there, and once of the trouble.
				events, trouble := 0, 0
				for done := false; !done; {
					synctest.Wait()
					select {
					case ev := <-never:
						if events++; ev.Kind == discovery.Trouble {
							trouble++
							refused(t, ev.Err, discovery.ErrLimit)
						}
					default:
						done = true
					}
				}
				if events > c.most+2+1 || trouble != 1 {
					t.Errorf("told %d events, %d of them Trouble, want at most %d and one", events, trouble, c.most+3)
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if n := table.Stats().Nodes; n != 0 {
					t.Errorf("%d nodes are pinned", n)
				}
			})
		})
	}
}

// What all that may cost. Not in a bubble, which keeps timers that were stopped; not beside other tests, whose memory
// it would count.
func TestFloodMemory(t *testing.T) {
	table := discovery.NewTable("test", discovery.TableConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	never, err := table.Watch(ctx, discovery.Query{})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	for i := range 100_000 {
		r := sample(1000 + i)
		r.From = []netip.Addr{netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
		put(t, table, r, time.Minute)
	}
	if grown := int64(heap()) - int64(before); grown > 12<<20 {
		t.Errorf("100,000 fake nodes cost %d KiB, 4096 of them are known", grown>>10)
	}
	cancel()
	ended(never)
	table.Close()
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A reader that takes one event now and then, while nodes come and go, holds no more than one that keeps up.
func TestFloodWithSlowReader(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		const most = 32
		table := newTable(t, discovery.TableConfig{Limits: discovery.Limits{Nodes: most}})
		events := watching(t, table, discovery.Query{})
		believes, peak := map[discovery.ID]discovery.Event{}, 0
		read := func() bool {
			synctest.Wait()
			select {
			case ev := <-events:
				if ev.Kind == discovery.Trouble {
					return true
				}
				if err := believe(believes, ev); err != nil {
					t.Fatal(err)
				}
				peak = max(peak, len(believes))
				return true
			default:
				return false
			}
		}
		for i := range 20_000 {
			put(t, table, sample(i), time.Minute)
			if i%7 == 0 {
				read()
			}
		}
		waiting := 0
		for read() {
			waiting++
		}
		if peak > 2*most+1 || waiting > 3*most+3 {
			t.Errorf("%d events waited and the reader believed in %d nodes at once, with a limit of %d", waiting, peak, most)
		}
		if len(believes) != most {
			t.Errorf("the reader ends up with %d nodes, want %d", len(believes), most)
		}
	})
}

// When all places are taken by nodes that count, newcomers are refused; and where records have proofs that tell
// friends, the first announcement counts.
func TestLimitsRefuse(t *testing.T) {
	t.Parallel()
	for mode, trust := range map[string]discovery.Trust{"open": discovery.Open(), "group-key": groupTrust(t, 1)} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				limits := discovery.Limits{Nodes: 4, NodesPerSource: 2}
				table := newTable(t, discovery.TableConfig{Trust: trust, Limits: limits})
				arrive := func(n int, source string) error {
					return table.Put(from(sealed(t, trust, sample(n)), source), time.Minute)
				}
				for range 2 {
					for i, source := range []string{"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"} {
						if err := arrive(i, source); err != nil {
							t.Fatal(err)
						}
					}
					if mode == "open" {
						time.Sleep(200 * time.Millisecond)
					}
				}
				refused(t, arrive(9, "10.0.0.1"), discovery.ErrLimit)
				refused(t, arrive(9, "10.0.0.9"), discovery.ErrLimit)
				if err := arrive(0, "10.0.0.9"); err != nil {
					t.Errorf("one that is known: %v", err)
				}
				table.Drop(nodeID(3), discovery.Expired)
				refused(t, arrive(9, "10.0.0.1"), discovery.ErrLimit)
				if err := arrive(9, "10.0.0.9"); err != nil {
					t.Errorf("one more after one has gone: %v", err)
				}
				if n := table.Stats(); n.Nodes != 4 || n.Refused.Limit != 3 || n.Evicted != 0 {
					t.Errorf("stats are %+v", n)
				}
			})
		})
	}
}

// Trouble of a limit is told once a minute, not for each packet.
func TestLimitTroubleIsRare(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{Limits: discovery.Limits{Nodes: 1}})
		events := watching(t, table, discovery.Query{Group: "none"})
		for i := range 150 {
			put(t, table, sample(i), time.Hour)
			time.Sleep(time.Second)
		}
		trouble := happened{kind: discovery.Trouble}
		expect(t, events, trouble, trouble, trouble)
	})
}

// A goodbye that somebody else makes up is believed in no mode; in open mode, where nothing tells, it has to come
// from an address of the node at least.
func TestForgedGoodbye(t *testing.T) {
	t.Parallel()
	const victim, attacker = "10.0.0.1", "10.6.6.6"
	open, ours := discovery.Open(), groupTrust(t, 1)
	public, _ := keyPair(1)
	mallory, _ := keyPair(2)
	for name, c := range map[string]struct {
		trust  discovery.Trust
		forged func(heard discovery.Record) discovery.Record
		want   error
	}{
		"open, from elsewhere": {
			open, func(r discovery.Record) discovery.Record { return from(bye(rev(r, 9)), attacker) }, discovery.ErrUntrusted,
		},
		"open, id alone": {
			open, func(r discovery.Record) discovery.Record { return from(discovery.Record{ID: r.ID}, attacker) },
			discovery.ErrUntrusted,
		},
		"open, from nowhere": {
			open, func(r discovery.Record) discovery.Record { r.From = nil; return bye(r) }, discovery.ErrUntrusted,
		},
		"open, from before": {
			open, func(r discovery.Record) discovery.Record { return bye(rev(r, 1)) }, discovery.ErrStale,
		},
		"group key, without a proof": {
			ours, func(r discovery.Record) discovery.Record { r = bye(rev(r, 9)); r.Proof = nil; return r },
			discovery.ErrUntrusted,
		},
		"group key, id alone": {
			ours, func(r discovery.Record) discovery.Record { return from(discovery.Record{ID: r.ID}, victim) },
			discovery.ErrUntrusted,
		},
		"group key, bye added": {ours, bye, discovery.ErrUntrusted},
		"group key, TTL 0":     {ours, func(r discovery.Record) discovery.Record { return r }, discovery.ErrUntrusted},
		"group key, of another group": {
			ours, func(r discovery.Record) discovery.Record { return sealed(t, groupTrust(t, 2), bye(rev(r, 9))) },
			discovery.ErrUntrusted,
		},
		"signed, without a proof": {
			signedTrust(t, 1), func(r discovery.Record) discovery.Record { r = bye(rev(r, 9)); r.Proof = nil; return r },
			discovery.ErrUntrusted,
		},
		"signed, bye added": {signedTrust(t, 1), bye, discovery.ErrUntrusted},
		"signed, TTL 0": {
			signedTrust(t, 1), func(r discovery.Record) discovery.Record { return r }, discovery.ErrUntrusted,
		},
		"signed, by another": {signedTrust(t, 1), func(r discovery.Record) discovery.Record {
			return sealed(t, signedTrust(t, 2, mallory), bye(rev(r, 9)))
		}, discovery.ErrUntrusted},
		"signed, by another on the list": {signedTrust(t, 1, public, mallory), func(r discovery.Record) discovery.Record {
			return sealed(t, signedTrust(t, 2, public, mallory), bye(rev(r, 9)))
		}, discovery.ErrUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				table := newTable(t, discovery.TableConfig{Trust: c.trust})
				events := watching(t, table, discovery.Query{})
				self := sample(1)
				self.ID = discovery.KeyID(public)
				self.Revision = 2
				heard := from(sealed(t, c.trust, self), victim)
				put(t, table, heard, time.Minute)
				expect(t, events, happened{discovery.Added, self.ID})
				time.Sleep(time.Second)

				forged := c.forged(heard.Clone())
				refused(t, table.Leave(forged), c.want)
				if forged.Goodbye {
					refused(t, table.Put(forged, 0), c.want)
				}
				expect(t, events)
				if n := table.Stats(); n.Nodes != 1 || n.Left != 0 || n.Refused.Untrusted+n.Refused.Stale == 0 {
					t.Errorf("stats are %+v", n)
				}

				real := bye(self)
				real.Revision++
				if err := table.Leave(from(sealed(t, c.trust, real), victim)); err != nil {
					t.Fatalf("the real goodbye: %v", err)
				}
				expect(t, events, happened{discovery.Left, self.ID})
			})
		})
	}
}

// While a node is known nobody else speaks for it, be it with a key that is trusted as well.
func TestNobodySpeaksForAnother(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		alice, _ := keyPair(1)
		bob, _ := keyPair(2)
		table := newTable(t, discovery.TableConfig{Trust: signedTrust(t, 1, alice, bob)})
		put(t, table, sealed(t, signedTrust(t, 1, alice, bob), sample(1)), time.Minute)
		bad := sealed(t, signedTrust(t, 2, alice, bob), rev(sample(1), 9))
		refused(t, table.Put(bad, time.Minute), discovery.ErrUntrusted)
		time.Sleep(time.Minute)
		synctest.Wait()
		put(t, table, bad, time.Minute)
	})
}

// In open mode a stranger cannot lock a node out with a goodbye for one that is not there.
func TestGoodbyeOfStrangers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		if err := table.Leave(from(bye(rev(sample(1), 1<<63)), "10.6.6.6")); err != nil {
			t.Fatal(err)
		}
		put(t, table, from(sample(1), "10.0.0.1"), time.Minute)

		// With proofs the goodbye of a node whose announcement is still under way counts.
		trust := groupTrust(t, 1)
		table = newTable(t, discovery.TableConfig{Trust: trust})
		late := sealed(t, trust, sample(1))
		time.Sleep(time.Millisecond)
		if err := table.Leave(sealed(t, trust, bye(rev(sample(1), 2)))); err != nil {
			t.Fatal(err)
		}
		refused(t, table.Put(late, time.Minute), discovery.ErrStale)
	})
}

// What is remembered of those who have gone is bounded too.
func TestGoodbyesAreBounded(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		trust := signedTrust(t, 1)
		public, _ := keyPair(1)
		table := newTable(t, discovery.TableConfig{Trust: trust, Limits: discovery.Limits{Nodes: 10}})
		self := sample(0)
		self.ID = discovery.KeyID(public)
		old := sealed(t, trust, self)
		time.Sleep(time.Millisecond)
		if err := table.Leave(sealed(t, trust, bye(self))); err != nil {
			t.Fatal(err)
		}
		refused(t, table.Put(old, time.Minute), discovery.ErrStale)
		for i := range byte(10) {
			public, _ := keyPair(10 + i)
			r := sample(0)
			r.ID = discovery.KeyID(public)
			if err := table.Leave(sealed(t, signedTrust(t, 10+i), bye(r))); err != nil {
				t.Fatal(err)
			}
		}
		put(t, table, old, time.Minute) // forgotten, which is the price
	})
}
