package socket

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A listener is a peer that reads subscriptions: what it believes, and all it has read.
type listener struct {
	link     *link
	believes map[string]bool
	received []string
}

func newListener(g *commandLog) *listener {
	return &listener{link: &link{out: linkOut{commands: g.reader()}}, believes: make(map[string]bool)}
}

// read reads up to n chunks, and reports whether there are more.
func (h *listener) read(t *testing.T, n int) (more bool) {
	t.Helper()
	more = true
	for ; n > 0 && more; n-- {
		var b []byte
		b, more = h.link.out.commands.next(nil, zmtp.Version{Major: 3})
		for len(b) > 0 { // ZMTP 3.0: messages of one frame
			hd, size, err := zmtp.ParseHeader(b)
			if err != nil {
				t.Fatal(err)
			}
			topic, add, ok := zmtp.ParseSubscription(b[size:][:hd.Size])
			if !ok {
				t.Fatalf("not a subscription: %q", b)
			}
			b = b[size+int(hd.Size):]
			if !add && !h.believes[string(topic)] {
				t.Fatalf("cancelled is %.20q, which was not subscribed", topic)
			}
			h.believes[string(topic)] = add
			h.received = append(h.received, map[bool]string{true: "+", false: "-"}[add]+string(topic))
		}
	}
	return more
}

func (h *listener) topics() []string {
	maps.DeleteFunc(h.believes, func(_ string, holds bool) bool { return !holds })
	return slices.Sorted(maps.Keys(h.believes))
}

// logOf is a subscriptions with nothing but its log and some listeners.
func logOf(listeners ...*listener) *subscriptions {
	s := &subscriptions{
		core: new(core), wants: make(map[string]want), forwarded: make(map[subscriptionKey]struct{}),
		forwarder: make(map[string]any), links: make(map[*link]struct{}),
	}
	for _, l := range listeners {
		l.link.out.commands = s.log.reader()
		l.link.core, l.link.carrier = s.core, &wire{l.link}
		l.link.out.dead = true // nobody writes
		s.links[l.link] = struct{}{}
	}
	return s
}

// TestCommandLogOrder: peers are sent what is subscribed in the order in which it came about, and nothing that was
// taken back before.
func TestCommandLogOrder(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes string // each a letter; upper case cancels; . is where the peer reads
		want    string
	}{
		{"all", "abc", "+a +b +c"},
		{"taken back in time", "abAB", ""},
		{"taken back too late", "a.A", "+a -a"},
		{"make before break", "a.bA", "+a +b -a"},
		{"break before make", "a.Ab", "+a -a +b"},
		{"renewed", "a.Aa", "+a -a +a"},
		{"renewed and taken back", "a.AaA", "+a -a"},
		{"flapping", "a.AaAaAaAbBa", "+a -a +a"},
		{"repeated", "a.aa", "+a +a"},
		{"repeated before it was read", "aaa", "+a +a"},
		{"repeated behind a break", "a.bAb", "+a +b -a +b"},
		{"repeated and taken back", "a.aA", "+a -a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newListener(new(commandLog))
			s := logOf(l)
			for _, x := range c.changes {
				switch {
				case x == '.':
					l.read(t, 100)
				case x >= 'a':
					s.add("somebody", string(x), true)
				default:
					s.remove("somebody", string(x+'a'-'A'))
				}
			}
			l.read(t, 100)
			if got := fmt.Sprint(l.received); got != "["+c.want+"]" {
				t.Fatalf("received %s, want [%s]", got, c.want)
			}
			late := newListener(&s.log)
			late.read(t, 100)
			if len(late.received) != len(s.wants) {
				t.Fatalf("a new peer reads %v, want each of %d once", late.received, len(s.wants))
			}
		})
	}
}

// TestCommandLogIsBounded: however often subscriptions change, peers that read now and then, or never, end up with
// what is wanted, and what is kept for them is no more than that and what they have read.
func TestCommandLogIsBounded(t *testing.T) {
	const topics, changes = 300, 60_000
	listeners := []*listener{newListener(new(commandLog)), newListener(new(commandLog)), newListener(new(commandLog))}
	s := logOf(listeners...)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range changes {
		topic := fmt.Sprintf("%0200d", rnd.IntN(topics)) // a chunk has 300 of these
		if rnd.IntN(3) > 0 {
			s.add("somebody", topic, true)
		} else {
			s.remove("somebody", topic)
		}
		for j, often := range []int{10, 1000} { // the third never reads
			if rnd.IntN(often) == 0 {
				listeners[j].read(t, 1+rnd.IntN(2))
			}
		}
		if n := len(s.log.entries); n > 4*topics+100 {
			t.Fatalf("after %d changes the log has %d entries", i, n)
		}
		for j, l := range listeners {
			if n := len(l.link.out.commands.cancels); n > topics {
				t.Fatalf("after %d changes %d cancellations wait for peer %d", i, n, j)
			}
		}
	}
	want := slices.Sorted(maps.Keys(s.wants))
	for j, l := range listeners {
		for l.read(t, 1) {
		}
		if got := l.topics(); !slices.Equal(got, want) {
			t.Errorf("peer %d has %d topics, want %d", j, len(got), len(want))
		}
	}
	if n := len(listeners[2].received); n > 2*topics {
		t.Errorf("the peer that had not read was sent %d commands about %d topics", n, topics)
	}
}
