package socket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// echo answers every request with its own frames and the given name.
func echo(t testing.TB, rep *socket.Rep, name string) {
	t.Helper()
	ctx := within(t)
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for m, err := range rep.Messages(ctx) {
			if err != nil {
				return
			}
			reply := socket.NewMsg(append(m.Frames, []byte(name))...)
			if err := rep.Send(ctx, reply); err != nil && !errors.Is(err, socket.ErrPeerLost) &&
				!errors.Is(err, socket.ErrClosed) {
				t.Errorf("reply: %v", err)
			}
		}
	}()
}

func TestRequestReply(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		for _, correlate := range []bool{true, false} {
			t.Run(fmt.Sprintf("correlate %v", correlate), func(t *testing.T) {
				rep := socket.NewRep()
				echo(t, rep, "echo")
				closing(t, rep)
				req := closing(t, socket.NewReq(socket.WithCorrelate(correlate)))
				link(t, rep, req, endpoint)
				for _, frames := range [][]string{{"a"}, {"a", "", "b"}, {"", ""}, {""}, {strings.Repeat("x", 70000), "y"}} {
					send(t, req, frames...)
					expect(t, req, append(frames, "echo")...)
				}
			})
		}
	})
}

func TestRequestsGoRoundRobin(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		req := closing(t, socket.NewReq())
		at := bind(t, req, endpoint)
		for i := range 5 {
			rep := socket.NewRep()
			echo(t, rep, fmt.Sprint(i))
			closing(t, rep)
			connect(t, rep, at)
			waitPeers(t, req, i+1)
		}
		served := make(map[string]int)
		for range 50 {
			send(t, req, "x")
			served[string(recv(t, req).Frames[1])]++
		}
		for name, n := range served {
			if n != 10 || len(served) != 5 {
				t.Fatalf("peer %s served %d of 50, want 10: %v", name, n, served)
			}
		}
	})
}

func TestTurns(t *testing.T) {
	rep, req := closing(t, socket.NewRep()), closing(t, socket.NewReq())
	link(t, rep, req, "inproc://"+t.Name())
	ctx := within(t)
	if _, err := req.Recv(ctx); !errors.Is(err, socket.ErrState) {
		t.Fatalf("Recv before Send: %v, want ErrState", err)
	}
	if err := rep.Send(ctx, socket.Text("x")); !errors.Is(err, socket.ErrState) {
		t.Fatalf("reply before a request: %v, want ErrState", err)
	}
	send(t, req, "one")
	if err := req.Send(ctx, socket.Text("two")); !errors.Is(err, socket.ErrState) {
		t.Fatalf("second Send: %v, want ErrState", err)
	}
	expect(t, rep, "one")
	if _, err := rep.Recv(ctx); !errors.Is(err, socket.ErrState) {
		t.Fatalf("Recv before the reply: %v, want ErrState", err)
	}
	send(t, rep, "reply")
	expect(t, req, "reply")
	send(t, req, "two")
	expect(t, rep, "two")
}

func TestRequestToADeadPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		t.Run("is an error that names it", func(t *testing.T) {
			req, rep := closing(t, socket.NewReq()), closing(t, socket.NewRep())
			at := link(t, rep, req, unused(t, endpoint))
			send(t, req, "are you there?")
			recv(t, rep)
			must(t, rep.Close())
			_, err := req.Recv(within(t))
			var lost *socket.PeerError
			if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &lost) {
				t.Fatalf("Recv: %v, want a PeerError with ErrPeerLost", err)
			}
			if lost.Endpoint != at || lost.Peer.Type != "REP" || !strings.Contains(err.Error(), at) {
				t.Errorf("the error does not name the peer: %v", err)
			}
			again := closing(t, socket.NewRep())
			bind(t, again, at)
			send(t, req, "and you?")
			expect(t, again, "and you?")
			send(t, again, "yes")
			expect(t, req, "yes")
		})
		t.Run("goes to another with retry", func(t *testing.T) {
			req := closing(t, socket.NewReq(socket.WithRetry(1)))
			first, second := closing(t, socket.NewRep()), closing(t, socket.NewRep())
			link(t, first, req, endpoint)
			send(t, req, "work")
			expect(t, first, "work")
			link(t, second, req, unused(t, endpoint))
			must(t, first.Close())
			expect(t, second, "work")
			send(t, second, "done")
			expect(t, req, "done")
		})
		t.Run("a reply that came before it died still counts", func(t *testing.T) {
			req, rep := closing(t, socket.NewReq(socket.WithRetry(3))), closing(t, socket.NewRep())
			link(t, rep, req, endpoint)
			send(t, req, "last words?")
			recv(t, rep)
			send(t, rep, "these")
			waitUnread(t, req, 1)
			must(t, rep.Close())
			event(t, req, socket.PeerDown)
			expect(t, req, "these")
		})
	})
}

func TestReplyToADeadPeer(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		req, rep := closing(t, socket.NewReq()), closing(t, socket.NewRep())
		at := link(t, rep, req, endpoint)
		send(t, req, "and gone")
		recv(t, rep)
		must(t, req.Close())
		event(t, rep, socket.PeerDown)
		if err := rep.Send(within(t), socket.Text("too late")); !errors.Is(err, socket.ErrPeerLost) {
			t.Fatalf("Send: %v, want ErrPeerLost", err)
		}
		next := closing(t, socket.NewReq())
		connect(t, next, at)
		send(t, next, "hello")
		expect(t, rep, "hello")
		send(t, rep, "hi")
		expect(t, next, "hi")
	})
}

func TestDoByManyGoroutines(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		rep := socket.NewRep()
		echo(t, rep, "echo")
		closing(t, rep)
		req := closing(t, socket.NewReq())
		link(t, rep, req, endpoint)
		ctx := within(t)
		var wg sync.WaitGroup
		for w := range 20 {
			wg.Go(func() {
				for i := range 20 {
					want := fmt.Sprint(w, "/", i)
					m, err := req.Do(ctx, socket.Text(want))
					if err != nil || string(m.Frames[0]) != want {
						t.Errorf("Do(%s): %s, %v", want, m, err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestDoGivesUpWithItsContext(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		req, rep := closing(t, socket.NewReq()), closing(t, socket.NewRep())
		link(t, rep, req, endpoint)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			_, err := req.Do(ctx, socket.Text("slow"))
			got <- err
		}()
		expect(t, rep, "slow")
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Fatalf("Do: %v, want context.Canceled", err)
		}
		send(t, rep, "late reply")
		go func() {
			m, _ := rep.Recv(within(t))
			_ = rep.Send(within(t), m) // Do fails if this does
		}()
		m, err := req.Do(within(t), socket.Text("next"))
		if err != nil || string(m.Frames[0]) != "next" {
			t.Fatalf("after a late reply: %s, %v", m, err)
		}
		if n := req.Stats().Discarded[socket.StaleReply].Messages; n != 1 {
			t.Fatalf("%d stale replies, want 1", n)
		}
	})
	t.Run("before it has left", func(t *testing.T) {
		req := closing(t, socket.NewReq())
		connect(t, req, unused(t, "ipc://"))
		ctx, cancel := contextEnded()
		defer cancel()
		if _, err := req.Do(ctx, socket.Text("x")); !errors.Is(err, context.Canceled) {
			t.Fatalf("Do: %v", err)
		}
		if s := req.Stats(); s.Dropped[socket.GivenUp].Messages+boolCount(s.Accepted.Messages == 0) != 1 {
			t.Fatalf("ledger %+v: want the request dropped as given up", s.Ledger)
		}
	})
}

func boolCount(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func TestRepPutsDeepEnvelopesBack(t *testing.T) {
	rep := closing(t, socket.NewRep())
	at := bind(t, rep, "tcp://127.0.0.1:*")
	dealer := rawPeer(t, at, "DEALER")
	request := frames("hop 1", "hop 2", "", "question", "", "more")
	_, err := dealer.Write(append(frames("no delimiter"), append(frames("only one", ""), request...)...))
	must(t, err)
	expect(t, rep, "question", "", "more")
	send(t, rep, "answer")
	want := frames("hop 1", "hop 2", "", "answer")
	got := make([]byte, len(want))
	readFull(t, dealer, got)
	if string(got) != string(want) {
		t.Fatalf("reply %q, want %q", got, want)
	}
	if n := rep.Stats().Discarded[socket.BadEnvelope].Messages; n != 2 {
		t.Fatalf("%d bad envelopes, want 2", n)
	}
}

// frames encodes one message.
func frames(bodies ...string) (b []byte) {
	for i, body := range bodies {
		flags := byte(zmtp.FlagMore)
		if i == len(bodies)-1 {
			flags = 0
		}
		b = append(zmtp.AppendHeader(b, flags, len(body)), body...)
	}
	return b
}

func TestReqDiscardsWhatIsNotTheReply(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply func(id string) []byte
		why   socket.Reason
	}{
		{"another id", func(string) []byte { return frames("nope", "", "x") }, socket.StaleReply},
		{"no id", func(string) []byte { return frames("", "x") }, socket.StaleReply},
		{"no delimiter", func(id string) []byte { return frames(id, "x") }, socket.BadEnvelope},
		{"no body", func(id string) []byte { return frames(id, "") }, socket.BadEnvelope},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := closing(t, socket.NewReq())
			at := bind(t, req, "tcp://127.0.0.1:*")
			router := rawPeer(t, at, "ROUTER")
			send(t, req, "question")
			head := make([]byte, len(frames("....", "", "question")))
			readFull(t, router, head)
			id := string(head[2:6])
			_, err := router.Write(append(c.reply(id), frames(id, "", "answer")...))
			must(t, err)
			expect(t, req, "answer")
			if n := req.Stats().Discarded[c.why].Messages; n != 1 {
				t.Fatalf("discarded %v, want one for %q", req.Stats().Discarded, c.why)
			}
		})
	}
}

// TestRepClosedWithARequestInHand: a loop over Messages just stops when the socket closes, also between request and
// reply.
func TestRepClosedWithARequestInHand(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		rep, req := socket.NewRep(), closing(t, socket.NewReq())
		link(t, rep, req, endpoint)
		send(t, req, "x")
		for m, err := range rep.Messages(within(t)) {
			if err != nil {
				t.Fatalf("the loop ends with %v, want no error", err)
			}
			must(t, rep.Close())
			if err := rep.Send(within(t), m); !errors.Is(err, socket.ErrClosed) {
				t.Fatalf("Send: %v, want ErrClosed", err)
			}
		}
	})
}
