package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func TestWatchSynced(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		early := watching(t, table, discovery.Query{})
		put(t, table, sample(1), time.Minute)
		expect(t, early, is(discovery.Added, 1))
		put(t, table, sample(2), time.Minute)
		table.Sync()
		table.Sync()
		put(t, table, sample(3), time.Minute)
		expect(t, early, is(discovery.Added, 2), synced, is(discovery.Added, 3))

		late := watching(t, table, discovery.Query{})
		table.Sync()
		synctest.Wait()
		seen := map[discovery.ID]bool{}
		for range 3 {
			seen[(<-late).Record.ID] = true
		}
		if len(seen) != 3 {
			t.Errorf("the late one was told of %v first", seen)
		}
		expect(t, late, synced)
		expect(t, early)
	})
}

func TestWatchQueries(t *testing.T) {
	t.Parallel()
	for mode, trust := range map[string]discovery.Trust{"open": discovery.Open(), "group-key": groupTrust(t, 1)} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				table := newTable(t, discovery.TableConfig{Trust: trust})
				all := watching(t, table, discovery.Query{Group: "default"})
				orders := watching(t, table, discovery.Query{Service: "orders"})
				prod := watching(t, table, discovery.Query{Group: "prod"})
				lab := watching(t, table, discovery.Query{Group: "lab", Service: "orders"})
				one, two := sample(1), sample(2)
				two.Group = "prod"
				put(t, table, sealed(t, trust, one), time.Minute)
				put(t, table, sealed(t, trust, two), time.Minute)
				for ch, group := range map[<-chan discovery.Event]string{all: "default", orders: "default"} {
					if got := expect(t, ch, is(discovery.Added, 1)); got[0].Record.Group != group {
						t.Errorf("the group is called %q, want %q", got[0].Record.Group, group)
					}
				}
				if got := expect(t, prod, is(discovery.Added, 2)); got[0].Record.Group != "prod" {
					t.Errorf("the group is called %q", got[0].Record.Group)
				}
				if got := table.Records(discovery.Query{Group: "prod"}); len(got) != 1 || got[0].ID != two.ID ||
					got[0].Group != "prod" {
					t.Errorf("records of prod are %+v", got)
				}

				// A service is withdrawn, and offered again.
				one = rev(one.Clone(), 2)
				one.Services[0].Name = "bills"
				put(t, table, sealed(t, trust, one), time.Minute)
				expect(t, all, is(discovery.Updated, 1))
				if got := expect(t, orders, is(discovery.Left, 1)); got[0].Record.Services[0].Name != "orders" {
					t.Errorf("Left tells %+v, want what was known before", got[0].Record)
				}
				put(t, table, sealed(t, trust, rev(sample(1), 3)), time.Minute)
				expect(t, all, is(discovery.Updated, 1))
				expect(t, orders, is(discovery.Added, 1))

				// A node moves to another group.
				two = rev(two, 2)
				two.Group = ""
				put(t, table, sealed(t, trust, two), time.Minute)
				expect(t, prod, is(discovery.Left, 2))
				expect(t, all, is(discovery.Added, 2))
				expect(t, orders, is(discovery.Added, 2))
				expect(t, lab)
			})
		})
	}
	table := newTable(t, discovery.TableConfig{})
	for _, q := range []discovery.Query{{Group: "A"}, {Group: "~x"}, {Service: "a b"}} {
		_, err := table.Watch(t.Context(), q)
		refused(t, err, discovery.ErrRecord)
		if got := table.Records(q); len(got) != 0 {
			t.Errorf("%+v matches %v", q, got)
		}
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		idle, err := table.Watch(ctx, discovery.Query{})
		if err != nil {
			t.Fatal(err)
		}
		stuck, err := table.Watch(ctx, discovery.Query{})
		if err != nil {
			t.Fatal(err)
		}
		put(t, table, sample(1), time.Minute)
		<-idle
		synctest.Wait()
		if n := table.Stats().Watches; n != 2 {
			t.Errorf("%d watches, want 2", n)
		}
		cancel()
		ended(idle)
		ended(stuck)
		synctest.Wait()
		if n := table.Stats().Watches; n != 0 {
			t.Errorf("%d watches are left", n)
		}
		over, err := table.Watch(ctx, discovery.Query{}) // with a context that has ended
		if err != nil {
			t.Fatal(err)
		}
		ended(over)
	})
}

func TestWatchTrouble(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		table.Trouble(nil)
		for i := range 20 {
			table.Trouble(fmt.Errorf("trouble %d", i))
		}
		told := func(ch <-chan discovery.Event) (texts []string) {
			t.Helper()
			for {
				synctest.Wait()
				select {
				case ev := <-ch:
					if ev.Kind != discovery.Trouble || ev.Source != "test" {
						t.Fatalf("told %+v", ev)
					}
					texts = append(texts, ev.Err.Error())
				default:
					return texts
				}
			}
		}
		first := watching(t, table, discovery.Query{})
		if got := told(first); len(got) != 8 || got[7] != "trouble 19" {
			t.Errorf("what happened before was told as %q, want the last 8", got)
		}
		second := watching(t, table, discovery.Query{})
		if got := told(second); len(got) != 0 {
			t.Errorf("the second one was told %q", got)
		}
		for i := range 1000 {
			table.Trouble(fmt.Errorf("more %d", i))
		}
		for _, ch := range []<-chan discovery.Event{first, second} {
			if got := told(ch); len(got) > 10 || !slices.Contains(got, "more 999") {
				t.Errorf("a reader that waited was told %d: %q", len(got), got)
			}
		}
	})
}

// A slow reader is told the latest state of each node, once, in an order that makes sense, and never of nodes that
// came and went.
func TestWatchCoalesces(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		table := newTable(t, discovery.TableConfig{})
		events := watching(t, table, discovery.Query{})
		put(t, table, sample(9), time.Hour) // stands ready for the reader, whatever comes
		synctest.Wait()
		for i := uint64(1); i <= 100; i++ {
			put(t, table, rev(sample(1), i), time.Minute)
		}
		put(t, table, sample(2), time.Minute)
		put(t, table, sample(3), time.Minute)
		table.Drop(nodeID(2), discovery.Left)
		table.Sync()
		put(t, table, sample(4), time.Minute)
		got := expect(t, events, is(discovery.Added, 9), is(discovery.Added, 1), is(discovery.Added, 3), synced,
			is(discovery.Added, 4))
		if n := got[1].Record.Revision; n != 100 {
			t.Errorf("told revision %d, want the latest", n)
		}

		// While it looks away again: 9 changes twice, 1 goes, 3 goes and comes back, 4 comes to speak another language.
		put(t, table, rev(sample(9), 2), time.Minute)
		synctest.Wait()
		put(t, table, rev(sample(9), 3), time.Minute)
		put(t, table, rev(sample(9), 4), time.Minute)
		table.Drop(nodeID(1), discovery.Left)
		table.Drop(nodeID(3), discovery.Left)
		put(t, table, rev(sample(3), 2), time.Minute)
		got = expect(t, events, is(discovery.Updated, 9), is(discovery.Updated, 9), is(discovery.Left, 1),
			is(discovery.Updated, 3))
		if got[0].Record.Revision != 2 || got[1].Record.Revision != 4 || got[3].Record.Revision != 2 {
			t.Errorf("told revisions %d, %d, %d", got[0].Record.Revision, got[1].Record.Revision, got[3].Record.Revision)
		}
	})
}

// However much happens and however the reader pauses, what it was told adds up: nodes are added before they change
// and leave, revisions only grow, and in the end it believes what the table knows.
func TestWatchAddsUp(t *testing.T) {
	t.Parallel()
	for _, every := range []int{1, 3, 50, 1000} {
		t.Run(fmt.Sprintf("reads every %d", every), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				table := newTable(t, discovery.TableConfig{Wire: "zmtp/3.1"})
				events := watching(t, table, discovery.Query{Service: "orders"})
				believes := map[discovery.ID]discovery.Event{}
				read := func() bool {
					t.Helper()
					synctest.Wait()
					select {
					case ev := <-events:
						if err := believe(believes, ev); err != nil {
							t.Fatal(err)
						}
						return true
					default:
						return false
					}
				}
				state := uint64(every)
				random := func(n uint64) uint64 { // the same every time
					state = state*6364136223846793005 + 1442695040888963407
					return (state >> 33) % n
				}
				for i := range 5000 {
					r := rev(sample(int(random(20))), uint64(i))
					switch random(8) {
					case 0:
						r.Services[0].Name = "bills"
					case 1:
						r.Wire = "zmtp/4.0"
					case 2, 3:
						table.Drop(r.ID, discovery.Left)
						continue
					}
					put(t, table, r, time.Hour)
					if i%every == 0 {
						read()
					}
				}
				for read() {
				}
				alive := 0
				for id, ev := range believes {
					if ev.Kind != discovery.Incompatible {
						alive++
					}
					_ = id
				}
				known := table.Records(discovery.Query{Service: "orders"})
				if alive != len(known) {
					t.Errorf("the reader believes in %d nodes, there are %d", alive, len(known))
				}
				for _, r := range known {
					if ev := believes[r.ID]; ev.Record.Revision != r.Revision {
						t.Errorf("%v: the reader believes in revision %d, it is %d", r.ID, ev.Record.Revision, r.Revision)
					}
				}
			})
		})
	}
}

// believe takes an event in as a reader does, and says what cannot be.
func believe(known map[discovery.ID]discovery.Event, ev discovery.Event) error {
	before, there := known[ev.Record.ID]
	switch ev.Kind {
	case discovery.Added:
		if there && before.Kind != discovery.Incompatible {
			return errors.New("added twice")
		}
		known[ev.Record.ID] = ev
	case discovery.Incompatible:
		known[ev.Record.ID] = ev
	case discovery.Updated:
		if !there || before.Kind == discovery.Incompatible {
			return errors.New("updated what was not there")
		}
		known[ev.Record.ID] = ev
	case discovery.Left, discovery.Expired:
		if !there {
			return errors.New("gone without having been there")
		}
		delete(known, ev.Record.ID)
	default:
		return fmt.Errorf("%v is not expected here", ev.Kind)
	}
	if there && ev.Record.Revision < before.Record.Revision {
		return fmt.Errorf("revision %d after %d", ev.Record.Revision, before.Record.Revision)
	}
	return nil
}
