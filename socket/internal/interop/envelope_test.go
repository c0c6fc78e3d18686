//go:build unix

package interop

import (
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// requests have empty frames in every place, which an envelope must not be taken for.
var requests = [][]string{
	{"one"},
	{""},
	{"", "a"},
	{"a", ""},
	{"a", "", "b"},
	{"", "", ""},
	{strings.Repeat("x", 300), "", strings.Repeat("y", 10_000)},
}

// TestReqToLibzmqRouter has a ROUTER, whose application sees the envelope, answer in two ways.
func TestReqToLibzmqRouter(t *testing.T) {
	z := sharedPeer(t)
	for _, correlate := range []bool{true, false} {
		name := "uncorrelated"
		if correlate {
			name = "correlated"
		}
		t.Run(name+"/echo", func(t *testing.T) {
			eachSide(t, func(t *testing.T, s side) {
				req := closing(t, socket.NewReq(socket.WithCorrelate(correlate), socket.WithIdentity("it's me")))
				router := z.socket(t, "ROUTER", nil)
				link(t, req, router, s)
				for _, r := range requests {
					send(t, req, socket.Text(r...))
					got := router.recv()
					if got[0] != "it's me" {
						t.Fatalf("the identity is %q", got[0])
					}
					envelope := got[1:]
					if correlate {
						if len(envelope[0]) != 4 {
							t.Fatalf("the request id is %q; want four bytes", envelope[0])
						}
						envelope = envelope[1:]
					}
					wantFrames(t, envelope, append([]string{""}, r...)...)
					router.send(got...)
					wantFrames(t, asStrings(recv(t, req).Frames), r...)
				}
				steady(t, req)
				l := delivered(t, req)
				if n := uint64(len(requests)); l.Delivered.Messages != n || l.Handed.Messages != n {
					t.Errorf("delivered %v, handed %v; want %d messages each", l.Delivered, l.Handed, n)
				}
			})
		})
	}
	// The ROUTER applications that WithCorrelate(false) is for write the envelope themselves.
	t.Run("uncorrelated/own-envelope", func(t *testing.T) {
		eachSide(t, func(t *testing.T, s side) {
			req := closing(t, socket.NewReq(socket.WithCorrelate(false)))
			router := z.socket(t, "ROUTER", nil)
			link(t, req, router, s)
			const n = 100
			echo := router.echoBody(n)
			for range n {
				reply, err := req.Do(within(t), socket.Text("ignored", "question"))
				if err != nil {
					t.Fatal(err)
				}
				wantFrames(t, asStrings(reply.Frames), "question")
			}
			echo.wait(t)
			steady(t, req)
		})
	})
	// A correlating Req takes that for a stray message, and says so in its ledger, rather than for the reply.
	t.Run("correlated/own-envelope", func(t *testing.T) {
		req := closing(t, socket.NewReq())
		router := z.socket(t, "ROUTER", nil)
		link(t, req, router, side{"tcp", true})
		send(t, req, socket.Text("question"))
		got := router.recv()
		router.send(got[0], "", "answer without the id")
		router.send(got[0], got[1], "", "answer")
		wantFrames(t, asStrings(recv(t, req).Frames), "answer")
		if n := checked(t, req).Discarded[socket.StaleReply].Messages; n != 1 {
			t.Errorf("%d stale replies counted; want 1", n)
		}
	})
}

// TestRepToLibzmqDealer sends requests with envelopes of several frames, as they come through a chain of ROUTERs.
func TestRepToLibzmqDealer(t *testing.T) {
	z := sharedPeer(t)
	envelopes := [][]string{
		{""},
		{"a", ""},
		{"\x00\x01\x02\x03\x04", "b", "c", ""},
		{strings.Repeat("e", 255), strings.Repeat("f", 256), strings.Repeat("g", 9000), ""},
	}
	eachSide(t, func(t *testing.T, s side) {
		rep := closing(t, socket.NewRep())
		dealer := z.socket(t, "DEALER", nil)
		link(t, rep, dealer, s)
		for _, envelope := range envelopes {
			for _, r := range requests {
				dealer.send(append(append([]string{}, envelope...), r...)...)
				wantFrames(t, asStrings(recv(t, rep).Frames), r...)
				send(t, rep, socket.Text("re", "", "x"))
				wantFrames(t, dealer.recv(), append(append([]string{}, envelope...), "re", "", "x")...)
			}
		}
		// Without a delimiter, or with nothing behind it, it is no request. It stops nothing.
		dealer.send("no", "delimiter")
		dealer.send("nothing", "behind", "")
		dealer.send("", "good")
		wantFrames(t, asStrings(recv(t, rep).Frames), "good")
		send(t, rep, socket.Text("well"))
		wantFrames(t, dealer.recv(), "", "well")
		if n := checked(t, rep).Discarded[socket.BadEnvelope].Messages; n != 2 {
			t.Errorf("%d bad envelopes counted; want 2", n)
		}
		steady(t, rep)
	})
}

// TestRepPipelined lets a DEALER send many requests before it reads a reply.
func TestRepPipelined(t *testing.T) {
	z := sharedPeer(t)
	rep := closing(t, socket.NewRep())
	dealer := z.socket(t, "DEALER", opts{"SNDHWM": 0, "RCVHWM": 0})
	link(t, rep, dealer, side{"tcp", true})
	defer sample(t, rep)()
	const n = 3000
	sending := dealer.sendMany(sizes{{3, 0, 10}, {0, 5}, {7, 7, 0, 5000}}, n)
	for range n {
		send(t, rep, recv(t, rep))
	}
	sent := sending.wait(t).stream()
	received := dealer.recvMany(n).wait(t).stream()
	sameStream(t, sent, received)
	steady(t, rep)
}

// TestRepToRelaxedLibzmqReq has a REQ give up on its first request and ask again: with REQ_CORRELATE it must be able to
// tell the replies apart by the request id that our Rep sends back.
func TestRepToRelaxedLibzmqReq(t *testing.T) {
	z := sharedPeer(t)
	eachSide(t, func(t *testing.T, s side) {
		rep := closing(t, socket.NewRep())
		// A relaxed REQ ends the connection its first request went out on, so that a bound one needs its peer to come
		// back.
		req := z.socket(t, "REQ", opts{"REQ_CORRELATE": 1, "REQ_RELAXED": 1})
		link(t, rep, req, s)
		for range 3 {
			req.send("first")
			wantFrames(t, asStrings(recv(t, rep).Frames), "first")
			req.send("second")
			if err := rep.Send(within(t), socket.Text("to the first")); err != nil {
				t.Log("the first reply:", err)
			}
			wantFrames(t, asStrings(recv(t, rep).Frames), "second")
			send(t, rep, socket.Text("to the second"))
			wantFrames(t, req.recv(), "to the second")
		}
		checked(t, rep)
	})
}
