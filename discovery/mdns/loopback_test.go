package mdns

import (
	"net"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// onLoopback keeps a test on this machine to its loopback interface.
func onLoopback() Option {
	return WithInterfaces(func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
}

// A group of its own keeps tests on one machine apart.
func uniqueGroup() string { return "test-" + discovery.NewID().String() }

func loopbackNode(group string) discovery.Record {
	return discovery.Record{
		ID: discovery.NewID(), Incarnation: uint64(time.Now().UnixMilli()), Group: group,
		Services: []discovery.Service{{Name: "orders", Type: "PUB", Endpoints: []string{"tcp://127.0.0.1:5555"}}},
	}
}

func TestLoopback(t *testing.T) {
	for _, order := range []string{"announce first", "watch first"} {
		t.Run(order, func(t *testing.T) {
			group := uniqueGroup()
			r := loopbackNode(group)
			a, b := New(onLoopback()), New(onLoopback())
			var ann discovery.Announcement
			if order == "announce first" {
				ann = announce(t, a, r)
			}
			v := watch(t, b, discovery.Query{Group: group})
			began := time.Now()
			if order != "announce first" {
				v.untilKind(discovery.Synced, 20*time.Second)
				began = time.Now()
				ann = announce(t, a, r)
			}
			v.until("found", 20*time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == 1 })
			t.Logf("found after %v, from %v; %+v", v.when[r.ID].Sub(began), v.nodes[r.ID].From, b.Stats())
			began = time.Now()
			bye(t, ann)
			v.until("gone", 20*time.Second, func(n map[discovery.ID]discovery.Record) bool { return len(n) == 0 })
			t.Logf("gone after %v", v.when[r.ID].Sub(began))
			v.close()
		})
	}
}
