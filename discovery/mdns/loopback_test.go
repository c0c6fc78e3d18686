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
			began := time.Now()
			v := watch(t, b, discovery.Query{Group: group})
			if order != "announce first" {
				v.untilKind(discovery.Synced, patience)
				began = time.Now()
				ann = announce(t, a, r)
			}
			v.until("found", patience, one)
			quick(t, "found", v.at(r.ID).Sub(began), 200*time.Millisecond)
			began = time.Now()
			bye(t, ann)
			v.until("gone", patience, none)
			quick(t, "gone", v.at(r.ID).Sub(began), 200*time.Millisecond)
			v.close()
		})
	}
}

// patience bounds every wait for something that has no bar of its own.
const patience = 20 * time.Second

func one(n map[discovery.ID]discovery.Record) bool  { return len(n) == 1 }
func none(n map[discovery.ID]discovery.Record) bool { return len(n) == 0 }

// quick logs how long something took, and fails the test if that is far from what it should be on a machine that has
// nothing else to do.
func quick(t testing.TB, what string, took, want time.Duration) {
	t.Helper()
	t.Logf("%s after %v (bar: %v)", what, took.Round(10*time.Microsecond), want)
	if limit := max(5*want, want+2*time.Second); took > limit {
		t.Errorf("%s after %v, want %v, and allow %v", what, took, want, limit)
	}
}
