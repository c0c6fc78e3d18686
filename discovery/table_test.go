package discovery_test

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func TestTableExpiry(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		ttl, lifetime time.Duration
		config        discovery.TableConfig
		want          time.Duration // 0 for never
	}{
		"ttl":                  {ttl: 15 * s, want: 15 * s},
		"lifetime is less":     {ttl: 15 * s, lifetime: 4 * s, want: 4 * s},
		"ttl is less":          {ttl: 4 * s, lifetime: 15 * s, want: 4 * s},
		"lifetime alone":       {lifetime: 4 * s, want: 4 * s},
		"neither":              {want: 1 * s},
		"negative":             {ttl: -5 * s, want: 1 * s},
		"too short":            {ttl: time.Millisecond, want: 1 * s},
		"lies to pin":          {ttl: 1 << 31 * s, want: 120 * s},
		"own bounds, short":    {ttl: 1 * s, config: discovery.TableConfig{MinTTL: 3 * s, MaxTTL: 9 * s}, want: 3 * s},
		"own bounds, long":     {ttl: 60 * s, config: discovery.TableConfig{MinTTL: 3 * s, MaxTTL: 9 * s}, want: 9 * s},
		"bounds crossed":       {ttl: 60 * s, config: discovery.TableConfig{MinTTL: 200 * s}, want: 200 * s},
		"for ever":             {ttl: discovery.Forever},
		"for ever, a lifetime": {ttl: discovery.Forever, lifetime: 4 * s},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				table := newTable(t, c.config)
				events := watching(t, table, discovery.Query{})
				r := sample(1)
				r.Lifetime = c.lifetime
				put(t, table, r, c.ttl)
				expect(t, events, is(discovery.Added, 1))
				if c.want == 0 {
					time.Sleep(1000 * time.Hour)
					expect(t, events)
					return
				}
				time.Sleep(c.want - time.Nanosecond)
				expect(t, events)
				time.Sleep(time.Nanosecond)
				got := expect(t, events, is(discovery.Expired, 1))
				if len(got[0].Record.Services) != 1 || got[0].Source != "test" {
					t.Errorf("Expired tells %+v, want what was known", got[0])
				}
				if n := table.Stats(); n.Nodes != 0 || n.Expired != 1 {
					t.Errorf("stats are %+v", n)
				}
			})
		})
	}
}

func TestTableRefresh(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		events := watching(t, table, discovery.Query{})
		r := sample(1)
		for range 100 {
			put(t, table, r, 15*time.Second)
			time.Sleep(5 * time.Second)
		}
		expect(t, events, is(discovery.Added, 1))
		put(t, table, r, time.Second) // a short TTL does not take back what a longer one gave
		time.Sleep(9 * time.Second)
		expect(t, events)
		time.Sleep(time.Second)
		expect(t, events, is(discovery.Expired, 1))
		put(t, table, r, time.Second) // as a partition that heals
		expect(t, events, is(discovery.Added, 1))
		put(t, table, rev(r, 2), time.Second)
		expect(t, events, is(discovery.Updated, 1))
		put(t, table, rev(r, 3), 60*time.Second)
		expect(t, events, is(discovery.Updated, 1))
		put(t, table, rev(r, 4), 2*time.Second) // what is new says anew for how long
		expect(t, events, is(discovery.Updated, 1))
		time.Sleep(2 * time.Second)
		expect(t, events, is(discovery.Expired, 1))
	})
}

func TestTableSuspect(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		events := watching(t, table, discovery.Query{})
		table.Suspect(nodeID(1), time.Second) // nobody
		r := sample(1)
		put(t, table, r, 15*time.Second)
		expect(t, events, is(discovery.Added, 1))

		table.Suspect(r.ID, 2*time.Second)
		time.Sleep(time.Second)
		put(t, table, r, 15*time.Second) // it speaks up
		time.Sleep(14 * time.Second)
		expect(t, events)

		put(t, table, r, 15*time.Second)
		table.Suspect(r.ID, 2*time.Second)
		time.Sleep(time.Second)
		table.Suspect(r.ID, 2*time.Second) // to ask again does not help it
		time.Sleep(time.Second)
		expect(t, events, is(discovery.Expired, 1))

		put(t, table, r, 15*time.Second)
		expect(t, events, is(discovery.Added, 1))
		table.Suspect(r.ID, time.Hour) // nor does it live longer for being suspected
		time.Sleep(15 * time.Second)
		expect(t, events, is(discovery.Expired, 1))

		put(t, table, r, discovery.Forever)
		expect(t, events, is(discovery.Added, 1))
		table.Suspect(r.ID, time.Second)
		put(t, table, r, discovery.Forever)
		time.Sleep(time.Hour)
		expect(t, events)
		table.Suspect(r.ID, 0)
		expect(t, events, is(discovery.Expired, 1))
	})
}

func TestTableDrop(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		trust := groupTrust(t, 1)
		table := newTable(t, discovery.TableConfig{Trust: trust})
		events := watching(t, table, discovery.Query{})
		table.Drop(nodeID(1), discovery.Left) // nobody
		r := sealed(t, trust, sample(1))
		for _, k := range []discovery.EventKind{discovery.Left, discovery.Expired} {
			put(t, table, r, discovery.Forever)
			expect(t, events, is(discovery.Added, 1))
			table.Drop(r.ID, k)
			expect(t, events, is(k, 1))
		}
	})
}

// What is older than known, or contradicts it, changes nothing.
func TestTableOrder(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		events := watching(t, table, discovery.Query{})
		r := rev(sample(1), 5)
		put(t, table, r, time.Minute)
		expect(t, events, is(discovery.Added, 1))

		contrary, before, past := r.Clone(), rev(r, 4), rev(r, 9)
		contrary.Services[0].Endpoints[0] = "tcp://*:6666"
		past.Incarnation--
		for _, bad := range []discovery.Record{contrary, before, past} {
			refused(t, table.Put(bad, time.Minute), discovery.ErrStale)
		}
		expect(t, events)

		contrary.Revision = 6
		put(t, table, contrary, time.Minute)
		got := expect(t, events, is(discovery.Updated, 1))
		if e := got[0].Record.Services[0].Endpoints[0]; e != "tcp://*:6666" {
			t.Errorf("updated to %q", e)
		}
		restarted := rev(r, 1)
		restarted.Incarnation++
		put(t, table, restarted, time.Minute)
		expect(t, events, is(discovery.Updated, 1))
		if n := table.Stats(); n.Put != 3 || n.Added != 1 || n.Updated != 2 || n.Refused.Stale != 3 || n.Nodes != 1 ||
			n.Watches != 1 {
			t.Errorf("stats are %+v", n)
		}
	})
}

// A recorded announcement keeps nobody alive and brings nobody back.
func TestTableReplay(t *testing.T) {
	t.Parallel()
	for name, c := range proving(t) {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				table := newTable(t, discovery.TableConfig{Trust: c.trust})
				events := watching(t, table, discovery.Query{Group: "prod"})
				self := c.r
				self.Goodbye = false
				is := func(k discovery.EventKind) happened { return happened{k, self.ID} }
				first := sealed(t, c.trust, self)
				put(t, table, first, 10*time.Second)
				expect(t, events, is(discovery.Added))
				time.Sleep(5 * time.Second)
				put(t, table, first, time.Minute) // a copy: no error, and no longer life
				time.Sleep(5 * time.Second)
				expect(t, events, is(discovery.Expired))

				// The latest one may come back, it may be that we were cut off; it counts as long as it says.
				put(t, table, first, 10*time.Second)
				expect(t, events, is(discovery.Added))
				second := sealed(t, c.trust, self)
				put(t, table, second, 15*time.Second)
				refused(t, table.Put(first, time.Minute), discovery.ErrStale)

				// Suspected, copies count for as long as the original did.
				table.Suspect(self.ID, time.Second)
				put(t, table, second, time.Minute)
				time.Sleep(15*time.Second - time.Nanosecond)
				expect(t, events)
				time.Sleep(time.Nanosecond)
				expect(t, events, is(discovery.Expired))

				refused(t, table.Put(first, time.Minute), discovery.ErrStale)
				third := sealed(t, c.trust, self)
				put(t, table, third, time.Minute)
				expect(t, events, is(discovery.Added))

				gone := bye(self)
				gone.Revision++
				gone = sealed(t, c.trust, gone)
				put(t, table, gone, time.Minute)
				expect(t, events, is(discovery.Left))
				for _, old := range []discovery.Record{first, second, third} {
					refused(t, table.Put(old, time.Minute), discovery.ErrStale)
				}
				time.Sleep(4 * time.Minute)
				refused(t, table.Put(third, time.Minute), discovery.ErrStale)
				if err := table.Leave(gone); err != nil {
					t.Errorf("the goodbye, again: %v", err)
				}
				expect(t, events)
				// The node itself may return at any time, also under the same revision; its old goodbye does not
				// count then.
				put(t, table, sealed(t, c.trust, self), time.Minute)
				expect(t, events, is(discovery.Added))
				refused(t, table.Leave(gone), discovery.ErrStale)
				expect(t, events)
				time.Sleep(2 * time.Minute)
				expect(t, events, is(discovery.Expired))
				refused(t, table.Put(third, time.Minute), discovery.ErrUntrusted)
			})
		})
	}
}

// Late answers do not bring back who has said goodbye, and nobody is locked out for longer than they may take.
func TestTableLateAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		events := watching(t, table, discovery.Query{})
		r := from(sample(1), "10.0.0.1")
		put(t, table, r, time.Minute)
		expect(t, events, is(discovery.Added, 1))
		if err := table.Leave(discovery.Record{ID: r.ID, From: r.From}); err != nil {
			t.Fatal(err)
		}
		expect(t, events, is(discovery.Left, 1))
		refused(t, table.Put(r, time.Minute), discovery.ErrStale)
		put(t, table, rev(r, 2), time.Minute)
		expect(t, events, is(discovery.Added, 1))
		if err := table.Leave(bye(rev(r, 3))); err != nil {
			t.Fatal(err)
		}
		expect(t, events, is(discovery.Left, 1))
		time.Sleep(2*time.Second - time.Nanosecond)
		refused(t, table.Put(rev(r, 3), time.Minute), discovery.ErrStale)
		time.Sleep(time.Nanosecond)
		put(t, table, r, time.Minute)
		expect(t, events, is(discovery.Added, 1))
	})
}

func TestTableFrom(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		events := watching(t, table, discovery.Query{})
		r := sample(1) // has 10.0.0.1
		heard := func(addr string, want ...string) {
			t.Helper()
			put(t, table, from(r, addr), time.Minute)
			var got []string
			for _, a := range table.Records(discovery.Query{})[0].From {
				got = append(got, a.String())
			}
			if !slices.Equal(got, want) {
				t.Errorf("heard from %v, want %v", got, want)
			}
		}
		heard("fe80::1%eth0", "fe80::1%eth0")
		expect(t, events, is(discovery.Added, 1))
		heard("10.0.0.1", "10.0.0.1", "fe80::1%eth0")
		heard("::ffff:10.0.0.1", "10.0.0.1", "fe80::1%eth0")
		heard("fe80::1%eth0", "fe80::1%eth0", "10.0.0.1")
		expect(t, events) // nothing that leads to another place
		heard("fe80::1%eth1", "fe80::1%eth1", "fe80::1%eth0", "10.0.0.1")
		got := expect(t, events, is(discovery.Updated, 1))
		if len(got[0].Record.From) != 3 {
			t.Errorf("told %v", got[0].Record.From)
		}
		for i := range 20 {
			put(t, table, from(r, netip.AddrFrom4([4]byte{10, 9, 9, byte(i)}).String()), time.Minute)
			expect(t, events, is(discovery.Updated, 1))
		}
		if n := len(table.Records(discovery.Query{})[0].From); n != 8 {
			t.Errorf("%d addresses are kept, want 8", n)
		}
		r.Revision = 2
		heard("10.0.0.2", "10.0.0.2") // the old addresses may be no more
		expect(t, events, is(discovery.Updated, 1))
		heard("10.0.0.3", "10.0.0.3", "10.0.0.2")
		time.Sleep(40 * time.Second)
		heard("10.0.0.3", "10.0.0.3", "10.0.0.2")
		time.Sleep(20 * time.Second)
		heard("10.0.0.3", "10.0.0.3") // nothing has come from the other for the time that an announcement counts

		// A copy says no more of which way is best.
		trust := groupTrust(t, 1)
		table = newTable(t, discovery.TableConfig{Trust: trust})
		r = sealed(t, trust, sample(2))
		heard("10.0.0.2", "10.0.0.2")
		heard("10.6.6.6", "10.0.0.2", "10.6.6.6")
		heard("10.0.0.2", "10.0.0.2", "10.6.6.6")
	})
}

func TestTableIncompatible(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{Wire: "zmtp/3.1"})
		events := watching(t, table, discovery.Query{})
		for i, wire := range []string{"", "zmtp/3.1", "zmtp/3.0", "zmtp/3"} {
			r := sample(i)
			r.Wire = wire
			put(t, table, r, time.Minute)
		}
		expect(t, events, is(discovery.Added, 0), is(discovery.Added, 1), is(discovery.Added, 2), is(discovery.Added, 3))
		for i, wire := range []string{"zmtp/4.0", "zmtp", "nng/3.1", "zmtp/31"} {
			r := sample(10 + i)
			r.Wire = wire
			put(t, table, r, time.Minute)
		}
		kind := discovery.Incompatible
		expect(t, events, is(kind, 10), is(kind, 11), is(kind, 12), is(kind, 13))
		if n := len(table.Records(discovery.Query{})); n != 4 {
			t.Errorf("%d records, want the 4 that can be talked to", n)
		}
		changed := rev(sample(10), 2)
		put(t, table, changed, time.Minute)
		expect(t, events, is(discovery.Added, 10))
		changed = rev(changed, 3)
		changed.Wire = "zmtp/4.0"
		put(t, table, changed, time.Minute)
		expect(t, events, is(kind, 10))
		table.Suspect(changed.ID, 0)
		expect(t, events, is(discovery.Expired, 10))
	})
}

func TestTableTakesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		r, want := full.Clone(), full.Clone()
		r.Goodbye, want.Goodbye = false, false
		put(t, table, r, time.Minute)
		scribble(&r)
		for range 2 {
			got := table.Records(discovery.Query{Group: "prod"})
			if len(got) != 1 || !reflect.DeepEqual(got[0].Services, want.Services) ||
				!reflect.DeepEqual(got[0].Meta, want.Meta) ||
				!reflect.DeepEqual(got[0].Addrs, want.Addrs) {
				t.Fatalf("kept %+v, want %+v", got, want)
			}
			scribble(&got[0])
		}
		ev := <-watching(t, table, discovery.Query{Group: "prod"})
		scribble(&ev.Record)
		if got := table.Records(discovery.Query{Group: "prod"}); !reflect.DeepEqual(got[0].Services, want.Services) {
			t.Errorf("an event shares the record: %+v", got)
		}
		refused(t, table.Put(discovery.Record{}, time.Minute), discovery.ErrRecord)
		refused(t, table.Leave(discovery.Record{}), discovery.ErrRecord)
		ugly := sample(1)
		ugly.Name = "\x1b[2J"
		refused(t, table.Put(ugly, time.Minute), discovery.ErrRecord)
		big := sample(1)
		big.Services = slices.Repeat(big.Services, 65)
		refused(t, table.Put(big, time.Minute), discovery.ErrRecord)
	})
}

// scribble overwrites all that a record may share.
func scribble(r *discovery.Record) {
	r.Services[0].Endpoints[0] = "scribble"
	r.Services[1].Name = "scribble"
	r.Meta["zone"] = "scribble"
	r.Addrs[0] = netip.Addr{}
}

func TestTableClose(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := discovery.NewTable("test", discovery.TableConfig{Watched: 2})
		a := watching(t, table, discovery.Query{})
		b := watching(t, table, discovery.Query{Service: "orders"})
		_, err := table.Watch(t.Context(), discovery.Query{})
		refused(t, err, discovery.ErrLimit)
		put(t, table, sample(1), time.Minute) // nobody reads it
		synctest.Wait()
		table.Close()
		table.Close()
		ended(a)
		ended(b)
		refused(t, table.Put(sample(1), time.Minute), discovery.ErrClosed)
		refused(t, table.Leave(sample(1)), discovery.ErrClosed)
		_, err = table.Watch(t.Context(), discovery.Query{})
		refused(t, err, discovery.ErrClosed)
		table.Sync()
		table.Trouble(discovery.ErrLimit)
		table.Suspect(nodeID(1), 0)
		table.Drop(nodeID(1), discovery.Left)
		if n := table.Records(discovery.Query{}); len(n) != 0 {
			t.Errorf("a closed table knows %v", n)
		}
	})
}

// Nodes that announce three times in the lifetime of their records are there all the time, however many they are.
func TestRefreshKeepsEverybody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		const peers = 500
		table := newTable(t, discovery.TableConfig{})
		const refresh, lifetime = 25 * time.Second, 75 * time.Second
		for range 5 {
			for i := range peers {
				put(t, table, sample(i), lifetime)
				time.Sleep(refresh / peers)
			}
		}
		if n := table.Stats(); n.Nodes != peers || n.Expired != 0 {
			t.Errorf("stats are %+v", n)
		}
		time.Sleep(lifetime)
		synctest.Wait()
		if n := table.Stats(); n.Nodes != 0 || n.Expired != peers {
			t.Errorf("stats are %+v after all have gone", n)
		}
	})
}
