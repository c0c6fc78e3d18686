package observe

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// What is only attached is never asked.
func TestNothingIsAskedUnread(t *testing.T) {
	r, s := New(nil), &fake{typ: "PULL"}
	r.Add("work", s)
	r.Add("again", s)
	r.Ready("asked", func() error { t.Error("a check was asked"); return nil })
	if n := s.asked.Load(); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
	r.checks = nil
	if got := r.Snapshot().Sockets; len(got) != 1 || got[0].Name != "work" {
		t.Errorf("sockets: %+v", got)
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("one snapshot asked it %d times", n)
	}
}

// Names are bounded in number and length, for the life of the registry.
func TestNames(t *testing.T) {
	r := New(WithProcessName("my\nprogram"))
	add := func(name string) SocketState {
		s := &fake{typ: "PULL"}
		r.Add(name, s)
		defer r.Remove(s)
		return r.Snapshot().Sockets[0]
	}
	for i := range maxSeries {
		if s := add(fmt.Sprint("n", i)); s.Series != "" {
			t.Errorf("name %d is counted as %q", i, s.Series)
		}
	}
	for _, c := range []struct{ name, want, series string }{
		{"n0", "n0", ""},
		{"", "pull", "other"},
		{"one more", "one more", "other"},
		{"a\x1b[31m\u2028\xff", "a\uFFFD[31m\uFFFD\uFFFD", "other"},
		{strings.Repeat("ö", 40), strings.Repeat("ö", 32), "other"},
		{"x" + strings.Repeat("ö", 40), "x" + strings.Repeat("ö", 31), "other"},
	} {
		if s := add(c.name); s.Name != c.want || s.Series != c.series {
			t.Errorf("%q is named %q and counted as %q, want %q and %q", c.name, s.Name, s.Series, c.want, c.series)
		}
	}
	if got := r.Snapshot().Process.Name; got != "my\uFFFDprogram" {
		t.Errorf("the process is named %q", got)
	}
	if got := New(WithProcessName("")).Snapshot().Process.Name; !strings.Contains(got, "test") {
		t.Errorf("the process is named %q", got)
	}
}

// What removed sockets have counted stays in the sums.
func TestRemove(t *testing.T) {
	r := New()
	count := func() (handed, up float64) {
		for _, f := range r.Snapshot().Metrics() {
			for _, s := range f.Samples {
				switch {
				case f.Name == "yodel_socket_messages_total" && slices.Contains(s.Labels, Label{"flow", "handed"}):
					handed += s.Value
				case f.Name == "yodel_socket_events_total" && slices.Contains(s.Labels, Label{"kind", "peer up"}):
					up += s.Value
				}
			}
		}
		return handed, up
	}
	stats := socket.Stats{Ledger: balanced(), Events: map[socket.EventKind]uint64{socket.PeerUp: 2}}
	var all []*fake
	for range 3 {
		s := &fake{typ: "PULL", stats: stats}
		all = append(all, s)
		r.Add("work", s)
	}
	for i := range 4 {
		if handed, up := count(); handed != 600 || up != 6 {
			t.Errorf("with %d removed: handed %v, up %v; want 600 and 6", i, handed, up)
		}
		if i < len(all) {
			r.Remove(all[i])
			r.Remove(all[i])
		}
	}
	if s := r.Snapshot(); len(s.Sockets) != 0 || len(s.Removed) != 1 {
		t.Errorf("left: %+v", s)
	}
}

// A node says what it is in its own type, or in ours; or what it says cannot be read, and that is told.
func TestNodes(t *testing.T) {
	ours := NodeState{Backend: "gossip", Group: "g", ID: "x", Known: slices.Repeat([]KnownNode{{ID: "y"}}, maxListed+5)}
	for _, c := range []struct {
		name string
		says any
		want NodeState
	}{
		{"theirs", struct {
			Backend string `json:"backend"`
			Extra   int
		}{"dns", 3}, NodeState{Backend: "dns"}},
		{
			"ours", ours,
			NodeState{Backend: "gossip", Group: "g", ID: "x", Known: ours.Known[:maxListed], KnownMore: 5},
		},
		{"no JSON", func() {}, NodeState{
			Trouble: []string{"what the node says of itself cannot be read: json: unsupported type: func()"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := New()
			r.AddNode(inspected{c.says})
			if got := r.Snapshot().Nodes[0]; !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPeersCheck(t *testing.T) {
	failed := func(n uint64) socket.EndpointStats {
		return socket.EndpointStats{Endpoint: "tcp://10.0.0.9:5558", FailedInARow: n, LastErr: errRefused}
	}
	for _, c := range []struct {
		name  string
		stats socket.Stats
		want  string
	}{
		{"there", socket.Stats{Peers: make([]socket.PeerStats, 2)}, ""},
		{"no endpoint", socket.Stats{}, "0 of 2 peers: the socket is neither bound nor connected"},
		{
			"refused",
			socket.Stats{Endpoints: []socket.EndpointStats{{Endpoint: "tcp://*:1", Bound: true}, failed(9)}},
			"0 of 2 peers: tcp://10.0.0.9:5558: connection refused, 9 attempts",
		},
		{
			"once",
			socket.Stats{Endpoints: []socket.EndpointStats{failed(1)}},
			"0 of 2 peers: tcp://10.0.0.9:5558: connection refused, 1 attempt",
		},
		{
			"lost",
			socket.Stats{Endpoints: []socket.EndpointStats{failed(0)}},
			"0 of 2 peers: tcp://10.0.0.9:5558: connection refused",
		},
		{
			"no answer yet",
			socket.Stats{Endpoints: []socket.EndpointStats{{Endpoint: "tcp://10.0.0.9:1"}}},
			"0 of 2 peers: tcp://10.0.0.9:1: no answer yet",
		},
		{
			"a name",
			socket.Stats{Endpoints: []socket.EndpointStats{{
				Endpoint: "tcp://*:1", Bound: true, LastFrom: "secret", LastErr: privateError{},
			}}},
			"0 of 2 peers: tcp://*:1: the identity is in use",
		},
		{
			"one of two",
			socket.Stats{
				Peers:     make([]socket.PeerStats, 1),
				Endpoints: []socket.EndpointStats{{Endpoint: "tcp://*:1", Bound: true, Up: 1}},
			},
			"1 of 2 peers: tcp://*:1: 1 peer",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := Peers(&fake{stats: c.stats}, 2)(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Each warning is there when it should be, and not for what is nearly the same.
func TestWarnings(t *testing.T) {
	ep := socket.EndpointStats{Endpoint: "tcp://10.0.0.9:5558", FailedInARow: manyAttempts, LastErr: errRefused}
	peer := socket.PeerStats{Peer: &socket.Peer{Type: "SUB", Address: "10.0.0.7:1"}, Full: true, SendFill: 1}
	for _, c := range []struct {
		name string
		near func()
		lint string
		want string
	}{
		{"no peer", func() {}, lintNoPeer, "it→tcp://10.0.0.9:5558: no peer: connection refused, 3 attempts"},
		{"still starting", func() { ep.FailedInARow-- }, lintNoPeer, ""},
		{"connected again", func() { ep.FailedInARow, ep.Up = 5, 1 }, lintNoPeer, ""},
		{"bound", func() { ep.Up, ep.Bound = 0, true }, lintNoPeer, ""},
		{
			"full", func() {}, lintQueueFull,
			"it→10.0.0.7:1: the queue for this SUB is full; 0 messages for it were dropped so far",
		},
		{"nearly full", func() { peer.Full, peer.SendFill = false, 0.99 }, lintQueueFull, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.near()
			r := New()
			r.Add("it", &fake{typ: "PUB", stats: socket.Stats{
				Endpoints: []socket.EndpointStats{ep}, Peers: []socket.PeerStats{peer},
			}})
			got := ""
			for _, w := range r.Snapshot().Warnings {
				if w.Lint == c.lint {
					got += w.Subject + ": " + w.Text
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("spool", func(t *testing.T) {
		s := exemplary().Snapshot()
		if w := s.Warnings[len(s.Warnings)-1]; w != (Warning{
			lintSpoolFailing, "out", "it cannot be written: no space left on device",
		}) {
			t.Errorf("%+v", w)
		}
	})
	t.Run("bounded", func(t *testing.T) {
		r := New()
		for range 3 * maxWarnings {
			r.AddSpool("q", fakeSpool{failing()})
		}
		if n := len(r.Snapshot().Warnings); n != maxWarnings {
			t.Errorf("%d warnings", n)
		}
	})
}

func TestEnding(t *testing.T) {
	r := New()
	r.Ready("fine", func() error { return nil })
	if checks := r.Snapshot().Checks; !isReady(checks) || len(checks) != 1 {
		t.Errorf("%+v", checks)
	}
	r.Ending()
	if checks := r.Snapshot().Checks; isReady(checks) || checks[0].Why != "the process is about to end" {
		t.Errorf("%+v", checks)
	}
	r = New()
	r.Ready("not", func() error { return errors.New("why\x1b") })
	if checks := r.Snapshot().Checks; isReady(checks) || checks[0].Why != "why\uFFFD" {
		t.Errorf("%+v", checks)
	}
}
