package sockettest_test

import (
	"maps"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/sockettest"
)

// TestGoZeromq holds our sockets against those of go-zeromq, each side in turn as the local one, and those of go-zeromq
// against each other: the control, which shows that the suite finds what is known to be wrong there.
func TestGoZeromq(t *testing.T) {
	t.Parallel()
	ours := func(testing.TB) sockettest.Side { return yodel() }
	for _, p := range []struct {
		name          string
		local, remote func(t testing.TB) sockettest.Side
		expected      map[string]string
		overIPC       map[string]string // what is expected there besides
	}{
		{"yodel", ours, goZeromq, remoteFailures, remoteIPCFailures},
		{"go-zeromq", goZeromq, ours, localFailures, nil},
		{"control", goZeromq, goZeromq, union(localFailures, controlFailures), remoteIPCFailures},
	} {
		for name, endpoint := range map[string]func(testing.TB) string{"tcp": tcp, "ipc": ipc} {
			expected := p.expected
			if name == "ipc" {
				expected = union(expected, p.overIPC)
			}
			t.Run(p.name+"-"+name, func(t *testing.T) {
				t.Parallel()
				sockettest.Run(t, sockettest.Factory{
					Local: p.local(t), Remote: p.remote(t), Endpoint: endpoint, Dial: dial,
					Lacks:            map[sockettest.Capability]string{sockettest.ExactQueues: "the kernel has buffers"},
					ExpectedFailures: expected,
					Patience:         5 * time.Second,
				})
			})
		}
	}
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// Why go-zeromq fails.
const (
	everybody      = "what is meant for one peer goes to every peer"
	peerIsError    = "a peer that leaves is an error of Recv"
	noCancel       = "subscriptions are a set: of two, one Unsubscribe ends both"
	noFilter       = "SUB takes what the publisher sends, whether it has subscribed to it or not"
	noShow         = "XPUB shows no subscriptions"
	lastEmpty      = "REP and REQ take the last empty frame for the delimiter, not the first"
	anyReply       = "REQ takes any message for the reply"
	noEnd          = "a peer's end is not noticed, or its reconnect fails, and Send waits for ever"
	afterClose     = "Send after Close returns nil"
	noDials        = "a failed handshake ends a Dial for good; nothing tries again"
	wrongPeers     = "a REQ without a peer returns an error, and one that was refused is not tried again"
	refusedIsError = "a connection that was refused is an error of Recv, or is not tried again"
	stalePath      = "the path that a killed process has left behind cannot be bound again"
	anyPair        = "a PAIR receives from any number of peers"
)

// localFailures are those of go-zeromq as the local side, in either pairing.
var localFailures = map[string]string{
	"pipeline/round-robin":                     everybody,
	"routing/dealer-round-robin":               everybody,
	"pubsub/subscriptions-are-counted":         noCancel,
	"pubsub/publisher-killed":                  peerIsError,
	"pubsub/publisher-restarts":                peerIsError,
	"xpub/shows-subscriptions":                 noShow,
	"xpub/departure-cancels":                   noShow,
	"xpub/upstream-messages":                   noShow,
	"xpub/subscriber-killed":                   noShow,
	"xpub/forwarder":                           noShow,
	"reqrep/deep-envelope":                     lastEmpty,
	"reqrep/request-without-envelope":          "REP returns an error for it instead of going on",
	"reqrep/only-a-proper-reply":               anyReply,
	"reqrep/broker":                            lastEmpty,
	"lifecycle/bound-peer-restarts":            peerIsError,
	"faults/receiver-killed":                   noEnd,
	"lifecycle/connecting-peers-come-and-go":   peerIsError,
	"lifecycle/open-and-close":                 peerIsError,
	"pair/one-peer-only":                       anyPair,
	"faults/cuts-lose-only-what-was-under-way": noEnd,
	"faults/cuts-of-what-is-received":          noEnd,
	"lifecycle/close-ends-recv":                "Recv of an XPUB returns without an error",
	"lifecycle/close-ends-send":                "Send returns nil when the socket closes",
	"lifecycle/closed-is-closed":               afterClose,
	"lifecycle/wrong-peer-then-right-peer":     wrongPeers,
}

// controlFailures come to these when the remote side is go-zeromq too.
var controlFailures = map[string]string{
	"xpub/xsub-subscribes-by-message": noShow,
	"reqrep/whole-messages":           lastEmpty,
	"faults/receiver-killed":          noEnd,
	"faults/cut-at-every-byte":        noDials,
}

// remoteFailures are those of go-zeromq as the remote side of ours.
var remoteFailures = map[string]string{
	"pubsub/publisher-killed":                  noShow,
	"pubsub/publisher-restarts":                noShow,
	"xpub/xsub-subscribes-by-message":          noShow,
	"xpub/forwarder":                           noShow,
	"reqrep/whole-messages":                    lastEmpty,
	"lifecycle/actual-endpoint":                peerIsError,
	"xpub/welcome":                             noFilter,
	"lifecycle/disconnect":                     peerIsError,
	"lifecycle/wrong-peer-then-right-peer":     noShow,
	"routing/the-next-in-line":                 refusedIsError,
	"pair/the-next-in-line":                    refusedIsError,
	"faults/cuts-lose-only-what-was-under-way": noEnd,
	"faults/cuts-of-what-is-received":          noEnd,
	"faults/cut-at-every-byte":                 noDials,
}

// remoteIPCFailures come to these over ipc.
var remoteIPCFailures = map[string]string{
	"faults/receiver-killed":     stalePath,
	"reqrep/peer-killed-is-told": stalePath,
}
