package gossip

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/discovery"
)

// A memoryBackend is a backend within this process, to which all records come from loopback.
type memoryBackend struct {
	mu      sync.Mutex
	records map[discovery.ID]discovery.Record
	table   *discovery.Table
}

func newMemoryBackend() *memoryBackend {
	return &memoryBackend{records: make(map[discovery.ID]discovery.Record)}
}

func (b *memoryBackend) Name() string { return "board" }

func (b *memoryBackend) Announce(_ context.Context, r discovery.Record) (discovery.Announcement, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.table == nil {
		b.table = discovery.NewTable("board", discovery.TableConfig{})
	}
	r.From = slices.Clone(r.Addrs)
	b.records[r.ID] = r
	return &note{b: b, id: r.ID}, b.table.Put(r, discovery.Forever)
}

func (b *memoryBackend) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.table == nil {
		b.table = discovery.NewTable("board", discovery.TableConfig{})
	}
	return b.table.Watch(ctx, q)
}

type note struct {
	b  *memoryBackend
	id discovery.ID
}

func (n *note) Update(discovery.Record) error { return errors.New("not here") }

func (n *note) Close(context.Context) error {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	delete(n.b.records, n.id)
	n.b.table.Drop(n.id, discovery.Left)
	return nil
}

func TestSeedAddrs(t *testing.T) {
	from := []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fe80::1%eth0")}
	service := func(endpoints ...string) []discovery.Service {
		return []discovery.Service{
			{Name: "orders", Endpoints: []string{"tcp://1.2.3.4:1"}}, {Name: ServiceName, Endpoints: endpoints},
		}
	}
	near := func(a netip.Addr) bool {
		return netip.MustParsePrefix("10.0.0.0/24").Contains(a) || a.IsLoopback()
	}
	for name, c := range map[string]struct {
		r    discovery.Record
		want []string
	}{
		"a stranger's": {
			discovery.Record{From: from[:1], Services: service("tcp://192.0.2.1:7946")}, []string{"10.0.0.9:7946"},
		},
		"from nowhere": {discovery.Record{Services: service("tcp://192.0.2.1:7946")}, nil},
		"the user's word": {
			discovery.Record{Configured: true, Services: service("tcp://gossip.example:7946")}, []string{"gossip.example:7946"},
		},
		"link-local": {discovery.Record{From: from, Services: service("tcp://*:1")}, []string{"10.0.0.9:1"}},
		"on our network": {
			discovery.Record{From: from[1:], Services: service("tcp://10.0.0.8:1", "tcp://10.9.0.8:1")}, []string{"10.0.0.8:1"},
		},
		"loopback": {discovery.Record{From: from[1:], Services: service("tcp://127.0.0.1:1")}, nil},
		"not an address": {
			discovery.Record{Configured: true, Services: service("ipc:///x", "tcp://a", "tcp://a:0", "tcp://a:x")}, nil,
		},
		"other service": {discovery.Record{Configured: true, Services: service()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := seedAddrs(&c.r, near); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
