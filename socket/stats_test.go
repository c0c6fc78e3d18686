package socket

import (
	"fmt"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	var c Count
	c.add(10)
	c.add(0)
	if c != (Count{2, 10}) {
		t.Errorf("after two messages of 10 and 0 bytes: %v", c)
	}
	c.sub(10)
	if c != (Count{1, 0}) {
		t.Errorf("after one went: %v", c)
	}
	a, b := Count{5, 50}, Count{2, 20}
	if got := a.plus(b); got != (Count{7, 70}) {
		t.Errorf("%v plus %v is %v", a, b, got)
	}
	if got := a.minus(b); got != (Count{3, 30}) {
		t.Errorf("%v minus %v is %v", a, b, got)
	}
}

// balancedLedger uses every column, each with figures of its own.
func balancedLedger() Ledger {
	return Ledger{
		Accepted:  Count{1111, 11110},
		Delivered: Count{1000, 10000},
		Queued:    Count{100, 1000},
		Requeued:  Count{10, 100},
		Dropped:   map[Reason]Count{QueueFull: {1, 3}, NoSubscriber: {0, 7}},
		Received:  Count{222, 2220},
		Handed:    Count{200, 2000},
		Unread:    Count{20, 200},
		Discarded: map[Reason]Count{BadEnvelope: {1, 15}, StaleReply: {1, 5}},
	}
}

func TestLedgerCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(l *Ledger)
		want  string // in the error; "" for none
	}{
		{"balanced", func(*Ledger) {}, ""},
		{"empty", func(l *Ledger) { *l = Ledger{} }, ""},
		{"accepted too many", func(l *Ledger) { l.Accepted.Messages++ }, "accepted 1112 messages (11110 bytes)"},
		{"accepted too few bytes", func(l *Ledger) { l.Accepted.Bytes-- }, "accepted 1111 messages (11109 bytes)"},
		{"delivered twice", func(l *Ledger) { l.Delivered.Messages++ }, "delivered 1001 messages (10000 bytes)"},
		{"delivered bytes", func(l *Ledger) { l.Delivered.Bytes++ }, "delivered 1000 messages (10001 bytes)"},
		{"queued lost", func(l *Ledger) { l.Queued.Messages-- }, "queued 99 messages (1000 bytes)"},
		{"queued bytes", func(l *Ledger) { l.Queued.Bytes-- }, "queued 100 messages (999 bytes)"},
		{"requeued lost", func(l *Ledger) { l.Requeued = Count{} }, "requeued 0 messages (0 bytes)"},
		{
			"dropped without a name", func(l *Ledger) { delete(l.Dropped, QueueFull) },
			"dropped map[no subscriber:0 messages (7 bytes)]",
		},
		{"dropped twice", func(l *Ledger) { l.Dropped[PeerGone] = Count{1, 1} }, "peer gone:1 message (1 byte)"},
		{"received too many", func(l *Ledger) { l.Received.Messages++ }, "received 223 messages (2220 bytes)"},
		{"received bytes", func(l *Ledger) { l.Received.Bytes-- }, "received 222 messages (2219 bytes)"},
		{"handed twice", func(l *Ledger) { l.Handed.Messages++ }, "handed 201 messages (2000 bytes)"},
		{"unread lost", func(l *Ledger) { l.Unread.Messages-- }, "unread 19 messages (200 bytes)"},
		{
			"discarded without a name", func(l *Ledger) { delete(l.Discarded, BadEnvelope) },
			"discarded map[stale reply:1 message (5 bytes)]",
		},
		{"discarded twice", func(l *Ledger) { l.Discarded[Unexpected] = Count{2, 0} }, "unexpected:2 messages (0 bytes)"},
		{
			"delivered below zero", func(l *Ledger) { l.Delivered.Messages -= 1001; l.Queued.Messages += 1001 },
			"queued 1101 messages (1000 bytes)",
		},
		{
			"dropped bytes below zero", func(l *Ledger) { l.Dropped[PeerGone] = Count{0, ^uint64(3)}; l.Queued.Bytes += 4 },
			"queued 100 messages (1004 bytes)",
		},
		{
			"unread below zero", func(l *Ledger) { l.Unread.Messages -= 25; l.Discarded[SocketClosed] = Count{25, 0} },
			"unread 18446744073709551611 messages (200 bytes)",
		},
		{
			"handed more than received",
			func(l *Ledger) { l.Handed.Bytes += 1; l.Unread.Bytes -= 201; l.Discarded[SocketClosed] = Count{0, 200} },
			"handed 200 messages (2001 bytes)",
		},
		{
			"one direction does not make up for the other", func(l *Ledger) { l.Accepted.Messages++; l.Handed.Messages++ },
			"accepted",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := balancedLedger()
			c.spoil(&l)
			checkError(t, l.Check(), c.want)

			own := Stats{Ledger: l}
			checkError(t, own.Check(), c.want)

			peer := &Peer{Type: "PULL", Address: "10.0.0.7:5555"}
			ofPeer := Stats{Peers: []PeerStats{{Ledger: balancedLedger()}, {Peer: peer, Ledger: l}}}
			checkError(t, ofPeer.Check(), c.want)
			if c.want != "" {
				checkError(t, ofPeer.Check(), "PULL 10.0.0.7:5555: socket: ledger: ")
			}
		})
	}
}

// checkError wants an error with the given text in it, or none.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %q, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want one that says %q", err, want)
	}
}

func TestReasons(t *testing.T) {
	var r reasons
	r.add(QueueFull, Count{})
	if r != nil {
		t.Error("dropping nothing is counted")
	}
	r.add(QueueFull, Count{1, 2})
	r.add(PeerGone, Count{1, 0})
	r.add(QueueFull, Count{3, 4})
	if len(r) != 2 || r[QueueFull] != (Count{4, 6}) || r[PeerGone] != (Count{1, 0}) {
		t.Errorf("counted %v", r)
	}
	if got := sum(r); got != (Count{5, 6}) {
		t.Errorf("the sum is %v", got)
	}
}

// A snapshot is the caller's: it does not change, nor does changing it change the socket.
func TestStatsAreACopy(t *testing.T) {
	s := NewPub()
	defer s.Close()
	publish := func() {
		t.Helper()
		if err := s.Send(t.Context(), Text("news")); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	before := s.Stats()
	publish()
	if got := before.Dropped[NoSubscriber]; got != (Count{1, 4}) {
		t.Errorf("the snapshot has changed to %v", got)
	}
	before.Dropped[NoSubscriber] = Count{}
	after := s.Stats()
	if got := after.Dropped[NoSubscriber]; got != (Count{2, 8}) || after.Accepted != got {
		t.Errorf("accepted %v, dropped %v; want two messages in both", after.Accepted, got)
	}
	checkError(t, after.Check(), "")
}

func TestStatsString(t *testing.T) {
	ledger := balancedLedger()
	peer := &Peer{Type: "PULL", Address: "10.0.0.7:5555"}
	const line = "out: accepted 1111, delivered 1000, queued 100, requeued 10, " +
		"dropped 0 (no subscriber), 1 (queue full); " +
		"in: received 222, handed 200, unread 20, discarded 1 (bad envelope), 1 (stale reply)"
	const none = "out: accepted 0, delivered 0, queued 0; in: received 0, handed 0, unread 0"
	for _, c := range []struct {
		name string
		s    fmt.Stringer
		want string
	}{
		{"no message", Count{}, "0 messages (0 bytes)"},
		{"one", Count{1, 1}, "1 message (1 byte)"},
		{"several", Count{20, 4096}, "20 messages (4096 bytes)"},
		{"every column", ledger, line},
		{"an empty ledger", Ledger{}, none},
		{"a socket without peers", Stats{Ledger: ledger}, line},
		{"with a message under way", Stats{UnderWay: 70_000}, none + "; under way 70000 bytes"},
		{
			"with peers",
			Stats{Ledger: ledger, Peers: []PeerStats{{Peer: peer, Ledger: ledger}, {Peer: peer, UnderWay: 1}}},
			line + "\nPULL 10.0.0.7:5555: " + line + "\nPULL 10.0.0.7:5555: " + none + "; under way 1 byte",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.s.String(); got != c.want {
				t.Errorf("it reads %q, want %q", got, c.want)
			}
			if got := fmt.Sprint(c.s); got != c.want {
				t.Errorf("printed it reads %q, want %q", got, c.want)
			}
		})
	}
}
