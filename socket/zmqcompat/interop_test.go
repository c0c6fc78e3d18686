package zmqcompat_test

import (
	"fmt"
	"strings"
	"testing"

	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// TestWithOriginals: each type of ours with a compatible one of go-zeromq's, either of them listening.
func TestWithOriginals(t *testing.T) {
	tests := []struct {
		from, to zmq4.SocketType
		talk     func(t *testing.T, from, to zmq4.Socket)
	}{
		{zmq4.Push, zmq4.Pull, stream},
		{zmq4.Pair, zmq4.Pair, both},
		{zmq4.Dealer, zmq4.Dealer, both},
		{zmq4.Dealer, zmq4.Router, routed},
		{zmq4.Req, zmq4.Router, requested},
		{zmq4.Req, zmq4.Rep, asked},
		{zmq4.Pub, zmq4.Sub, published},
		{zmq4.Pub, zmq4.XSub, published},
		{zmq4.XPub, zmq4.Sub, published},
		{zmq4.XPub, zmq4.XSub, published},
	}
	for _, tc := range tests {
		for _, mine := range []string{"from", "to"} {
			for _, listens := range []string{"from", "to"} {
				t.Run(fmt.Sprintf("%s to %s, ours %s, %s listens", tc.from, tc.to, mine, listens), func(t *testing.T) {
					t.Parallel()
					var from, to zmq4.Socket
					if mine == "from" {
						from, to = ours(tc.from)(t), theirs(tc.to)(t)
					} else {
						from, to = theirs(tc.from)(t), ours(tc.to)(t)
					}
					if listens == "from" {
						dial(t, to, listen(t, from))
					} else {
						dial(t, from, listen(t, to))
					}
					// Dial may return before the one that listens has noticed, who might then send to nobody.
					if mine == "from" {
						check(t, zmq4.Engine(from).WaitPeers(t.Context(), 1))
					} else {
						check(t, zmq4.Engine(to).WaitPeers(t.Context(), 1))
					}
					tc.talk(t, from, to)
				})
			}
		}
	}
}

var long = strings.Repeat("long ", 1000)

func stream(t *testing.T, from, to zmq4.Socket) {
	for i := range 20 {
		send(t, from, fmt.Sprint(i), "", long)
	}
	for i := range 20 {
		wantFrames(t, to, fmt.Sprint(i), "", long)
	}
}

func both(t *testing.T, from, to zmq4.Socket) {
	stream(t, from, to)
	stream(t, to, from)
}

func routed(t *testing.T, dealer, router zmq4.Socket) {
	for i := range 5 {
		send(t, dealer, fmt.Sprint(i), long)
		got := recv(t, router)
		if len(got) != 3 || got[1] != fmt.Sprint(i) || got[2] != long {
			t.Fatalf("the ROUTER received %.100q", got)
		}
		send(t, router, got[0], "re", got[1])
		wantFrames(t, dealer, "re", fmt.Sprint(i))
	}
}

func requested(t *testing.T, req, router zmq4.Socket) {
	for i := range 5 {
		ask(t, req, fmt.Sprint(i))
		got := recv(t, router)
		if len(got) != 3 || got[1] != "" || got[2] != fmt.Sprint(i) {
			t.Fatalf("the ROUTER received %q", got)
		}
		send(t, router, got[0], "", "re "+got[2])
		wantFrames(t, req, "re "+fmt.Sprint(i))
	}
}

// ask sends a request. The original's REQ that listens may not have noticed its peer yet, and refuses until then.
func ask(t *testing.T, req zmq4.Socket, frames ...string) {
	t.Helper()
	eventually(t, func() bool {
		err := req.Send(zmq4.NewMsgFromString(frames))
		if err != nil && zmq4.Engine(req) != nil {
			t.Fatal(err)
		}
		return err == nil
	})
}

func asked(t *testing.T, req, rep zmq4.Socket) {
	for i := range 5 {
		ask(t, req, fmt.Sprint(i), long)
		wantFrames(t, rep, fmt.Sprint(i), long)
		send(t, rep, "re", fmt.Sprint(i))
		wantFrames(t, req, "re", fmt.Sprint(i))
	}
}

func published(t *testing.T, pub, sub zmq4.Socket) {
	if sub.Type() == zmq4.XSub {
		send(t, sub, "\x01topic")
	} else {
		check(t, sub.SetOption(zmq4.OptionSubscribe, "topic"))
	}
	subscribed(t, pub, "topic", 1)
	wantTopics(t, pub, "topic")
	for i := range 10 {
		send(t, pub, "other", fmt.Sprint(i))
		send(t, pub, "topic", fmt.Sprint(i), long)
	}
	for i := range 10 {
		wantFrames(t, sub, "topic", fmt.Sprint(i), long)
	}
}

// TestOriginalPublisherLeaves: io.EOF from the original's SUB when the publisher goes, and nothing from ours.
func TestOriginalPublisherLeaves(t *testing.T) {
	pub := theirs(zmq4.Pub)(t)
	ep := listen(t, pub)
	sub := ours(zmq4.Sub)(t)
	dial(t, sub, ep)
	check(t, sub.SetOption(zmq4.OptionSubscribe, ""))
	subscribed(t, pub, "", 1)
	send(t, pub, "x")
	wantFrames(t, sub, "x")
	check(t, pub.Close())
	next := ours(zmq4.Pub)(t)
	check(t, next.Listen(ep))
	subscribed(t, next, "", 1)
	send(t, next, "y")
	wantFrames(t, sub, "y")
}
