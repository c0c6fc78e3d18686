package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// A netBackend is a backend on a network that exists in the test alone: what one announces all others hear, unless
// cut off.
type netBackend struct {
	name      string
	table     *discovery.Table
	announces error // what Announce fails with
	watches   error // what Watch fails with

	mu        sync.Mutex
	confirmed []discovery.ID
	log       []string
}

func newNetBackend(t *testing.T, name string) *netBackend {
	t.Helper()
	b := &netBackend{name: name, table: discovery.NewTable(name, discovery.TableConfig{})}
	t.Cleanup(b.table.Close)
	return b
}

func (b *netBackend) Name() string { return b.name }

func (b *netBackend) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	if b.watches != nil {
		return nil, b.watches
	}
	return b.table.Watch(ctx, q)
}

func (b *netBackend) Announce(_ context.Context, self discovery.Record) (discovery.Announcement, error) {
	if b.announces != nil {
		return nil, b.announces
	}
	b.note("announce %d", self.Revision)
	return &netAnnouncement{b}, nil
}

func (b *netBackend) Confirm(id discovery.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.confirmed = append(b.confirmed, id)
}

func (b *netBackend) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, fmt.Sprintf(format, args...))
}

func (b *netBackend) noted() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.log, ", ")
}

type netAnnouncement struct{ of *netBackend }

func (a *netAnnouncement) Update(r discovery.Record) error {
	a.of.note("update %d", r.Revision)
	if a.of.watches != nil {
		return a.of.watches
	}
	return nil
}

// Close takes as long as a goodbye may.
func (a *netAnnouncement) Close(ctx context.Context) error {
	goodbye := time.NewTimer(time.Second)
	defer goodbye.Stop()
	select {
	case <-goodbye.C:
		a.of.note("close")
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// silent is a backend without Confirm.
type silent struct{ discovery.Backend }

func TestMergeWatch(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a, b := newNetBackend(t, "a"), newNetBackend(t, "b")
		events := watching(t, discovery.Merge(a, nil, b), discovery.Query{})
		one := sample(1)
		put(t, a.table, from(one, "10.0.0.1"), time.Minute)
		expect(t, events, is(discovery.Added, 1))
		put(t, b.table, from(one, "10.0.0.1"), time.Minute)
		expect(t, events) // it is known
		a.table.Sync()
		expect(t, events)
		b.table.Sync()
		expect(t, events, synced)

		// b knows another way to it.
		two := one.Clone()
		two.Revision = 2
		two.Addrs = []netip.Addr{netip.MustParseAddr("10.7.7.7")}
		two.Proof = []byte("proof")
		put(t, b.table, from(two, "10.8.8.8"), time.Minute)
		got := expect(t, events, is(discovery.Updated, 1))[0]
		if r := got.Record; got.Source != "b" || r.Revision != 2 || r.Proof != nil ||
			fmt.Sprint(r.Addrs) != "[10.7.7.7 10.0.0.1]" ||
			fmt.Sprint(r.From) != "[10.8.8.8 10.0.0.1]" {
			t.Errorf("merged into %+v", got)
		}
		// What is older adds nothing but its addresses, and changes nothing when it is heard again.
		put(t, a.table, from(one, "10.0.0.1"), time.Minute)
		expect(t, events)
		// A restarted node is where it is now.
		again := sample(1)
		again.Incarnation++
		again.Addrs[0] = netip.MustParseAddr("10.9.9.9")
		put(t, a.table, from(again, "10.9.9.9"), time.Minute)
		got = expect(t, events, is(discovery.Updated, 1))[0]
		if r := got.Record; fmt.Sprint(r.Addrs, r.From) != "[10.9.9.9] [10.9.9.9]" || r.Revision != 1 {
			t.Errorf("merged into %+v", got)
		}
		// One goodbye is not the end: b still believes in the old one.
		if err := a.table.Leave(bye(from(again, "10.9.9.9"))); err != nil {
			t.Fatal(err)
		}
		got = expect(t, events, is(discovery.Updated, 1))[0]
		if r := got.Record; r.Incarnation != 1000 || r.Revision != 2 || string(r.Proof) != "proof" || len(r.Addrs) != 1 {
			t.Errorf("merged into %+v", got)
		}
		time.Sleep(time.Minute)
		if got := expect(t, events, is(discovery.Expired, 1))[0]; got.Source != "b" || got.Record.Revision != 2 {
			t.Errorf("told %+v", got)
		}
	})
}

// A peer that two backends see stays while one of them is cut off, and comes back to it without anybody being told.
func TestMergePartition(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		lan, wan := newNetBackend(t, "lan"), newNetBackend(t, "wan")
		events := watching(t, discovery.Merge(lan, wan), discovery.Query{})
		cut, dead := false, false
		steps := func(n int) { // the peer announces itself every 5 s
			for range n {
				if !dead {
					put(t, wan.table, from(sample(1), "10.1.1.1"), 15*time.Second)
				}
				if !cut && !dead {
					put(t, lan.table, from(sample(1), "10.1.1.1"), 15*time.Second)
				}
				time.Sleep(5 * time.Second)
			}
		}
		steps(10)
		expect(t, events, is(discovery.Added, 1))
		cut = true
		steps(10)
		synctest.Wait()
		if n := lan.table.Stats(); n.Nodes != 0 || n.Expired != 1 {
			t.Fatalf("the lan is not cut: %+v", n)
		}
		expect(t, events)
		cut = false
		steps(10)
		expect(t, events)
		dead = true
		steps(3)
		expect(t, events, is(discovery.Expired, 1))
	})
}

func TestMergeIncompatible(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a := newNetBackend(t, "a")
		b := &netBackend{name: "b", table: newTable(t, discovery.TableConfig{Wire: "other/1"})}
		events := watching(t, discovery.Merge(a, b), discovery.Query{})
		put(t, b.table, sample(1), time.Minute)
		expect(t, events, is(discovery.Incompatible, 1))
		put(t, a.table, rev(sample(1), 2), time.Minute)
		expect(t, events, is(discovery.Added, 1))
		put(t, b.table, rev(sample(1), 3), time.Minute)
		expect(t, events, is(discovery.Incompatible, 1))
		b.table.Drop(nodeID(1), discovery.Left)
		expect(t, events, is(discovery.Added, 1))
		a.table.Drop(nodeID(1), discovery.Left)
		expect(t, events, is(discovery.Left, 1))
	})
}

func TestMergeTrouble(t *testing.T) {
	t.Parallel()
	trouble := happened{kind: discovery.Trouble}
	broken := errors.New("no network")
	t.Run("one cannot be watched", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			a, b := newNetBackend(t, "a"), newNetBackend(t, "b")
			b.watches = broken
			events := watching(t, discovery.Merge(a, b), discovery.Query{})
			if got := expect(t, events, trouble)[0]; !errors.Is(got.Err, broken) || got.Source != "b" {
				t.Errorf("told %+v", got)
			}
			a.table.Trouble(broken)
			if got := expect(t, events, trouble)[0]; got.Source != "a" {
				t.Errorf("told %+v", got)
			}
			a.table.Sync()
			expect(t, events, synced)
		})
	})
	t.Run("none can be watched", func(t *testing.T) {
		a, b := newNetBackend(t, "a"), newNetBackend(t, "b")
		a.watches, b.watches = broken, discovery.ErrClosed
		_, err := discovery.Merge(a, b).Watch(t.Context(), discovery.Query{})
		refused(t, err, broken)
		refused(t, err, discovery.ErrClosed)
	})
	t.Run("one ends", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			a, b := newNetBackend(t, "a"), newNetBackend(t, "b")
			events := watching(t, discovery.Merge(a, b), discovery.Query{})
			put(t, a.table, sample(1), time.Minute)
			expect(t, events, is(discovery.Added, 1))
			put(t, b.table, sample(1), time.Minute)
			put(t, b.table, sample(2), time.Minute)
			expect(t, events, is(discovery.Added, 2))
			a.table.Sync()
			b.table.Close()
			if got := expect(t, events, trouble, is(discovery.Expired, 2), synced)[0]; !errors.Is(got.Err,
				discovery.ErrClosed) || got.Source != "b" {
				t.Errorf("told %+v", got)
			}
		})
	})
	t.Run("one cannot announce", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			a, b, c := newNetBackend(t, "a"), newNetBackend(t, "b"), newNetBackend(t, "c")
			b.announces, c.announces = broken, fmt.Errorf("%w: c", discovery.ErrReadOnly)
			merged := discovery.Merge(a, b, c)
			if _, err := merged.Announce(t.Context(), sample(1)); err != nil {
				t.Fatal(err)
			}
			events := watching(t, merged, discovery.Query{})
			if got := expect(t, events, trouble)[0]; !errors.Is(got.Err, broken) {
				t.Errorf("told %+v", got)
			}
			if _, err := merged.Announce(t.Context(), sample(1)); err != nil {
				t.Fatal(err)
			}
			expect(t, events, trouble)
			_, err := discovery.Merge(b, c).Announce(t.Context(), sample(1))
			refused(t, err, broken)
			_, err = discovery.Merge(c).Announce(t.Context(), sample(1))
			refused(t, err, discovery.ErrReadOnly)
		})
	})
}

func TestMergeAnnounce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a, b := newNetBackend(t, "a"), newNetBackend(t, "b")
		merged := discovery.Merge(a, silent{b})
		if merged.Name() != "a+b" {
			t.Errorf("name is %q", merged.Name())
		}
		said, err := merged.Announce(t.Context(), sample(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := said.Update(rev(sample(1), 2)); err != nil {
			t.Fatal(err)
		}
		b.watches = errors.New("gone deaf")
		if err := said.Update(rev(sample(1), 3)); err == nil || err.Error() != "b: gone deaf" {
			t.Errorf("Update: %v", err)
		}
		start := time.Now()
		if err := said.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("two goodbyes took %v, want the time of one", took)
		}
		for _, one := range []*netBackend{a, b} {
			if got := one.noted(); got != "announce 1, update 2, update 3, close" {
				t.Errorf("%s was told to %s", one.name, got)
			}
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := said.Close(over); !errors.Is(err, context.Canceled) {
			t.Errorf("Close without time: %v", err)
		}
		merged.(discovery.Confirmer).Confirm(nodeID(1))
		if !slices.Equal(a.confirmed, []discovery.ID{nodeID(1)}) || b.confirmed != nil {
			t.Errorf("confirmed %v and %v", a.confirmed, b.confirmed)
		}
	})
}

func TestMergeOfNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		merged := discovery.Merge()
		expect(t, watching(t, merged, discovery.Query{}), synced)
		_, err := merged.Announce(t.Context(), sample(1))
		refused(t, err, discovery.ErrReadOnly)
	})
}

// A reader that does not read delays neither other readers nor the backends, and its end frees all.
func TestMergeSlowReader(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		a, b := newNetBackend(t, "a"), newNetBackend(t, "b")
		merged := discovery.Merge(a, discovery.Merge(b))
		ctx, cancel := context.WithCancel(t.Context())
		slow, err := merged.Watch(ctx, discovery.Query{})
		if err != nil {
			t.Fatal(err)
		}
		quick := watching(t, merged, discovery.Query{})
		put(t, a.table, sample(0), time.Hour)
		expect(t, quick, is(discovery.Added, 0))
		for i := range uint64(100) {
			put(t, a.table, rev(sample(1), 2*i+1), time.Hour)
			synctest.Wait()
			put(t, b.table, rev(sample(1), 2*i+2), time.Hour)
			kind := discovery.Updated
			if i == 0 {
				kind = discovery.Added
			}
			expect(t, quick, is(kind, 1), is(discovery.Updated, 1))
		}
		got := expect(t, slow, is(discovery.Added, 0), is(discovery.Added, 1))
		if got[1].Record.Revision != 200 {
			t.Errorf("told revision %d", got[1].Record.Revision)
		}
		put(t, a.table, sample(2), time.Hour)
		synctest.Wait()
		cancel()
		ended(slow)
		synctest.Wait()
		if n := a.table.Stats().Watches; n != 1 {
			t.Errorf("%d watches of the backend are left, want that of the other reader", n)
		}
	})
}
