package discovery

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// An asker is a fakeSocket that asks who answers. Nobody does until the test says so.
type asker struct {
	*fakeSocket
	accept map[string]func([16]byte) error
}

func (s *asker) ConnectNode(endpoint string, accept func([16]byte) error) error {
	s.mu.Lock()
	s.accept[endpoint] = accept
	s.mu.Unlock()
	return s.Connect(endpoint)
}

// answers has a node answer at an endpoint that the socket is told to connect to, and reports whether it may stay.
func (s *asker) answers(g *stage, endpoint string, id ID) bool {
	g.Helper()
	s.mu.Lock()
	c, accept := s.conns[endpoint], s.accept[endpoint]
	s.mu.Unlock()
	if c == nil {
		g.Fatalf("%s is not connected", endpoint)
	}
	err := accept(id)
	s.mu.Lock()
	if err == nil {
		c.up, c.proven = true, true
		s.change()
	} else if !errors.Is(err, ErrWrongNode) {
		g.Errorf("%s: %v", endpoint, err)
	}
	s.mu.Unlock()
	g.after(0)
	return err == nil
}

// onAskingStage is onStage with such a socket.
func onAskingStage(t *testing.T, p Policy, test func(*stage, *asker)) {
	t.Helper()
	var a *asker
	onStage(t, p, func(s *fakeSocket) Connector {
		a = &asker{s, make(map[string]func([16]byte) error)}
		return a
	}, func(g *stage) {
		g.after(0)
		test(g, a)
	})
}

// shows has a record say what the node's sockets show.
func shows(r Record, id ID) Record {
	r.PeerID = id
	return r
}

const (
	first  = "tcp://10.0.0.101:1"
	second = "tcp://10.0.0.101:2"
)

func TestAnotherNodeAnswers(t *testing.T) {
	a, b := nth(71), nth(72)
	for _, tc := range []struct {
		name string
		test func(g *stage, s *asker)
	}{
		{"the next endpoint has its turn at once", func(g *stage, s *asker) {
			g.emit(Added, shows(offer(1, first, second), a))
			g.want("at first", first)
			if s.answers(g, first, b) {
				g.Error("another node was accepted")
			}
			g.want("then", first, second)
			if !s.answers(g, second, a) {
				g.Error("the node was refused")
			}
			g.want("in the end", second+"+")
			g.notified("connected")
		}},
		{"a peer that shows no id is another", func(g *stage, s *asker) {
			g.emit(Added, shows(offer(1, first), a))
			if s.answers(g, first, ID{}) {
				g.Error("it was accepted")
			}
			g.notified("failed")
		}},
		{"without an id in the record whoever answers is the node", func(g *stage, s *asker) {
			g.emit(Added, offer(1, first))
			if !s.answers(g, first, b) {
				g.Error("it was refused")
			}
			g.notified("connected")
		}},
		{"no endpoint is left", func(g *stage, s *asker) {
			g.emit(Added, shows(offer(1, first), a))
			s.answers(g, first, b)
			g.notified("failed")
			if len(g.errs) != 1 || !errors.Is(g.errs[0], ErrWrongNode) {
				g.Errorf("the reasons are %v", g.errs)
			}
			g.after(time.Second) // it is tried again
			if !s.answers(g, first, a) {
				g.Error("now it is the node, and was refused")
			}
			g.notified("connected")
		}},
		{"two nodes with one endpoint: who answers is connected, the other not", func(g *stage, s *asker) {
			one, two := shows(offer(1, first), a), shows(offer(2, first), b)
			one.From, two.From = addrs("10.0.0.101"), addrs("10.0.0.101")
			g.emit(Added, one)
			g.emit(Added, two)
			if !s.answers(g, first, b) {
				g.Error("the second was refused")
			}
			g.notified("connected")
			g.emit(Expired, one)
			g.emit(Expired, two)
			g.after(5 * time.Second)
			g.notified() // the first never was there; the second is, for as long as its connection
			g.want("after all", first+"+")
			s.shut(first)
			g.after(0)
			g.notified("lost")
			g.after(5 * time.Second)
			g.notified("disconnected")
			g.want("without", []string{}...)
		}},
		{"another node on the second connection", func(g *stage, s *asker) {
			g.emit(Added, shows(offer(1, first, second), a))
			s.answers(g, first, a)
			g.notified("connected")
			s.shut(first)
			g.after(0)
			g.notified("lost")
			if s.answers(g, first, b) {
				g.Error("another node was accepted")
			}
			s.answers(g, second, a)
			g.notified("connected")
			g.want("in the end", second+"+")
		}},
		{"a second connection before the end of the first was told", func(g *stage, s *asker) {
			one, two := shows(offer(1, first), a), shows(offer(2, first), b)
			one.From, two.From = addrs("10.0.0.101"), addrs("10.0.0.101")
			g.emit(Added, one)
			s.answers(g, first, a)
			g.emit(Added, two)
			g.notified("connected")
			if !s.answers(g, first, b) {
				g.Error("the second was refused")
			}
			g.notified("lost", "connected")
		}},
		{"the node was restarted under its id", func(g *stage, s *asker) {
			r := shows(offer(1, first), a)
			g.emit(Added, r)
			s.answers(g, first, a)
			r.Incarnation++
			g.emit(Updated, shows(r, b))
			g.notified("connected", "lost")
			if len(g.errs) != 1 || !errors.Is(g.errs[0], ErrWrongNode) {
				g.Errorf("the reasons are %v", g.errs)
			}
			g.want("anew", first)
			if s.answers(g, first, a) {
				g.Error("the process before was accepted")
			}
			g.notified("failed")
			g.after(time.Second)
			if !s.answers(g, first, b) {
				g.Error("the process now was refused")
			}
			g.notified("connected")
		}},
		{"a stranger's word does not change who is expected", func(g *stage, s *asker) {
			g.emit(Added, shows(offer(1, first), a))
			s.answers(g, first, a)
			r := shows(offer(1, first, second), b)
			r.Revision, r.From = 9, addrs("10.0.0.66")
			g.emit(Updated, r)
			g.want("as before", first+"+")
			s.shut(first)
			g.after(stagger)
			if s.answers(g, first, b) {
				g.Error("it was accepted at the node's own place")
			}
			if !s.answers(g, second, b) { // it may have moved
				g.Error("the other was refused")
			}
			g.notified("connected", "lost", "connected")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) { onAskingStage(t, Policy{}, tc.test) })
	}
}

// A path leads to another file where other files are seen: it comes last, and only where it can be told who answers.
func TestPathAmongOtherFiles(t *testing.T) {
	const path, name, tcp = "ipc:///run/x", "ipc://@x", "tcp://127.0.0.1:1"
	for _, tc := range []struct {
		files string
		id    ID
		asks  bool
		want  []string // in this order
	}{
		{"f1", nth(1), true, []string{path, name, tcp}},
		{"f1", ID{}, false, []string{path, name, tcp}},
		{"", ID{}, false, []string{path, name, tcp}}, // not known
		{"f2", nth(1), true, []string{name, tcp, path}},
		{"f2", ID{}, true, []string{name, tcp}},
		{"f2", nth(1), false, []string{name, tcp}},
	} {
		t.Run(fmt.Sprintf("%q, id: %t, asks: %t", tc.files, tc.id != ID{}, tc.asks), func(t *testing.T) {
			r := offer(1, tcp, path, name)
			r.Host, r.Files, r.PeerID, r.From = here, tc.files, tc.id, addrs("127.0.0.1")
			p := Policy{Files: "f1", checks: tc.asks}
			at := locality{here, home, func(string) bool { return true }}
			got, err := p.choose(&r, "orders", nil, at)
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("%v, %v, want %v", got, err, tc.want)
			}
			r.Services[0].Endpoints = []string{path}
			if got, err := p.choose(&r, "orders", nil, at); len(got) == 0 != slices.Equal(tc.want, []string{name, tcp}) {
				t.Errorf("of the path alone: %v, %v", got, err)
			}
		})
	}
}

// What is announced is what all sockets show, or nothing.
func TestNodeAnnouncesWhatItsSocketsShow(t *testing.T) {
	a, b := identified{bound("PUB", "tcp://*:1"), nth(1)}, identified{bound("PUB", "tcp://*:2"), nth(1)}
	other, nowhere := identified{bound("PUB", "tcp://*:3"), nth(2)}, identified{bound("PUB"), nth(2)}
	unknown := bound("PUB", "tcp://*:4")
	for _, tc := range []struct {
		name    string
		sockets []Announceable
		want    ID
	}{
		{"one", []Announceable{a}, nth(1)},
		{"two that show the same", []Announceable{a, b}, nth(1)},
		{"one of another process", []Announceable{a, other}, ID{}},
		{"one that is bound nowhere", []Announceable{a, nowhere}, nth(1)},
		{"one that does not tell", []Announceable{a, unknown}, ID{}},
		{"one that does not tell comes first", []Announceable{unknown, a}, ID{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := NewNode(nil, withWorld(here, nil))
			var offers []offered
			for i, s := range tc.sockets {
				offers = append(offers, offered{fmt.Sprintf("s%d", i), s})
			}
			if got := n.compose(offers, home).PeerID; got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}

type identified struct {
	*fakeAnnounceable
	id ID
}

func (i identified) NodeID() [16]byte { return i.id }
