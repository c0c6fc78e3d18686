package socket

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestEventKinds(t *testing.T) {
	const (
		quiet = slog.LevelDebug
		info  = slog.LevelInfo
		warn  = slog.LevelWarn
	)
	for _, c := range []struct {
		kind  EventKind
		text  string
		level slog.Level
	}{
		{Listening, "listening", info},
		{BindFailed, "bind failed", warn},
		{Accepted, "accepted", quiet},
		{AcceptFailed, "accept failed", warn},
		{Connecting, "connecting", quiet},
		{Connected, "connected", quiet},
		{ConnectFailed, "connect failed", quiet},
		{HandshakeFailed, "handshake failed", warn},
		{PeerUp, "peer up", info},
		{PeerDown, "peer down", info},
		{ProtocolError, "protocol error", warn},
		{LimitHit, "limit hit", warn},
		{Retrying, "retrying", quiet},
		{SlowPeer, "slow peer", warn},
		{Dropped, "dropped", warn},
		{Unbound, "unbound", quiet},
		{Disconnected, "disconnected", quiet},
		{Closed, "closed", info},
		{Missed, "missed", warn},
		{0, "event 0", quiet},
		{-1, "event -1", quiet},
		{EventKind(len(eventNames)), fmt.Sprint("event ", len(eventNames)), quiet},
	} {
		t.Run(c.text, func(t *testing.T) {
			if got := c.kind.String(); got != c.text {
				t.Errorf("String is %q, want %q", got, c.text)
			}
			if got := c.kind.level(); got != c.level {
				t.Errorf("the level is %v, want %v", got, c.level)
			}
		})
	}
	for k := EventKind(1); int(k) < len(eventNames); k++ {
		if eventNames[k] == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
}

func TestEventText(t *testing.T) {
	peer := &Peer{Type: "PULL", Address: "10.0.0.7:5555"}
	const at = "tcp://0.0.0.0:5555"
	for _, c := range []struct {
		name string
		ev   Event
		want string
		log  string // the attributes
	}{
		{"nothing but the kind", Event{Kind: Closed}, "closed", ""},
		{"endpoint", Event{Kind: Listening, Endpoint: at}, "listening at " + at, "endpoint=" + at},
		{
			"address",
			Event{Kind: Accepted, Endpoint: at, Address: "10.0.0.7:4242"},
			"accepted 10.0.0.7:4242 at " + at, "endpoint=" + at + " address=10.0.0.7:4242",
		},
		{
			"the peer goes before the address",
			Event{Kind: PeerUp, Endpoint: at, Address: "10.0.0.7:4242", Peer: peer},
			"peer up PULL 10.0.0.7:5555 at " + at, "endpoint=" + at + " peer=PULL 10.0.0.7:5555",
		},
		{
			"cause",
			Event{Kind: PeerDown, Endpoint: at, Peer: peer, Err: errPeerClosed},
			"peer down PULL 10.0.0.7:5555 at " + at + ": the peer closed the connection: EOF",
			"endpoint=" + at + " peer=PULL 10.0.0.7:5555 err=the peer closed the connection: EOF",
		},
		{
			"retry",
			Event{Kind: Retrying, Endpoint: at, Retry: 123456789 * time.Nanosecond},
			"retrying at " + at + " in 123ms", "endpoint=" + at + " retry=123.456789ms",
		},
		{
			"count and reason",
			Event{Kind: Dropped, Endpoint: at, Peer: peer, Count: 3, Reason: QueueFull},
			"dropped PULL 10.0.0.7:5555 at " + at + ", 3 (queue full)",
			"endpoint=" + at + " peer=PULL 10.0.0.7:5555 reason=queue full count=3",
		},
		{"missed", Event{Kind: Missed, Count: 7}, "missed, 7", "count=7"},
		{
			"bind failed",
			Event{Kind: BindFailed, Endpoint: at, Err: errors.New("no")},
			"bind failed at " + at + ": no",
			"endpoint=" + at + " err=no",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.ev.String(); got != c.want {
				t.Errorf("String is %q, want %q", got, c.want)
			}
			v := c.ev.LogValue()
			if v.Kind() != slog.KindGroup {
				t.Fatalf("LogValue is a %v, want a group", v.Kind())
			}
			attrs := make([]string, 0, len(v.Group()))
			for _, a := range v.Group() {
				attrs = append(attrs, a.String())
			}
			if got := strings.Join(attrs, " "); got != c.log {
				t.Errorf("the attributes are %q, want %q", got, c.log)
			}
		})
	}
}
