package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// asChild has the test binary be a process with a control socket, which is named by it, until its input ends.
const asChild = "OBSERVE_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(asChild); name != "" {
		r := New(WithProcessName(name))
		r.Add("work", &fake{typ: "PULL"})
		fmt.Println(r.Listen())
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = r.Close()
		return
	}
	goleak.VerifyTestMain(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A fake is a socket that says what it is told to.
type fake struct {
	typ    string
	stats  socket.Stats
	events []socket.Event
	asked  atomic.Int64
}

func (f *fake) Type() string { return f.typ }

func (f *fake) Stats() socket.Stats {
	f.asked.Add(1)
	return f.stats
}

func (f *fake) Events(ctx context.Context) iter.Seq[socket.Event] {
	f.asked.Add(1)
	return func(yield func(socket.Event) bool) {
		for _, ev := range f.events {
			if !yield(ev) {
				return
			}
		}
	}
}

type fakeSpool struct{ stats spool.Stats }

func (f fakeSpool) Stats() spool.Stats { return f.stats }

// inspected is how a node of another package may say what it is.
type inspected struct{ v any }

func (i inspected) Inspect() any { return i.v }

// fixedTime is now, in tests with figures.
var fixedTime = time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)

// errRefused is what a failed attempt to connect looks like.
var errRefused = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// balanced is a ledger that uses each column.
func balanced() socket.Ledger {
	return socket.Ledger{
		Accepted:       socket.Count{Messages: 1000, Bytes: 10000},
		Recovered:      socket.Count{Messages: 111, Bytes: 1110},
		Delivered:      socket.Count{Messages: 1000, Bytes: 10000},
		Queued:         socket.Count{Messages: 50, Bytes: 500},
		Spooled:        socket.Count{Messages: 40, Bytes: 400},
		Unacknowledged: socket.Count{Messages: 10, Bytes: 100},
		Requeued:       socket.Count{Messages: 8, Bytes: 80},
		Dropped:        map[socket.Reason]socket.Count{socket.QueueFull: {Messages: 3, Bytes: 30}},
		Received:       socket.Count{Messages: 200, Bytes: 2000},
		Loaded:         socket.Count{Messages: 22, Bytes: 220},
		Handed:         socket.Count{Messages: 200, Bytes: 2000},
		Unread:         socket.Count{Messages: 18, Bytes: 180},
		Stored:         socket.Count{Messages: 3, Bytes: 30},
		Discarded:      map[socket.Reason]socket.Count{socket.BadEnvelope: {Messages: 1, Bytes: 10}},
	}
}

// exemplary is a registry with something in each field of its snapshot.
func exemplary(opts ...Option) *Registry {
	r := New(opts...)
	r.now = func() time.Time { return fixedTime }
	r.process = Process{
		Name: "web", PID: 42, Node: "9ca20000000000000000000000000001", Host: "a1", Version: "v0.3.0", Go: "go1.26.8",
		Started: fixedTime.Add(-time.Hour),
	}
	peer := socket.PeerStats{
		Peer: &socket.Peer{
			Type: "SUB", Identity: []byte("\x00me"), Address: "10.0.0.7:4431", Node: socket.NodeID{1, 2}, User: "zoe",
		},
		Ledger: balanced(),
		Since:  fixedTime.Add(-time.Minute), Heard: fixedTime.Add(-310 * time.Millisecond), RTT: 310 * time.Microsecond,
		Subscriptions: 12, SendFill: 1, RecvFill: 0.25, Full: true, UnderWay: 70000,
	}
	r.Add("news", &fake{typ: "PUB", stats: socket.Stats{
		Label:  "the news",
		Ledger: balanced(),
		Peers:  []socket.PeerStats{peer, {Peer: &socket.Peer{Type: "SUB", Address: "10.0.0.8:1"}}},
		Endpoints: []socket.EndpointStats{
			{
				Endpoint: "tcp://*:5558", Bound: true, Up: 2, Attempts: 3, Failures: 1, LastErr: io.ErrUnexpectedEOF,
				LastTime: fixedTime,
			},
			{
				Endpoint: "tcp://10.0.0.9:5558", Attempts: 9, Failures: 9, FailedInARow: 9, LastErr: errRefused,
				LastTime: fixedTime.Add(-time.Second), NextTry: fixedTime.Add(1600 * time.Millisecond),
			},
		},
		Events:      map[socket.EventKind]uint64{socket.PeerUp: 9, socket.SlowPeer: 1},
		Unwanted:    []string{"alerts\n"},
		Redelivered: socket.Count{Messages: 1, Bytes: 10},
		AtMostOnce:  socket.Count{Messages: 2, Bytes: 20},
		Unsettled:   socket.Count{Messages: 3, Bytes: 30},
		UnderWay:    70000,
	}})
	gone := &fake{typ: "REQ", stats: socket.Stats{
		Ledger: balanced(), Events: map[socket.EventKind]uint64{socket.Closed: 1},
	}}
	r.Add("ask", gone)
	r.Remove(gone)
	r.AddNode(inspected{map[string]any{
		"backend": "mdns", "group": "default", "id": "abc", "announces": []string{"news/PUB"},
		"known":   []map[string]any{{"id": "def", "name": "other", "services": []string{"work/PULL"}, "age_s": 12}},
		"refused": map[string]int{"untrusted": 2}, "trouble": []string{"port 5353 is taken"},
	}})
	r.AddSpool("out", fakeSpool{spool.Stats{
		Live: spool.Count{Messages: 7, Bytes: 700}, Dead: spool.Count{Messages: 1},
		Expired: spool.Count{Messages: 2, Bytes: 20}, Dropped: spool.Count{Messages: 3, Bytes: 30},
		Damaged: spool.Count{Messages: 4},
		Files:   4096, MaxBytes: 1 << 20,
		Oldest: fixedTime.Add(-90 * time.Second), Commits: 5, CommitP50: time.Millisecond, CommitP99: 2 * time.Millisecond,
		CommitMax: 3 * time.Millisecond, Failing: errors.New("no space left on device"),
	}})
	r.Ready("news has a peer", func() error { return nil })
	r.Ready("more", func() error { return errors.New("no peer: connection refused") })
	return r
}

func failing() spool.Stats { return spool.Stats{Failing: errors.New("no space left on device")} }

func inf() float64 { return math.Inf(1) }
