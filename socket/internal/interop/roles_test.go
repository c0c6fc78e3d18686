//go:build unix

package interop

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// TestLibzmqRoles moves every shape and size of message between each of our roles and its counterpart in libzmq.
func TestLibzmqRoles(t *testing.T) {
	z := sharedPeer(t)
	all := allSizes()
	for _, role := range []struct {
		name string
		test func(t *testing.T, z *peer, s side, sz sizes, count int)
	}{
		{"push", pushToPull},
		{"pull", pullFromPush},
		{"pub", pubToSub},
		{"sub", subFromPub},
		{"req", reqToRep},
		{"rep", repFromReq},
	} {
		t.Run(role.name, func(t *testing.T) {
			eachSide(t, func(t *testing.T, s side) { role.test(t, z, s, all, len(all)) })
		})
	}
}

// TestLibzmqStreams sends 10,000 messages of mixed sizes in each direction while the ledger is watched.
func TestLibzmqStreams(t *testing.T) {
	z := sharedPeer(t)
	const n = 10_000
	for _, role := range []struct {
		name string
		test func(t *testing.T, z *peer, s side, sz sizes, count int)
	}{
		{"push", pushToPull}, {"pull", pullFromPush}, {"pub", pubToSub}, {"sub", subFromPub},
	} {
		t.Run(role.name, func(t *testing.T) {
			for _, s := range []side{{"tcp", true}, {"ipc", false}} {
				t.Run(s.String(), func(t *testing.T) { role.test(t, z, s, mixed, n) })
			}
		})
	}
}

func pushToPull(t *testing.T, z *peer, s side, sz sizes, n int) {
	push := closing(t, socket.NewPush())
	pull := z.socket(t, "PULL", nil)
	link(t, push, pull, s)
	defer sample(t, push)()
	got := pull.recvMany(n)
	sent := sendAll(t, push, sz, n)
	received := got.wait(t).stream()
	sameStream(t, sent, received)
	steady(t, push)
	l := delivered(t, push)
	sameCount(t, "delivered", l.Delivered, received)
	sameCount(t, "accepted", l.Accepted, received)
}

func pullFromPush(t *testing.T, z *peer, s side, sz sizes, n int) {
	pull := closing(t, socket.NewPull())
	push := z.socket(t, "PUSH", nil)
	link(t, pull, push, s)
	defer sample(t, pull)()
	sending := push.sendMany(sz, n)
	received := recvAll(t, pull, n)
	sent := sending.wait(t).stream()
	sameStream(t, sent, received)
	steady(t, pull)
	l := checked(t, pull).Ledger
	sameCount(t, "received", l.Received, sent)
	sameCount(t, "handed", l.Handed, sent)
}

func pubToSub(t *testing.T, z *peer, s side, sz sizes, n int) {
	pub := closing(t, socket.NewPub(socket.WithOverflow(socket.Block)))
	sub := z.socket(t, "SUB", nil)
	sub.subscribe("")
	link(t, pub, sub, s)
	defer sample(t, pub)()
	got := sub.recvMany(n) // before waiting: a bound libzmq SUB subscribes only while its application is in a call
	waitSubscribers(t, pub, "", 1)
	sent := sendAll(t, pub, sz, n)
	received := got.wait(t).stream()
	sameStream(t, sent, received)
	steady(t, pub)
	l := delivered(t, pub)
	sameCount(t, "delivered", l.Delivered, received)
	sameCount(t, "accepted", l.Accepted, received)
}

func subFromPub(t *testing.T, z *peer, s side, sz sizes, n int) {
	sub := closing(t, socket.NewSub(socket.WithSubscription("")))
	pub := z.socket(t, "PUB", opts{"SNDHWM": 0})
	link(t, sub, pub, s)
	defer sample(t, sub)()
	syncSub(t, sub, pub)
	before := checked(t, sub).Ledger
	sending := pub.sendMany(sz, n)
	received := recvAll(t, sub, n)
	sent := sending.wait(t).stream()
	sameStream(t, sent, received)
	steady(t, sub)
	after := checked(t, sub).Ledger
	sameCount(t, "received", minus(after.Received, before.Received), sent)
	sameCount(t, "handed", minus(after.Handed, before.Handed), sent)
}

func minus(a, b socket.Count) socket.Count {
	return socket.Count{Messages: a.Messages - b.Messages, Bytes: a.Bytes - b.Bytes}
}

// syncSub waits until a libzmq PUB, which cannot be asked, has our subscription to everything.
func syncSub(t *testing.T, sub *socket.Sub, pub *zsock) {
	t.Helper()
	for {
		pub.send("are you there?")
		if _, err := sub.Recv(lasting(t, 20*time.Millisecond)); err == nil {
			break
		}
	}
	pub.send("then listen")
	for string(recv(t, sub).Frames[0]) != "then listen" {
	}
}

func reqToRep(t *testing.T, z *peer, s side, sz sizes, n int) {
	req := closing(t, socket.NewReq())
	rep := z.socket(t, "REP", nil)
	link(t, req, rep, s)
	defer sample(t, req)()
	received := ask(t, req, rep, sz, n)
	steady(t, req)
	l := delivered(t, req)
	// The ledger counts what travels: each message has a request id of four bytes in front.
	received.Bytes += 4 * n
	sameCount(t, "delivered", l.Delivered, received)
	sameCount(t, "handed", l.Handed, received)
}

// ask sends n requests, each of which is to come back as it is, and returns what the peer received.
func ask(t *testing.T, req *socket.Req, rep *zsock, sz sizes, n int) stream {
	t.Helper()
	echo := rep.echo(n)
	var sent stream
	for i := range n {
		m := sz.message(i)
		reply, err := req.Do(within(t), m)
		if err != nil {
			t.Fatalf("request %d %v: %v", i, m, err)
		}
		if !slices.EqualFunc(reply.Frames, m.Frames, equal) {
			t.Fatalf("request %d %v came back as %v", i, m, reply)
		}
		sent.add(m.Frames)
	}
	received := echo.wait(t).stream()
	sameStream(t, sent, received)
	return received
}

func repFromReq(t *testing.T, z *peer, s side, sz sizes, n int) {
	rep := closing(t, socket.NewRep())
	req := z.socket(t, "REQ", nil)
	link(t, rep, req, s)
	defer sample(t, rep)()
	asking := req.askMany(sz, n)
	received := answerAll(t, rep, n)
	asked := asking.wait(t).stream()
	sameStream(t, asked, received)
	steady(t, rep)
	l := delivered(t, rep)
	sameCount(t, "handed", l.Handed, asked)
	sameCount(t, "delivered", l.Delivered, asked)
}

// sendAll sends a stream and sums it up.
func sendAll(t *testing.T, s sender, sz sizes, n int) (sent stream) {
	t.Helper()
	ctx := within(t)
	for i := range n {
		m := sz.message(i)
		sent.add(m.Frames)
		if err := s.Send(ctx, m); err != nil {
			t.Fatalf("message %d %v: %v", i, m, err)
		}
	}
	return sent
}

// recvAll receives n messages and sums them up.
func recvAll(t *testing.T, s receiver, n int) stream {
	t.Helper()
	received, err := tryRecvAll(within(t), s, n)
	if err != nil {
		t.Fatal(err)
	}
	return received
}

func tryRecvAll(ctx context.Context, s receiver, n int) (received stream, err error) {
	for i := range n {
		m, err := s.Recv(ctx)
		if err != nil {
			return received, fmt.Errorf("message %d: %w; events: %v", i, err, eventsOf(s))
		}
		received.add(m.Frames)
	}
	return received, nil
}

// answerAll sends n requests back.
func answerAll(t *testing.T, rep *socket.Rep, n int) (received stream) {
	t.Helper()
	ctx := within(t)
	for i := range n {
		m, err := rep.Recv(ctx)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		received.add(m.Frames)
		if err := rep.Send(ctx, m); err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
	}
	return received
}

func equal(a, b []byte) bool { return string(a) == string(b) }
