package socket_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// yodelOf is what a Yodel says in READY, here with something that a later version has added.
func yodelOf(features zmtp.Features, receiver byte, later string) zmtp.Property {
	y := zmtp.Yodel{Features: features, Node: [16]byte{1}, Receiver: [16]byte{receiver}}
	return zmtp.Property{Name: zmtp.PropertyYodel, Value: append(zmtp.AppendYodel(nil, &y), later...)}
}

// TestReliableForeign: to a peer that does not say that it takes part in reliable links no command of theirs goes, and
// what it sends is taken as from anybody; it is told, and counted, and may be refused.
func TestReliableForeign(t *testing.T) {
	for name, property := range map[string][]zmtp.Property{
		"no Yodel":                      nil,
		"the first Yodel":               {yodelProperty},
		"of a later one, without links": {yodelOf(1<<31, 7, "and more")},
		"of which half has come":        {{Name: "X-Yodel", Value: []byte{1, 0, 0, 0, 1, 2, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			push := closing(t, socket.NewPush(socket.WithReliable()))
			r := rawDial(t, bind(t, push, "tcp://127.0.0.1:*"))
			r.shake("PULL", property...)
			for n := range 3 {
				send(t, push, fmt.Sprint(n))
				if f := r.frame(); string(f.body) != fmt.Sprint(n) || f.flags != 0 {
					t.Errorf("frame %x %q, want message %d", f.flags, f.body, n)
				}
			}
			eventWhere(t, push, "a foreign peer", func(ev socket.Event) bool { return ev.Kind == socket.PeerForeign })
			waitUntil(t, "all is delivered", func() bool { return push.Stats().AtMostOnce.Messages == 3 })

			pull := closing(t, socket.NewPull(socket.WithReliable()))
			r = rawDial(t, bind(t, pull, "tcp://127.0.0.1:*"))
			r.shake("PUSH", property...)
			r.send(messageOf("hello"))
			expect(t, pull, "hello")
			eventWhere(t, pull, "a foreign peer", func(ev socket.Event) bool { return ev.Kind == socket.PeerForeign })

			only := closing(t, socket.NewPush(socket.WithReliable(), socket.WithYodelOnly()))
			r = rawDial(t, bind(t, only, "tcp://127.0.0.1:*"))
			r.shake("PULL", property...)
			eventWhere(t, only, "a refusal", func(ev socket.Event) bool {
				return ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, socket.ErrForeign)
			})
			r.ended()
		})
	}
}

// A rawReceiver is a peer that speaks for itself what a reliable Push expects of a Pull.
type rawReceiver struct {
	*raw
	open zmtp.Open
}

// joinReliably shakes hands, takes OPEN and answers it.
func joinReliably(t *testing.T, endpoint string, o zmtp.Opened) *rawReceiver {
	t.Helper()
	return joinReliablyAs(t, endpoint, 7, o)
}

// joinReliablyAs is joinReliably of a receiver with an id.
func joinReliablyAs(t *testing.T, endpoint string, id byte, o zmtp.Opened) *rawReceiver {
	t.Helper()
	return answerOpenAs(t, rawDial(t, endpoint), id, o)
}

// answerOpen does so over a connection.
func answerOpen(t testing.TB, conn *raw, o zmtp.Opened) *rawReceiver {
	t.Helper()
	return answerOpenAs(t, conn, 7, o)
}

func answerOpenAs(t testing.TB, conn *raw, id byte, o zmtp.Opened) *rawReceiver {
	t.Helper()
	r := &rawReceiver{raw: conn}
	r.shake("PULL", yodelOf(zmtp.FeatureReliable|1<<30, id, "and more"))
	f := r.frame()
	name, data, err := zmtp.ParseCommand(f.body)
	must(t, err)
	if name != zmtp.CommandOpen || f.flags&zmtp.FlagCommand == 0 {
		t.Fatalf("%x %q came, want OPEN", f.flags, f.body)
	}
	r.open, err = zmtp.ParseOpen(data)
	must(t, err)
	o.Receiver = [16]byte{id}
	for i, c := range o.Commands() {
		if i > 0 {
			if f := r.frame(); f.command() != zmtp.CommandMore {
				t.Fatalf("%x %q came, want MORE", f.flags, f.body)
			}
		}
		r.send(zmtp.AppendCommand(nil, c.Name, c.Data, []byte("and more")))
	}
	return r
}

// wantMessages takes messages that are numbers.
func (r *rawReceiver) wantMessages(t *testing.T, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		if m := r.message(); !slices.Equal(m, []string{fmt.Sprint(n)}) {
			t.Fatalf("%q came, want %d", m, n)
		}
	}
}

// TestReliableBytes: the whole life of a stream, byte by byte, with a receiver that holds some of it, has settled some,
// and says more than this version knows.
func TestReliableBytes(t *testing.T) {
	push := closing(t, socket.NewPush(socket.WithReliable()))
	at := bind(t, push, "tcp://127.0.0.1:*")
	delivered := func(n uint64) {
		t.Helper()
		waitUntil(t, fmt.Sprint(n, " messages are delivered"), func() bool {
			st := push.Stats()
			balanced(t, push)
			return st.Delivered.Messages == n
		})
	}

	r := joinReliably(t, at, zmtp.Opened{Next: 1, Floor: 1})
	first := r.open
	if first.Low != 1 || first.Next != 1 || first.Link != 1 || first.WindowMessages != 1<<20 ||
		first.WindowBytes != 8<<20 {
		t.Errorf("the first OPEN is %+v", first)
	}
	for n := 1; n <= 9; n++ {
		send(t, push, fmt.Sprint(n))
	}
	r.wantMessages(t, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	r.send(zmtp.AppendAck(nil, 2))
	delivered(2)
	r.send(zmtp.AppendCommand(nil, "ODD", []byte("of a later version")))
	r.send(zmtp.AppendAck(nil, 2, zmtp.Range{From: 4, To: 6}))
	delivered(4)
	r.Close()

	// It has settled 3, too, and 5 and 6 out of order; it holds 4, and has not got the rest.
	r = joinReliably(t, at, zmtp.Opened{
		Known: 2, Next: 7, Floor: 4, Done: []zmtp.Range{{From: 5, To: 7}},
		Held: []zmtp.Range{{From: 4, To: 5}},
	})
	second := r.open
	if second.Stream != first.Stream || second.Epoch != first.Epoch || second.Link != 2 || second.Low != 3 ||
		second.Next != 10 {
		t.Errorf("the second OPEN is %+v, the first was %+v", second, first)
	}
	delivered(5)
	send(t, push, "10")
	r.wantMessages(t, 7, 8, 9, 10)
	r.send(zmtp.AppendAck(nil, 3)) // 4, 7, 8
	delivered(8)
	r.Close()

	// And so on, over many more connections without a message.
	for link := uint64(3); link < 10; link++ {
		r = joinReliably(t, at, zmtp.Opened{Known: 2, Next: 11, Floor: 9, Held: []zmtp.Range{{From: 9, To: 11}}})
		if r.open.Link != link || r.open.Low != 9 || r.open.Next != 11 {
			t.Errorf("OPEN number %d is %+v", link, r.open)
		}
		r.send(zmtp.AppendAck(nil, 0))
		r.Close()
	}
	r = joinReliably(t, at, zmtp.Opened{Known: 2, Next: 11, Floor: 9, Held: []zmtp.Range{{From: 9, To: 11}}})
	send(t, push, "11")
	r.wantMessages(t, 11)
	r.send(zmtp.AppendAck(nil, 3))
	delivered(11)
}

// TestReliableHostileReceiver: what a receiver cannot know, or may not say, ends its connection and costs nobody else
// anything.
func TestReliableHostileReceiver(t *testing.T) {
	good := zmtp.Opened{Next: 1, Floor: 1}
	for name, tt := range map[string]struct {
		opened zmtp.Opened
		then   []byte
	}{
		"an answer from the future": {zmtp.Opened{Next: 5, Floor: 5}, nil},
		"holds what was never sent": {zmtp.Opened{Next: 1, Floor: 1, Held: []zmtp.Range{{From: 1, To: 2}}}, nil},
		"holds it twice": {
			zmtp.Opened{Next: 1, Floor: 1, Held: []zmtp.Range{{From: 1, To: 3}, {From: 2, To: 3}}}, nil,
		},
		"fenced":                   {zmtp.Opened{Status: zmtp.OpenFenced, Next: 1}, nil},
		"forked":                   {zmtp.Opened{Status: zmtp.OpenForked, Next: 1}, nil},
		"refused":                  {zmtp.Opened{Status: zmtp.OpenRefused, Next: 1}, nil},
		"an ACK of the future":     {good, zmtp.AppendAck(nil, 1000)},
		"an ACK of far out":        {good, zmtp.AppendAck(nil, 0, zmtp.Range{From: 1 << 40, To: 1 << 41})},
		"an ACK that is cut short": {good, zmtp.AppendCommand(nil, "ACK", []byte{1, 2})},
		"a BYE that is cut short":  {good, zmtp.AppendCommand(nil, "BYE")},
	} {
		t.Run(name, func(t *testing.T) {
			push := closing(t, socket.NewPush(socket.WithReliable(), socket.WithReassign(time.Millisecond)))
			at := bind(t, push, "tcp://127.0.0.1:*")
			r := joinReliably(t, at, tt.opened)
			if tt.then != nil {
				r.send(tt.then)
			}
			r.ended()
			balanced(t, push)
			pull := closing(t, socket.NewPull())
			connect(t, pull, at)
			for n := range 5 {
				send(t, push, fmt.Sprint(n))
				expect(t, pull, fmt.Sprint(n))
			}
		})
	}
}
