//go:build unix

package interop

import (
	"context"
	"errors"
	"io"
	"log"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"

	"github.com/yodel-mq/yodel/socket"
)

// go-zeromq/zmq4 v0.17.0 speaks ZMTP 3.0. What these tests leave out, or do in a roundabout way, because of it:
//
//   - PUSH and DEALER send each message to every peer, so that there is one peer in each test.
//   - Dial blocks until it has connected, or failed for 2.5 s: the end that dials does so after the other has bound.
//   - A REP takes everything up to the last empty frame for the envelope, not up to the first (rep.go, splitReq):
//     requests have no empty frames here. A REQ takes off one frame and does not look at it.
//   - A PUB cannot be asked whether a subscription has arrived but by Topics.
//   - A peer that leaves makes Recv fail with io.EOF; we close last.
//   - PING is handed to the application; we send none to a 3.0 peer, which TestNoPingToZmq4 watches.
//   - Listen on port 0 works; the endpoint is found by Addr.

// zmq4Sizes is everything but what go-zeromq cannot take.
var zmq4Sizes = slices.Concat(frameShapes, smallSizes, largeSizes)

// zmq4Requests are those of zmq4Sizes without empty frames.
var zmq4Requests = slices.DeleteFunc(slices.Clone(zmq4Sizes), func(m []int) bool { return slices.Contains(m, 0) })

// newZmq4 makes a go-zeromq socket that is closed at the end of the test.
func newZmq4(t *testing.T, make func(context.Context, ...zmq4.Option) zmq4.Socket, options ...zmq4.Option) zmq4.Socket {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := make(ctx, append(options, zmq4.WithLogger(log.New(io.Discard, "", 0)))...)
	t.Cleanup(func() {
		_ = s.Close() // fails if we closed our end before
		cancel()
	})
	return s
}

// linkZmq4 joins one of our sockets with one of go-zeromq.
func linkZmq4(t *testing.T, y yodel, z zmq4.Socket, s side) {
	t.Helper()
	if s.yodelBinds {
		must(t, z.Dial(bind(t, y, fresh(t, s.transport))))
	} else {
		connect(t, y, listenZmq4(t, z, s.transport))
	}
	waitPeers(t, y, 1)
}

func listenZmq4(t *testing.T, z zmq4.Socket, transport string) (endpoint string) {
	t.Helper()
	endpoint = fresh(t, transport)
	if transport == "tcp" {
		endpoint = "tcp://127.0.0.1:0"
	}
	must(t, z.Listen(endpoint))
	if transport == "tcp" {
		endpoint = "tcp://" + z.Addr().String()
	}
	return endpoint
}

// sendZmq4 sends a stream in the background and then gives what it sent.
func sendZmq4(z zmq4.Socket, sz sizes, n int) (sent func() (stream, error)) {
	done := make(chan struct{})
	var st stream
	var err error
	go func() {
		defer close(done)
		for i := range n {
			frames := sz.message(i).Frames
			st.add(frames)
			if err = z.SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
				return
			}
		}
	}()
	return func() (stream, error) {
		<-done
		return st, err
	}
}

// recvZmq4 receives n messages in the background and then gives what it got.
func recvZmq4(z zmq4.Socket, n int) (received func() (stream, error)) {
	done := make(chan struct{})
	var st stream
	var err error
	go func() {
		defer close(done)
		for range n {
			var m zmq4.Msg
			if m, err = z.Recv(); err != nil {
				return
			}
			st.add(m.Frames)
		}
	}()
	return func() (stream, error) {
		select {
		case <-done:
			return st, err
		case <-time.After(patience): // its Recv knows no timeout; it ends when the socket is closed
			return stream{}, context.DeadlineExceeded
		}
	}
}

func TestZmq4Roles(t *testing.T) {
	for _, role := range []struct {
		name string
		test func(t *testing.T, s side)
	}{
		{"push", pushToZmq4},
		{"pull", pullFromZmq4},
		{"pub", pubToZmq4},
		{"sub", subFromZmq4},
		{"req", reqToZmq4},
		{"rep", repFromZmq4},
	} {
		t.Run(role.name, func(t *testing.T) { eachSide(t, role.test) })
	}
}

func pushToZmq4(t *testing.T, s side) {
	push := closing(t, socket.NewPush())
	z := newZmq4(t, zmq4.NewPull)
	linkZmq4(t, push, z, s)
	defer sample(t, push)()
	n := 2 * len(zmq4Sizes)
	got := recvZmq4(z, n)
	sent := sendAll(t, push, zmq4Sizes, n)
	received, err := got()
	must(t, err)
	sameStream(t, sent, received)
	steady(t, push)
	sameCount(t, "delivered", delivered(t, push).Delivered, received)
}

func pullFromZmq4(t *testing.T, s side) {
	pull := closing(t, socket.NewPull())
	z := newZmq4(t, zmq4.NewPush)
	linkZmq4(t, pull, z, s)
	defer sample(t, pull)()
	n := 2 * len(zmq4Sizes)
	sending := sendZmq4(z, zmq4Sizes, n)
	received := recvAll(t, pull, n)
	sent, err := sending()
	must(t, err)
	sameStream(t, sent, received)
	steady(t, pull)
	sameCount(t, "handed", checked(t, pull).Handed, sent)
}

func pubToZmq4(t *testing.T, s side) {
	pub := closing(t, socket.NewPub(socket.WithOverflow(socket.Block)))
	z := newZmq4(t, zmq4.NewSub)
	must(t, z.SetOption(zmq4.OptionSubscribe, ""))
	linkZmq4(t, pub, z, s)
	defer sample(t, pub)()
	waitSubscribers(t, pub, "", 1)
	n := 2 * len(zmq4Sizes)
	got := recvZmq4(z, n)
	sent := sendAll(t, pub, zmq4Sizes, n)
	received, err := got()
	must(t, err)
	sameStream(t, sent, received)
	steady(t, pub)
	sameCount(t, "delivered", delivered(t, pub).Delivered, received)
}

func subFromZmq4(t *testing.T, s side) {
	sub := closing(t, socket.NewSub(socket.WithSubscription("")))
	z := newZmq4(t, zmq4.NewPub)
	linkZmq4(t, sub, z, s)
	defer sample(t, sub)()
	// There is no telling when its reader has seen the subscription; it may be asked again and again.
	for {
		must(t, z.Send(zmq4.NewMsgString("are you there?")))
		if _, err := sub.Recv(lasting(t, 20*time.Millisecond)); err == nil {
			break
		}
	}
	must(t, z.Send(zmq4.NewMsgString("then listen")))
	for string(recv(t, sub).Frames[0]) != "then listen" {
	}
	before := checked(t, sub).Handed
	n := 2 * len(zmq4Sizes)
	sending := sendZmq4(z, zmq4Sizes, n)
	received := recvAll(t, sub, n)
	sent, err := sending()
	must(t, err)
	sameStream(t, sent, received)
	steady(t, sub)
	sameCount(t, "handed", minus(checked(t, sub).Handed, before), sent)
}

func reqToZmq4(t *testing.T, s side) {
	req := closing(t, socket.NewReq())
	z := newZmq4(t, zmq4.NewRep)
	linkZmq4(t, req, z, s)
	defer sample(t, req)()
	n := 2 * len(zmq4Requests)
	failed := make(chan error, 1)
	go func() {
		for range n {
			m, err := z.Recv()
			if err == nil {
				err = z.SendMulti(m)
			}
			if err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	for i := range n {
		m := zmq4Requests.message(i)
		reply, err := req.Do(within(t), m)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(reply.Frames, m.Frames, equal) {
			t.Fatalf("request %v came back as %v", m, reply)
		}
	}
	must(t, <-failed)
	steady(t, req)
	if l := delivered(t, req); l.Delivered.Messages != uint64(n) || l.Handed.Messages != uint64(n) {
		t.Errorf("delivered %v, handed %v; want %d messages each", l.Delivered, l.Handed, n)
	}
}

func repFromZmq4(t *testing.T, s side) {
	rep := closing(t, socket.NewRep())
	z := newZmq4(t, zmq4.NewReq)
	linkZmq4(t, rep, z, s)
	defer sample(t, rep)()
	n := 2 * len(zmq4Sizes)
	failed := make(chan error, 1)
	var asked stream
	go func() {
		for i := range n {
			frames := zmq4Sizes.message(i).Frames
			asked.add(frames)
			err := askZmq4(t.Context(), z, frames)
			if err == nil {
				var m zmq4.Msg
				if m, err = z.Recv(); err == nil && !slices.EqualFunc(m.Frames, frames, equal) {
					err = errors.New("a reply differs from its request")
				}
			}
			if err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	received := answerAll(t, rep, n)
	must(t, <-failed)
	sameStream(t, asked, received)
	steady(t, rep)
	sameCount(t, "delivered", delivered(t, rep).Delivered, asked)
}

// askZmq4 sends a request. A REQ that listens refuses to while it has not yet taken in the connection that, seen from
// our side, is up.
func askZmq4(ctx context.Context, z zmq4.Socket, frames [][]byte) error {
	for {
		err := z.SendMulti(zmq4.NewMsgFrom(frames...))
		if err == nil || !strings.Contains(err.Error(), "no connections available") || ctx.Err() != nil {
			return err
		}
		runtime.Gosched()
	}
}

// TestZmq4Topics subscribes both ways to topics of all lengths: to a 3.0 peer that is not made by us.
func TestZmq4Topics(t *testing.T) {
	t.Run("from", func(t *testing.T) {
		eachSide(t, func(t *testing.T, s side) {
			pub := closing(t, socket.NewPub())
			z := newZmq4(t, zmq4.NewSub)
			linkZmq4(t, pub, z, s)
			for _, topic := range topics()[1:] {
				must(t, z.SetOption(zmq4.OptionSubscribe, topic))
				waitSubscribers(t, pub, topic, 1)
				send(t, pub, socket.Text(topic[1:]+"?"))
				send(t, pub, socket.Text(topic, "body"))
				m, err := z.Recv()
				must(t, err)
				wantFrames(t, asStrings(m.Frames), topic, "body")
				must(t, z.SetOption(zmq4.OptionUnsubscribe, topic))
				mark := "mark " + topic[:1]
				must(t, z.SetOption(zmq4.OptionSubscribe, mark))
				waitSubscribers(t, pub, mark, 1)
				before := checked(t, pub).Dropped[socket.NoSubscriber].Messages
				send(t, pub, socket.Text(topic))
				if checked(t, pub).Dropped[socket.NoSubscriber].Messages != before+1 {
					t.Errorf("a topic of %d bytes still has a subscriber after the cancel", len(topic))
				}
			}
			steady(t, pub)
		})
	})
	t.Run("to", func(t *testing.T) {
		eachSide(t, func(t *testing.T, s side) {
			sub := closing(t, socket.NewSub())
			z := newZmq4(t, zmq4.NewXPub)
			linkZmq4(t, sub, z, s)
			held := func(topic string) bool { return slices.Contains(z.(zmq4.Topics).Topics(), topic) }
			for _, topic := range topics() {
				must(t, sub.Subscribe(topic))
				eventually(t, func() bool { return held(topic) })
				must(t, z.Send(zmq4.NewMsgFromString([]string{topic + "!", "body"})))
				wantFrames(t, asStrings(recv(t, sub).Frames), topic+"!", "body")
				must(t, sub.Unsubscribe(topic))
				eventually(t, func() bool { return !held(topic) })
			}
			steady(t, sub)
		})
	})
}

// eventually asks again and again, of a library that has no way to tell us.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); !ok(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not come true")
		}
	}
}

// TestNoPingToZmq4 lets our heartbeat timeout run out several times against an idle peer that would hand a PING to its
// application.
func TestNoPingToZmq4(t *testing.T) {
	t.Parallel()
	push := closing(t, socket.NewPush(socket.WithHeartbeat(20*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond)))
	z := newZmq4(t, zmq4.NewPull)
	linkZmq4(t, push, z, side{"tcp", true})
	stay(t, push, 400*time.Millisecond)
	send(t, push, socket.Text("first"))
	m, err := z.Recv()
	must(t, err)
	wantFrames(t, asStrings(m.Frames), "first")
	steady(t, push)
}
