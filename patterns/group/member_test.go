package group

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

func TestTwo(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		ann, bob := a(t, "ann"), a(t, "bob")
		must(t, ann.Join("lobby"))
		must(t, ann.Join("lobby")) // again
		meet(t, ann, bob, endpoint)
		must(t, bob.WaitPeers(within(t), "lobby", 1))
		must(t, bob.Join("lobby"))
		must(t, bob.Join("chess"))
		must(t, bob.Shout(within(t), "lobby", "hello"))
		must(t, bob.Shout(within(t), "chess", "nobody is there"))
		must(t, bob.Whisper(within(t), the(t, bob, "ann"), "psst"))
		must(t, bob.Leave("lobby"))
		must(t, bob.Leave("lobby"))
		events(t, ann, "entered bob", "joined bob lobby", "joined bob chess", "shout bob lobby hello", "whisper bob psst",
			"left bob lobby")
		if got := ann.Peers("lobby"); len(got) != 0 {
			t.Error(got)
		}
		must(t, ann.Shout(within(t), "chess", "from without"))
		must(t, ann.Whisper(within(t), the(t, ann, "bob"), "yes?"))
		events(t, bob, "entered ann", "joined ann lobby", "shout ann chess from without", "whisper ann yes?")
		if s := bob.Stats(); s != (Stats{Peers: 1, Received: 2}) {
			t.Errorf("%+v", s)
		}

		was := the(t, ann, "bob")
		must(t, bob.Shutdown(within(t)))
		events(t, ann, "left bob chess", "exited bob")
		if err := ann.Whisper(within(t), was, "too late"); !errors.Is(err, socket.ErrPeerLost) {
			t.Error(err)
		}
		must(t, ann.Shout(within(t), "chess", "nobody is there any more"))
	})
}

// Why a peer is gone is told with the event.
func TestCause(t *testing.T) {
	ann, bob := a(t, "ann"), a(t, "bob")
	meet(t, ann, bob, "tcp://127.0.0.1:*")
	p := the(t, ann, "bob")
	if p.ID != bob.ID() || p.Socket.Type != "ROUTER" {
		t.Errorf("%+v", p)
	}
	must(t, bob.Close())
	for e, err := range ann.Events(within(t)) {
		if e.Peer != p {
			t.Error("another Peer for the same presence")
		}
		if e.Kind == Exited {
			if err != nil || !errors.Is(e.Cause, io.EOF) {
				t.Error(e.Cause, err)
			}
			return
		}
	}
	t.Error("no exit")
}

// Each of two is connected to the other at the same time: both are one peer, and all comes once.
func TestBothConnect(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		const messages = 100
		all := []*Member[string]{a(t, "ann"), a(t, "bob"), a(t, "cy")}
		var at []string
		for i, m := range all {
			at = append(at, bind(t, m, strings.Replace(endpoint, "inproc://", fmt.Sprintf("inproc://%d", i), 1)))
			must(t, m.Join("g"))
		}
		var work sync.WaitGroup
		for _, m := range all {
			work.Go(func() {
				for _, e := range at { // also to itself
					if err := m.Connect(e); err != nil {
						t.Error(err)
					}
				}
			})
		}
		work.Wait()
		for _, m := range all {
			must(t, m.Socket().(*socket.Router).WaitPeers(within(t), 6)) // two to each, and both ends of that to itself
			must(t, m.WaitPeers(within(t), "g", 2))
		}
		for _, m := range all {
			work.Go(func() {
				for i := range messages {
					if err := m.Shout(within(t), "g", fmt.Sprint(i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, m := range all {
			next := make(map[string]int)
			for e, err := range m.Events(within(t)) {
				must(t, err)
				if e.Kind == Entered && next[e.Peer.Name] != 0 || e.Kind == Exited {
					t.Fatalf("%s was told %s", m.Name(), text(e, nil))
				}
				if e.Kind == Shout {
					if e.Value != fmt.Sprint(next[e.Peer.Name]) {
						t.Fatalf("%s got %s, want %d", m.Name(), text(e, nil), next[e.Peer.Name])
					}
					next[e.Peer.Name]++
				}
				if e.Value == fmt.Sprint(messages-1) && len(next) == 2 && next["ann"]+next["bob"]+next["cy"] == 2*messages {
					break
				}
			}
		}
		work.Wait()
		for _, m := range all {
			if s := m.Stats(); s != (Stats{Peers: 2, Received: 2 * messages}) {
				t.Errorf("%s: %+v", m.Name(), s)
			}
		}
	})
}

// Members that are only connected, to one that is bound, do not see each other; it sees all.
func TestStar(t *testing.T) {
	hub := a(t, "hub")
	at := bind(t, hub, "tcp://127.0.0.1:*")
	for _, name := range []string{"ann", "bob"} {
		m := a(t, name)
		must(t, m.Join("g"))
		must(t, m.Connect(at))
		must(t, m.WaitPeers(within(t), "", 1))
		if got := m.Peers(""); len(got) != 1 || got[0].Name != "hub" {
			t.Error(got)
		}
	}
	must(t, hub.WaitPeers(within(t), "g", 2))
	var names []string
	for _, p := range hub.Peers("g") {
		names = append(names, p.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"ann", "bob"}) {
		t.Error(names)
	}
}

func TestDisconnect(t *testing.T) {
	ann, bob := a(t, "ann"), a(t, "bob")
	at := bind(t, ann, "tcp://127.0.0.1:*")
	must(t, bob.Connect(at))
	must(t, bob.WaitConnected(within(t), at))
	must(t, bob.WaitPeers(within(t), "", 1))
	must(t, bob.Disconnect(at))
	events(t, bob, "entered ann", "exited ann")
	events(t, ann, "entered bob", "exited bob")
	if err := bob.WaitDisconnected(within(t), at); err != nil && !errors.Is(err, socket.ErrNoEndpoint) {
		t.Error(err)
	}
	refuse := errors.New("refused")
	must(t, bob.ConnectNode(at, func([16]byte) error { return refuse }))
	must(t, bob.Disconnect(at))
	must(t, bob.ConnectNode(at, func(node [16]byte) error {
		if node != ann.NodeID() {
			return refuse
		}
		return nil
	}))
	events(t, bob, "entered ann")
	if e := ann.Endpoints(); len(e) != 1 || e[0] != at || ann.Type() != "ROUTER" {
		t.Error(e, ann.Type())
	}
}

func TestErrors(t *testing.T) {
	ann := a(t, "ann")
	for _, name := range []string{"", strings.Repeat("x", 256), "\xff"} {
		for what, err := range map[string]error{
			"join": ann.Join(name), "leave": ann.Leave(name), "shout": ann.Shout(within(t), name, "x"),
		} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%s %.10q: %v", what, name, err)
			}
		}
	}
	if err := ann.Whisper(within(t), nil, "x"); !errors.Is(err, socket.ErrPeerLost) {
		t.Error(err)
	}
	if err := ann.WaitPeers(over(t), "", 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, err := range ann.Events(over(t)) {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	big := patterns.WithHeaders(within(t), patterns.Headers{"h": strings.Repeat("x", 9<<10)})
	if err := ann.Shout(big, "g", "x"); !errors.Is(err, patterns.ErrHead) {
		t.Error(err)
	}
	must(t, ann.Close())
	must(t, ann.Close())
	for what, err := range map[string]error{
		"join": ann.Join("g"), "shout": ann.Shout(within(t), "g", "x"), "whisper": ann.Whisper(within(t), nil, "x"),
		"wait": ann.WaitPeers(within(t), "", 1),
	} {
		if !errors.Is(err, socket.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for e, err := range ann.Events(within(t)) {
		t.Error(e, err)
	}
}

// Headers of the context go along, and values in any encoding that patterns has.
func TestHeadersAndCodecs(t *testing.T) {
	ann, bob := a(t, "ann", WithCodec(patterns.JSON()), nil, WithCodec(nil)), typed[patterns.Raw](t, "bob")
	meet(t, ann, bob, "inproc://"+t.Name())
	must(t, ann.Whisper(patterns.WithHeaders(within(t), patterns.Headers{"h": "1"}), the(t, ann, "bob"), "hi"))
	for e, err := range bob.Events(within(t)) {
		must(t, err)
		if e.Kind == Whisper {
			if e.Value.Type != "json" || string(e.Value.Data) != `"hi"` || e.Headers.Get("h") != "1" {
				t.Errorf("%+v", e)
			}
			break
		}
	}
	must(t, bob.Whisper(within(t), the(t, bob, "ann"), patterns.Raw{Data: []byte("\xa2yo")}))
	events(t, ann, "entered bob", "whisper bob yo")
}

// Who never asks for events holds nobody up, and keeps the newest.
func TestDeaf(t *testing.T) {
	ann, bob := a(t, "ann"), a(t, "bob")
	meet(t, ann, bob, "inproc://"+t.Name())
	const messages = 5000
	for i := range messages {
		must(t, ann.Whisper(within(t), the(t, ann, "bob"), fmt.Sprint(i)))
	}
	must(t, ann.Shutdown(within(t)))
	last, heard := "", 0
	for e, err := range bob.Events(within(t)) {
		must(t, err)
		heard++
		if e.Kind == Exited {
			break
		}
		last = e.Value
	}
	if s := bob.Stats(); last != fmt.Sprint(messages-1) || s.Received != messages || heard < maxUnread ||
		int(s.Unheard)+heard != messages+2 {
		t.Errorf("%d events, last is %q, %+v", heard, last, s)
	}
}
