package main

import (
	"encoding/json"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

func peerLines(t *testing.T, s string) (all []peerLineJSON) {
	t.Helper()
	for line := range strings.Lines(s) {
		var l peerLineJSON
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, l)
	}
	return all
}

// TestPeersWatch: who comes is added, and who is interrupted says goodbye: it has left and did not just expire.
func TestPeersWatch(t *testing.T) {
	for _, form := range []string{"json", "text"} {
		t.Run(form, func(t *testing.T) {
			group := ownGroup()
			args := []string{"peers", "--watch", "--interface", loopback(t), "--group", group}
			if form == "json" {
				args = append(args, "--json")
			}
			peers := start(t, args...)
			pull := start(t, "pull", "--announce", "svc", "--bind", anyPort, "--interface", loopback(t), "--group", group)
			at := pull.endpoint()
			peers.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "added") && strings.HasSuffix(s, "\n") })
			pull.stop()
			pull.exit(0)
			peers.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "left") && strings.HasSuffix(s, "\n") })
			peers.stop()
			peers.exit(0)
			peers.says("peers: 2 events; interrupted")
			out := peers.stdout.String()
			if form == "text" {
				if strings.Count(out, "\n") != 2 || strings.Count(out, "svc/PULL ") != 2 || strings.Count(out, " "+at+"\n") != 2 {
					t.Errorf("stdout %q", out)
				}
				return
			}
			lines := peerLines(t, out)
			if len(lines) != 2 || lines[0].Event != "added" || lines[1].Event != "left" || lines[0].Node != lines[1].Node {
				t.Fatalf("stdout %q", out)
			}
			for _, l := range lines {
				if l.Group != group || !slices.Equal(l.Services, []string{"svc"}) || !slices.Equal(l.Endpoints, []string{at}) ||
					l.Age < 0 || l.Age > patience.Seconds() || len(l.Offers) != 1 || l.Offers[0].Type != "PULL" {
					t.Errorf("%+v", l)
				}
			}
		})
	}
}

// TestPeersUpdates: what can be seen of a change is printed, and what cannot is not.
func TestPeersUpdates(t *testing.T) {
	var out strings.Builder
	a := &app{stdout: &out, con: &console{w: io.Discard}, json: true}
	r := discovery.Record{
		ID: discovery.NewID(), Services: []discovery.Service{{Name: "svc", Endpoints: []string{"tcp://*:5"}}},
	}
	r.Addrs = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	heardAgain, moved := r.Clone(), r.Clone()
	heardAgain.From = []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}
	moved.Addrs = []netip.Addr{netip.MustParseAddr("10.0.0.2")}
	events := make(chan discovery.Event, 5)
	for _, e := range []discovery.Event{
		{Kind: discovery.Added, Record: r},
		{Kind: discovery.Updated, Record: heardAgain},
		{Kind: discovery.Updated, Record: moved},
		{Kind: discovery.Synced},
		{Kind: discovery.Expired, Record: moved},
	} {
		events <- e
	}
	close(events)
	if n, err := a.followPeers(events, &peersFlags{watch: true}); n != 3 || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
	var got []string
	for _, l := range peerLines(t, out.String()) {
		got = append(got, string(l.Event)+" "+l.Endpoints[0])
	}
	if want := []string{
		"added tcp://10.0.0.1:5", "updated tcp://10.0.0.2:5", "expired tcp://10.0.0.2:5",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPeersList: the list ends by itself, and has two nodes once each.
func TestPeersList(t *testing.T) {
	t.Parallel()
	group := ownGroup()
	for range 2 {
		start(t, "pull", "--announce", "b", "--announce", "a", "--interface", loopback(t), "--group", group).says(
			"announced as a")
	}
	peers := startInput(t, "", "peers", "--interface", loopback(t), "--group", group, "--json")
	peers.exit(0)
	lines := peerLines(t, peers.stdout.String())
	if len(lines) != 2 || lines[0].Node == lines[1].Node {
		t.Fatalf("stdout %q", peers.stdout)
	}
	for _, l := range lines {
		if l.Event != "added" || !slices.Equal(l.Services, []string{"a", "b"}) {
			t.Errorf("%+v", l)
		}
		for _, e := range l.Endpoints {
			if strings.Contains(e, "*") {
				t.Errorf("nobody can connect to %s", e)
			}
		}
	}
	peers = startInput(t, "", "peers", "--interface", loopback(t), "--group", group)
	peers.exit(0)
	if n := strings.Count(peers.stdout.String(), " a/PULL b/PULL "); n != 2 {
		t.Errorf("stdout %q", peers.stdout)
	}
}

func TestPeersNobody(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		args   string
		status int
		says   string
	}{
		{"list", "", 0, "nobody in group"},
		{"timeout", "--timeout 200ms", 3, "for 200ms"},
		{"timeout after the list", "--timeout 1500ms", 3, "for 1.5s"},
		{"watch", "--watch --timeout 200ms", 3, "for 200ms"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			peers := startInput(t, "",
				append([]string{"peers", "--interface", loopback(t), "--group", ownGroup()}, strings.Fields(tc.args)...)...)
			peers.exit(tc.status)
			peers.says(tc.says)
			if peers.stdout.String() != "" {
				t.Errorf("stdout %q", peers.stdout)
			}
		})
	}
}

// TestPeersWaits: with --timeout the first to come ends the wait, and is worth status 0.
func TestPeersWaits(t *testing.T) {
	t.Parallel()
	group := ownGroup()
	peers := startInput(t, "", "peers", "--interface", loopback(t), "--group", group, "--timeout", patience.String())
	start(t, "pull", "--announce", "svc", "--interface", loopback(t), "--group", group)
	peers.exit(0)
	if !strings.Contains(peers.stdout.String(), "svc/PULL") {
		t.Errorf("stdout %q", peers.stdout)
	}
}

func TestPeerEndpoints(t *testing.T) {
	addrs := func(all ...string) (as []netip.Addr) {
		for _, a := range all {
			as = append(as, netip.MustParseAddr(a))
		}
		return as
	}
	for _, tc := range []struct {
		name        string
		addrs, from []netip.Addr
		endpoint    string
		want        string
	}{
		{"itself", addrs("10.0.0.1"), nil, "tcp://127.0.0.1:5", "tcp://127.0.0.1:5"},
		{"ipc", addrs("10.0.0.1"), nil, "ipc:///x", "ipc:///x"},
		{
			"wildcard", addrs("10.0.0.1", "fd00::1"), addrs("10.0.0.1", "127.0.0.1"), "tcp://*:5",
			"tcp://10.0.0.1:5 tcp://[fd00::1]:5 tcp://127.0.0.1:5",
		},
		{"link-local besides others", addrs("10.0.0.1"), addrs("fe80::1%eth0"), "tcp://*:5", "tcp://10.0.0.1:5"},
		{"link-local alone", nil, addrs("fe80::1%eth0"), "tcp://*:5", "tcp://[fe80::1%eth0]:5"},
		{"nothing known", nil, nil, "tcp://*:5", "tcp://*:5"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := strings.Join(endpointsOf(&discovery.Record{Addrs: tc.addrs, From: tc.from}, tc.endpoint), " ")
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestPeerAge(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name        string
		incarnation uint64
		want        float64
	}{
		{"a minute", uint64(now.Add(-time.Minute).UnixMilli()), 60},
		{"unknown", 0, 0},
		{"clock ahead", uint64(now.Add(time.Hour).UnixMilli()), 0},
		{"nonsense", 1<<64 - 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := age(&discovery.Record{Incarnation: tc.incarnation}, now); got < tc.want || got > tc.want+0.01 {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestPeerLineIsPlain: a stranger's name cannot move the cursor.
func TestPeerLineIsPlain(t *testing.T) {
	var out strings.Builder
	a := &app{stdout: &out}
	r := discovery.Record{
		Name: "x\x1b[2J\n", Services: []discovery.Service{{Name: "svc", Endpoints: []string{"ipc:///\x1b[2J"}}},
	}
	if err := a.printPeer(discovery.Added, &r, false); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Contains(s, "\x1b") || strings.Count(s, "\n") != 1 {
		t.Errorf("%q", s)
	}
}
