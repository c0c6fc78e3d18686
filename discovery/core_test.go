package discovery_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// nodeID returns an ID made from a number.
func nodeID(n int) (id discovery.ID) {
	id[0], id[13], id[14], id[15] = 1, byte(n>>16), byte(n>>8), byte(n)
	return id
}

// sample returns a record of a node that offers "orders", in its first revision.
func sample(n int) discovery.Record {
	return discovery.Record{
		ID: nodeID(n), Incarnation: 1000, Revision: 1, Wire: "zmtp/3.1",
		Addrs:    []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})},
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://*:5555"}}},
	}
}

// from returns the record as it arrives from that address.
func from(r discovery.Record, addr string) discovery.Record {
	r.From = []netip.Addr{netip.MustParseAddr(addr)}
	return r
}

// rev returns the record in a later revision.
func rev(r discovery.Record, n uint64) discovery.Record {
	r.Revision = n
	return r
}

// sealed returns the record as it is announced now.
func sealed(t *testing.T, trust discovery.Trust, r discovery.Record) discovery.Record {
	t.Helper()
	r = r.Clone()
	if err := trust.Seal(&r); err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return r
}

func bye(r discovery.Record) discovery.Record {
	r.Goodbye = true
	return r
}

// groupTrust returns a Trust with a fixed group key.
func groupTrust(t testing.TB, seed byte) discovery.Trust {
	t.Helper()
	key := make([]byte, 32)
	key[0] = seed
	trust, err := discovery.GroupKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// newTable returns a table that is closed in time for the bubble to end.
func newTable(t *testing.T, c discovery.TableConfig) *discovery.Table {
	t.Helper()
	table := discovery.NewTable("test", c)
	t.Cleanup(table.Close)
	return table
}

func put(t *testing.T, table *discovery.Table, r discovery.Record, ttl time.Duration) {
	t.Helper()
	if err := table.Put(r, ttl); err != nil {
		t.Fatalf("Put of %d.%d: %v", r.Incarnation, r.Revision, err)
	}
}

// refused says what has to become of a record that must not count.
func refused(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// watching returns the events of a watch that ends with the test.
func watching(t *testing.T, w discovery.Watcher, q discovery.Query) <-chan discovery.Event {
	t.Helper()
	ch, err := w.Watch(t.Context(), q)
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	return ch
}

// expect reads events, each of the kind and with the node that is wanted, and then finds no other. It needs a bubble.
func expect(t *testing.T, ch <-chan discovery.Event, want ...happened) []discovery.Event {
	t.Helper()
	var got []discovery.Event
	for i, w := range want {
		synctest.Wait()
		select {
		case ev, ok := <-ch:
			if !ok {
				t.Fatalf("event %d: channel closed, want %v", i, w)
			}
			if is := (happened{ev.Kind, ev.Record.ID}); is != w {
				t.Fatalf("event %d: %v (%v), want %v", i, is, ev.Err, w)
			}
			got = append(got, ev)
		default:
			t.Fatalf("event %d: none, want %v", i, w)
		}
	}
	synctest.Wait()
	select {
	case ev, ok := <-ch:
		t.Fatalf("one event too many: %v %v %v (open %v)", ev.Kind, ev.Record.ID, ev.Err, ok)
	default:
	}
	return got
}

type happened struct {
	kind discovery.EventKind
	id   discovery.ID
}

var synced = happened{kind: discovery.Synced}

func is(k discovery.EventKind, n int) happened { return happened{k, nodeID(n)} }

// bubble runs a test on virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// ended reads until the channel is closed.
func ended(ch <-chan discovery.Event) {
	for range ch {
	}
}
