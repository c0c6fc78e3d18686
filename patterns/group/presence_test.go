package group

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// A script is what connections, which are numbers, bring to the member "me", a line each, and what comes of it:
//
//	up 1 ann           from ann, who says so in the handshake; "-" if she does not
//	dialed 1 ann       the same, over a connection that we have begun
//	hello 1 ann        ann says hello
//	join 1 g, leave 1 g, shout 1 g text, whisper 1 text
//	down 1
func play(t *testing.T, p *presence[int, string], script string) string {
	t.Helper()
	for line := range strings.Lines(script) {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		conn, err := strconv.Atoi(w[1])
		if err != nil {
			t.Fatal(line)
		}
		switch w[0] {
		case "up", "dialed":
			p.up(conn, testID(w[2]), w[0] == "dialed")
		case "hello":
			p.hello(conn, testID(w[2]), w[2])
		case "join":
			p.says(conn, heard[string]{kind: Joined, group: w[2]})
		case "leave":
			p.says(conn, heard[string]{kind: Left, group: w[2]})
		case "shout":
			p.says(conn, heard[string]{kind: Shout, group: w[2], msg: w[3]})
		case "whisper":
			p.says(conn, heard[string]{kind: Whisper, msg: w[2]})
		case "down":
			p.down(conn, nil)
		default:
			t.Fatal(line)
		}
	}
	return shown(p)
}

func testID(name string) (id ID) {
	if name != "-" {
		copy(id[:], name)
	}
	return id
}

// shown takes the steps of a presence, a line each.
func shown(p *presence[int, string]) string {
	var b strings.Builder
	for _, s := range p.steps {
		switch s.do {
		case greet:
			fmt.Fprintf(&b, "greet %d", s.conn)
		case hasten:
			fmt.Fprintf(&b, "hasten %d", s.conn)
		case end:
			fmt.Fprintf(&b, "end %d: %v", s.conn, s.cause)
		case say:
			fmt.Fprint(&b, strings.Join(strings.Fields(fmt.Sprint(s.kind, " ", s.peer, " ", s.group, " ", s.msg)), " "))
		}
		b.WriteByte('\n')
	}
	p.steps = nil
	return b.String()
}

func TestPresence(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"a peer comes, says something and goes", `
			up 1 ann
			hello 1 ann
			join 1 g
			shout 1 g hi
			whisper 1 psst
			leave 1 g
			down 1`, `
			greet 1
			entered ann
			joined ann g
			shout ann g hi
			whisper ann psst
			left ann g
			exited ann`},
		{"who goes leaves its groups", `
			up 1 ann
			hello 1 ann
			join 1 g
			join 1 h
			down 1`, `
			greet 1
			entered ann
			joined ann g
			joined ann h
			left ann g
			left ann h
			exited ann`},
		{"to join or leave twice says nothing", `
			up 1 ann
			hello 1 ann
			join 1 g
			join 1 g
			leave 1 g
			leave 1 g
			leave 1 h`, `
			greet 1
			entered ann
			joined ann g
			left ann g`},
		{"who shouts need not be in the group", `
			up 1 ann
			hello 1 ann
			shout 1 g hi`, `
			greet 1
			entered ann
			shout ann g hi`},
		{"without hello nobody is there", `
			up 1 ann
			down 1`, `
			greet 1`},
		{"of two connections one is used", `
			up 1 ann
			dialed 2 ann
			hello 2 ann
			whisper 2 psst
			down 1`, `
			greet 1
			entered ann
			whisper ann psst
			greet 2`},
		{"the other goes and nothing changes", `
			up 1 ann
			dialed 2 ann
			hello 1 ann
			down 2
			whisper 1 psst`, `
			greet 1
			entered ann
			whisper ann psst`},
		{"a peer that sends over another connection has entered anew, behind what the first one brings", `
			up 1 ann
			hello 1 ann
			join 1 g
			up 2 ann
			hello 2 ann
			join 2 g
			shout 2 g second
			shout 1 g first
			down 1
			shout 2 g third`, `
			greet 1
			entered ann
			joined ann g
			hasten 1
			shout ann g first
			greet 2
			left ann g
			exited ann
			entered ann
			joined ann g
			shout ann g second
			shout ann g third`},
		{"three connections, the second over before the first", `
			up 1 ann
			hello 1 ann
			up 2 ann
			hello 2 ann
			whisper 2 b
			up 3 ann
			hello 3 ann
			whisper 3 c
			down 2
			whisper 1 a
			down 1`, `
			greet 1
			entered ann
			hasten 1
			hasten 1
			whisper ann a
			greet 3
			exited ann
			entered ann
			whisper ann b
			exited ann
			entered ann
			whisper ann c`},
		{"two peers", `
			up 1 ann
			up 2 bob
			hello 2 bob
			hello 1 ann
			down 1
			whisper 2 psst`, `
			greet 1
			greet 2
			entered bob
			entered ann
			exited ann
			whisper bob psst`},
		{"a connection to ourselves is not used", `
			dialed 1 me
			up 2 me
			down 1
			down 2`, ``},
		{"a foreign member that connects speaks first", `
			up 1 -
			hello 1 ann
			join 1 g
			down 1`, `
			greet 1
			entered ann
			joined ann g
			left ann g
			exited ann`},
		{"one that is connected to is greeted", `
			dialed 1 -
			hello 1 ann`, `
			greet 1
			entered ann`},
		{"one with two connections is talked to where it has said hello", `
			dialed 1 -
			up 2 -
			hello 2 ann
			whisper 2 psst`, `
			greet 1
			greet 2
			entered ann
			whisper ann psst`},
		{"one that moves", `
			up 1 -
			hello 1 ann
			up 2 -
			hello 2 ann
			whisper 2 b
			whisper 1 a
			down 1
			down 2`, `
			greet 1
			entered ann
			greet 2
			hasten 1
			whisper ann a
			exited ann
			entered ann
			whisper ann b
			exited ann`},
		{"one that moves and goes before the end of what it has said", `
			up 1 -
			hello 1 ann
			up 2 -
			hello 2 ann
			whisper 2 b
			down 2
			whisper 1 a
			down 1`, `
			greet 1
			entered ann
			greet 2
			hasten 1
			whisper ann a
			exited ann
			entered ann
			whisper ann b
			exited ann`},
		{"hello twice", `
			up 1 ann
			hello 1 ann
			hello 1 ann
			whisper 1 psst
			down 1`, `
			greet 1
			entered ann
			end 1: group: not what a member says: hello a second time
			exited ann`},
		{"nothing before hello", `
			up 1 ann
			shout 1 g hi
			hello 1 ann`, `
			greet 1
			end 1: group: not what a member says: before hello`},
		{"hello by another id", `
			up 1 ann
			hello 1 bob`, `
			greet 1
			end 1: group: not what a member says: hello without an id, or with that of another`},
		{"hello without an id", `
			up 1 -
			hello 1 -`, `
			end 1: group: not what a member says: hello without an id, or with that of another`},
		{"hello by our own id", `
			up 1 -
			hello 1 me`, `
			end 1: group: not what a member says: hello without an id, or with that of another`},
		{"a foreign member has not the id of one that has shown it in the handshake", `
			up 1 ann
			up 2 -
			hello 2 ann
			hello 1 ann`, `
			greet 1
			end 2: group: not what a member says: hello without an id, or with that of another
			entered ann`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPresence[int, string](testID("me"))
			got, want := play(t, p, tt.script), strings.TrimLeft(strings.ReplaceAll(tt.want+"\n", "\t", ""), "\n")
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if strings.Contains(tt.script, "down") && len(p.conns) == 0 && len(p.peers)+len(p.present) != 0 {
				t.Errorf("left over: %d peers, %d of them present", len(p.peers), len(p.present))
			}
		})
	}
}

// What waits for the end of an earlier connection is bounded, and so are groups.
func TestPresenceBounds(t *testing.T) {
	p := newPresence[int, string](testID("me"))
	play(t, p, "up 1 ann\nhello 1 ann\nup 2 ann\nhello 2 ann")
	for range maxHeld - 1 {
		play(t, p, "whisper 2 x")
	}
	if got := play(t, p, "whisper 2 x"); got != "end 1: "+errMoved.Error()+"\n" {
		t.Error(got)
	}
	for range maxHeldMore - maxHeld {
		if got := play(t, p, "whisper 2 x"); got != "" {
			t.Fatal(got)
		}
	}
	if got := play(t, p, "whisper 2 x\nwhisper 2 x"); got != "end 2: "+errHeld.Error()+"\n" {
		t.Error(got)
	}
	if got := strings.Count(play(t, p, "down 1"), "whisper"); got != maxHeldMore {
		t.Errorf("%d whispers were held", got)
	}

	p = newPresence[int, string](testID("me"))
	play(t, p, "up 1 ann\nhello 1 ann\nup 2 ann\nhello 2 ann")
	p.says(2, heard[string]{kind: Whisper, size: maxHeldBytes + 1})
	if got := play(t, p, "whisper 2 x"); got != "end 2: "+errHeld.Error()+"\n" {
		t.Error(got)
	}

	p = newPresence[int, string](testID("me"))
	play(t, p, "up 1 ann\nhello 1 ann")
	for i := range maxGroups {
		play(t, p, fmt.Sprintf("join 1 g%d", i))
	}
	if got := play(t, p, "join 1 g0\njoin 1 more\njoin 1 evenmore"); got != "end 1: "+errGroups.Error()+"\n" {
		t.Error(got)
	}
}
