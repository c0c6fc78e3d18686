package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// What is no message of a group is counted, and is not the end of the connection.
func TestHostileMessages(t *testing.T) {
	ann := a(t, "ann")
	must(t, ann.Join("g"))
	r := newRaw(t, bind(t, ann, "inproc://"+t.Name()))
	r.hello("bob")
	head := func(h patterns.Head) string { return string(h.AppendTo(nil)) }
	bad := [][]string{
		{""},
		{"\x80"},
		{"", "\x80", "", ""},
		{"x", "\x80"},
		{"", ""},
		{"", "\xc0"},
		{"", "\x81\xa1k\xa1x", "x"},
		{"", head(patterns.Head{Version: 2})},
		{"", head(patterns.Head{Kind: patterns.KindBeat})},
		{"", head(patterns.Head{Kind: 200})},
		{"", head(patterns.Head{Method: "not ours"}), "\xa1x"},
	}
	for _, frames := range bad {
		must(t, r.Send(within(t), socket.Text(frames...)))
	}
	r.says(patterns.Head{}, 0xa2, 'o', 'k')
	events(t, ann, "entered bob", "whisper bob ok")
	if s := ann.Stats(); int(s.Ignored) != len(bad) || s.Peers != 1 {
		t.Errorf("%+v", s)
	}
}

// What no member may say is the end of the connection, and others are not concerned.
func TestHostileMembers(t *testing.T) {
	good := patterns.Head{Kind: patterns.KindHello, Method: "bad", Origin: testID("bad")}
	long := strings.Repeat("x", maxName+1)
	for _, tt := range []struct {
		name string
		says []patterns.Head
		want string
	}{
		{"not hello first", []patterns.Head{whisper}, "before hello"},
		{"hello twice", []patterns.Head{good, good}, "a second time"},
		{"hello without an id", []patterns.Head{{Kind: patterns.KindHello, Method: "bad"}}, "without an id"},
		{
			"hello with the id of somebody else",
			[]patterns.Head{{Kind: patterns.KindHello, Origin: testID("ours")}},
			"that of another",
		},
		{"a long name", []patterns.Head{{Kind: patterns.KindHello, Method: long, Origin: testID("bad")}}, "a name over"},
		{"a group with a long name", []patterns.Head{good, {Kind: patterns.KindJoin, Method: long}}, "a name over"},
		{"a group without a name", []patterns.Head{good, {Kind: patterns.KindJoin}}, "a name over"},
		{"too many groups", slices.Concat([]patterns.Head{good}, joins(maxGroups+1)), "in more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ann, bob := a(t, "ann"), a(t, "bob")
			meet(t, ann, bob, "inproc://"+t.Name())
			r := newRaw(t, ann.Endpoints()[0], socket.WithoutReconnect())
			for _, h := range tt.says {
				if h.Origin == testID("ours") {
					h.Origin = ann.ID()
				}
				r.says(h)
			}
			for _, err := range ann.Events(within(t)) {
				if err != nil {
					if pe, ok := errors.AsType[*socket.PeerError](err); !ok || pe.Peer == nil ||
						!errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), tt.want) {
						t.Error(err)
					}
					break
				}
			}
			must(t, bob.Whisper(within(t), the(t, bob, "ann"), "still here"))
			for e, err := range ann.Events(within(t)) {
				must(t, err)
				if e.Kind == Whisper && e.Peer.Name == "bob" {
					break
				}
			}
		})
	}
}

func joins(n int) (all []patterns.Head) {
	for i := range n {
		all = append(all, patterns.Head{Kind: patterns.KindJoin, Method: fmt.Sprint("g", i)})
	}
	return all
}

// A peer of another pattern is disconnected, and named.
func TestOtherPattern(t *testing.T) {
	ann := a(t, "ann")
	newRaw(t, bind(t, ann, "tcp://127.0.0.1:*"), socket.WithMetadata(line.Property, "call/1"),
		socket.WithoutReconnect())
	for _, err := range ann.Events(within(t)) {
		s := fmt.Sprint(err)
		if !errors.Is(err, ErrPattern) || !strings.Contains(s, "call/1") || !strings.Contains(s, "grp/1") {
			t.Error(err)
		}
		break
	}
}

// FuzzPresence: whatever connections bring, what is told of a peer begins with its entry and ends with its exit, is in
// the order in which it was said over each connection, and nothing is left when all are gone.
func FuzzPresence(f *testing.F) {
	f.Add([]byte("\x00\x10\x20\x30\x40"))
	f.Add([]byte{0x00, 0x01, 0x10, 0x20, 0x11, 0x31, 0x30, 0x21, 0x50, 0x51})
	f.Add([]byte("&0N\b&\x06\xd6^&\x16\xae")) // what waits is told when another connection has the place of its own
	f.Fuzz(func(t *testing.T, ops []byte) {
		type message struct{ conn, n int }
		p := newPresence[int, message](testID("me"))
		ids := []ID{testID("ann"), testID("bob"), testID("me"), {}}
		var up [8]int // the connection in each place, 0 if there is none
		begun, said := 0, 0
		last := make(map[int]int) // of what each connection has said, as it was told
		present := make(map[*Peer]map[string]bool)
		check := func() {
			for _, s := range p.steps {
				if s.do != say {
					continue
				}
				in, ok := present[s.peer]
				if ok == (s.kind == Entered) {
					t.Fatalf("%s of one that is present: %t", s.kind, ok)
				}
				switch s.kind {
				case Entered:
					present[s.peer] = make(map[string]bool)
				case Joined:
					in[s.group] = true
				case Left:
					delete(in, s.group)
				case Exited:
					if delete(present, s.peer); len(in) > 0 {
						t.Fatalf("exited, and still in %v", in)
					}
				case Shout, Whisper:
					if s.msg.n <= last[s.msg.conn] {
						t.Fatalf("%d after %d", s.msg.n, last[s.msg.conn])
					}
					last[s.msg.conn] = s.msg.n
				}
			}
			p.steps = nil
			if len(p.present) != len(present) {
				t.Fatalf("%d are present, %d were told", len(p.present), len(present))
			}
		}
		for _, op := range ops {
			c := &up[op&7]
			if what := op >> 4; *c == 0 {
				begun++
				*c = begun
				p.up(*c, ids[what%4], op&8 != 0)
			} else if what < 4 {
				p.hello(*c, ids[what%4], "x")
			} else if what < 6 {
				p.down(*c, nil)
				*c = 0
			} else if what < 8 {
				p.says(*c, heard[message]{kind: Joined, group: []string{"g", "h"}[what%2]})
			} else if what < 10 {
				p.says(*c, heard[message]{kind: Left, group: []string{"g", "h"}[what%2]})
			} else {
				said++
				p.says(*c, heard[message]{kind: Whisper, msg: message{*c, said}})
			}
			check()
		}
		for _, c := range up {
			if c != 0 {
				p.down(c, nil)
				check()
			}
		}
		if len(p.peers)+len(p.conns)+len(p.present) > 0 {
			t.Errorf("left over: %d peers, %d connections, %d present", len(p.peers), len(p.conns), len(p.present))
		}
	})
}
