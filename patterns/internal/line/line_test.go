package line

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

func numbered(conn, n int) []string {
	want := []string{fmt.Sprint("up ", conn)}
	for i := range n {
		want = append(want, fmt.Sprintf("%d: %d", conn, i))
	}
	return append(want, fmt.Sprint("down ", conn))
}

// A connection is up, brings its messages, and is down: nothing is missing, and nothing comes later.
func TestALostPeersMessagesComeBeforeItsEnd(t *testing.T) {
	const n = 500
	t.Run("bound", func(t *testing.T) {
		eachTransport(t, func(t *testing.T, endpoint string) {
			told := newStory()
			at, err := newBound(t, Service, told).Bind(within(t), endpoint)
			must(t, err)
			for round := range 10 {
				dealer := socket.NewDealer(Call.Option())
				must(t, dealer.Connect(at))
				for i := range n {
					must(t, dealer.Send(within(t), socket.Text(fmt.Sprint(i))))
				}
				must(t, dealer.Shutdown(within(t)))
				got := told.until(t, fmt.Sprint("down ", round))
				if got = got[round*(n+2):]; !slices.Equal(got, numbered(round, n)) {
					t.Fatalf("round %d: %d of %d: %q", round, len(got), n+2, got)
				}
			}
		})
	})
	t.Run("dialer", func(t *testing.T) {
		eachTransport(t, func(t *testing.T, endpoint string) {
			told := newStory()
			d := newDialer(t, Call, told)
			at := endpoint
			for round := range 5 {
				router := socket.NewRouter(Service.Option())
				actual, err := router.Bind(within(t), at)
				must(t, err)
				at = actual
				must(t, d.Connect(at)) // of the first round, and no change later
				told.until(t, fmt.Sprint("up ", round))
				must(t, router.WaitPeers(within(t), 1))
				peer := router.Stats().Peers[0].Peer
				for i := range n {
					must(t, router.SendTo(within(t), peer, socket.Text(fmt.Sprint(i))))
				}
				must(t, router.Shutdown(within(t)))
				got := told.until(t, fmt.Sprint("down ", round))
				got = slices.DeleteFunc(got, func(s string) bool { return s == "failed" }) // attempts meanwhile
				if got = got[round*(n+2):]; !slices.Equal(got, numbered(round, n)) {
					t.Fatalf("round %d: %d of %d: %q", round, len(got), n+2, got)
				}
			}
		})
	})
}

// Both sides, each with its own words: a message there and back by the connection that it came by.
func TestBothSides(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		here, there := newStory(), newStory()
		there.echo = true
		b := newBound(t, Service, there)
		d := newDialer(t, Call, here)
		var ends []string
		for i := range 2 {
			at, err := b.Bind(within(t), strings.ReplaceAll(endpoint, "inproc://", fmt.Sprintf("inproc://%d", i)))
			must(t, err)
			must(t, d.Connect(at))
			must(t, d.WaitConnected(within(t), at))
			here.until(t, fmt.Sprint("up ", i))
			ends = append(ends, at)
		}
		for i := range 2 {
			must(t, here.conn(i).Send(within(t), socket.Text(fmt.Sprint("for ", i))))
			here.until(t, fmt.Sprintf("%d: for %d", i, i))
			if c := here.conn(i); c.Foreign() || c.Line == nil || c.Line.Endpoint() != c.Peer.Endpoint {
				t.Errorf("%v at %v", c.Peer, c.Line)
			}
		}
		if got := d.Endpoints(); !slices.Equal(got, slices.Sorted(slices.Values(ends))) || len(d.Sockets()) != 2 {
			t.Errorf("connected to %q", got)
		}
		must(t, d.Disconnect(ends[0]))
		here.until(t, "down 0")
		if err := here.conn(0).TrySend(socket.Text("late")); !errors.Is(err, socket.ErrClosed) {
			t.Error("sent to one that is gone:", err)
		}
		for what, err := range map[string]error{
			"disconnect": d.Disconnect(ends[0]),
			"wait":       d.WaitConnected(within(t), ends[0]),
			"wait down":  d.WaitDisconnected(within(t), ends[0]),
		} {
			if !errors.Is(err, socket.ErrNoEndpoint) || !strings.Contains(err.Error(), ends[0]) {
				t.Errorf("%s twice: %v", what, err)
			}
		}
		must(t, b.Shutdown(within(t)))
		here.until(t, "down 1")
		must(t, d.WaitDisconnected(within(t), ends[1]))
		must(t, d.Shutdown(within(t)))
		if err := d.Connect(ends[0]); !errors.Is(err, socket.ErrClosed) {
			t.Error("connects when it is closed:", err)
		}
	})
}

// Two that do not fit part at once, and each can say who met whom.
func TestPatternsThatDoNotFit(t *testing.T) {
	here, there := newStory(), newStory()
	at, err := newBound(t, Pusher, there).Bind(within(t), "tcp://127.0.0.1:*")
	must(t, err)
	must(t, newDialer(t, Call, here).Connect(at))
	for name, s := range map[string]*story{"call/1": here, "push/1": there} {
		if told := s.until(t, "failed"); slices.ContainsFunc(told, func(s string) bool { return s != "failed" }) {
			t.Errorf("%s was told %q", name, told)
		}
		i := slices.IndexFunc(s.failures(), func(err error) bool { return errors.Is(err, ErrPattern) })
		if i < 0 { // it may have lost the other before it looked
			t.Fatalf("%s: %v", name, s.failures())
		}
		text := s.failures()[i].Error()
		if !strings.Contains(text, "call/1") || !strings.Contains(text, "push/1") {
			t.Errorf("%s: does not name both: %v", name, text)
		}
	}
}

func TestWhoFits(t *testing.T) {
	fits := map[Pattern]Pattern{
		Service: Call, Call: Service, Publisher: Subscriber, Subscriber: Publisher, Pusher: Worker, Worker: Pusher,
		Member: Member,
	}
	for p, counterpart := range fits {
		for _, other := range append(slices.Collect(maps.Keys(fits)), "call/2", "rpc/9", "", "tea/1") {
			err := p.Meet(&socket.Peer{Metadata: map[string]string{Property: string(other)}})
			if want := other == "" || other.name() == counterpart.name(); (err == nil) != want {
				t.Errorf("%s meets %s: %v", p, other, err)
			}
		}
	}
}

// Plain ZeroMQ is welcome, and known as such.
func TestForeign(t *testing.T) {
	told := newStory()
	told.echo = true
	at, err := newBound(t, Service, told).Bind(within(t), "tcp://127.0.0.1:*")
	must(t, err)
	dealer := socket.NewDealer()
	defer dealer.Close()
	must(t, dealer.Connect(at))
	must(t, dealer.Send(within(t), socket.Text("hello")))
	m, err := dealer.Recv(within(t))
	must(t, err)
	if string(m.Bytes()) != "hello" || !told.conn(0).Foreign() || told.conn(0).Line != nil {
		t.Errorf("%v from %+v", m, told.conn(0).Peer)
	}
}

// A bound side can speak first.
func TestToASilentPeer(t *testing.T) {
	here, there := newStory(), newStory()
	at, err := newBound(t, Pusher, there).Bind(within(t), "tcp://127.0.0.1:*")
	must(t, err)
	must(t, newDialer(t, Worker, here).Connect(at))
	there.until(t, "up 0")
	must(t, there.conn(0).Send(within(t), socket.Text("hello")))
	here.until(t, "0: hello")
}

func TestAttemptsThatFail(t *testing.T) {
	told := newStory()
	d := newDialer(t, Call, told)
	must(t, d.Connect("tcp://127.0.0.1:1"))
	told.until(t, "failed")
	if err := d.Connect("tcp://127.0.0.1:nothing"); err == nil || len(d.Endpoints()) != 1 {
		t.Errorf("%v; connected to %q", err, d.Endpoints())
	}
	must(t, d.Connect("tcp://127.0.0.1:0001")) // the same
	if len(d.Endpoints()) != 1 {
		t.Errorf("two spellings are two endpoints: %q", d.Endpoints())
	}
}

// A connection that was given up lasts until its line is closed.
func TestDetach(t *testing.T) {
	here, there := newStory(), newStory()
	there.echo = true
	at, err := newBound(t, Service, there).Bind(within(t), "tcp://127.0.0.1:*")
	must(t, err)
	d := newDialer(t, Call, here)
	must(t, d.Connect(at))
	here.until(t, "up 0")
	l, err := d.Detach(at)
	must(t, err)
	if len(d.Endpoints()) != 0 || len(d.Sockets()) != 1 {
		t.Errorf("%q, %d sockets", d.Endpoints(), len(d.Sockets()))
	}
	must(t, here.conn(0).Send(within(t), socket.Text("more")))
	here.until(t, "0: more")
	must(t, d.Connect(at)) // another connection
	here.until(t, "up 1")
	must(t, l.Close())
	here.until(t, "down 0")
	if len(d.Endpoints()) != 1 || len(d.Sockets()) != 1 {
		t.Errorf("%q, %d sockets", d.Endpoints(), len(d.Sockets()))
	}
}

// A reader that missed events finds out who has gone and who has come.
func TestMissedEvents(t *testing.T) {
	router := socket.NewRouter()
	defer router.Close()
	at, err := router.Bind(within(t), "inproc://missed")
	must(t, err)
	first, second := socket.NewDealer(), socket.NewDealer()
	defer second.Close()
	must(t, first.Connect(at))
	must(t, router.WaitPeers(within(t), 1))
	gone := router.Stats().Peers[0].Peer
	must(t, first.Close())
	<-gone.Done()
	must(t, second.Connect(at))
	must(t, router.WaitPeers(within(t), 1))
	told := newStory()
	events := make(chan socket.Event)
	r := reader{socket: forgetful{router, events}, pattern: Service, handler: told}
	r.start()
	events <- socket.Event{Kind: socket.PeerUp, Peer: gone}
	told.until(t, "up 0")
	events <- socket.Event{Kind: socket.Missed}
	told.until(t, "up 1")
	if got := told.until(t, "down 0"); len(got) != 3 {
		t.Errorf("%q", got)
	}
	close(events)
	must(t, router.Close())
	r.wait()
	told.until(t, "down 1")
}

// forgetful is a ROUTER of which other events are told than there were.
type forgetful struct {
	*socket.Router
	events chan socket.Event
}

func (f forgetful) Events(context.Context) iter.Seq[socket.Event] {
	return func(yield func(socket.Event) bool) {
		for ev := range f.events {
			if !yield(ev) {
				return
			}
		}
	}
}

func TestCloseOfWhatNeverBegan(t *testing.T) {
	must(t, NewBound(Service, newStory()).Close())
	must(t, NewDialer(Call, newStory()).Close())
	must(t, NewBound(Service, newStory()).Shutdown(within(t)))
}
