package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// rawTo binds a new socket of the role and connects a raw peer to it, handshake done.
func rawTo(t *testing.T, name string, o ...socket.Option) (anyRole, *raw) {
	t.Helper()
	role := roleNamed(name)
	s := role.open(o...)
	t.Cleanup(func() { shut(t, s) })
	at, err := s.Bind(t.Context(), "tcp://127.0.0.1:0")
	must(t, err)
	r := rawDial(t, at)
	r.shake(role.peer)
	must(t, s.WaitPeers(within(t), 1))
	return s, r
}

// pong reads frames up to the next PONG that has a context, and returns it. One without is a mere sign of life, which
// may come at any time.
func (r *raw) pong() (context string) {
	r.t.Helper()
	for context == "" {
		context = r.anyPong()
	}
	return context
}

func (r *raw) anyPong() (context string) {
	r.t.Helper()
	for {
		if f := r.frame(); f.command() == zmtp.CommandPong {
			_, data, _ := zmtp.ParseCommand(f.body)
			return string(data)
		}
	}
}

// TestPingContext: a PING is answered with its context, of which 16 bytes count (RFC 37), on every role.
func TestPingContext(t *testing.T) {
	for _, role := range roles {
		t.Run(role.name, func(t *testing.T) {
			t.Parallel()
			s, r := rawTo(t, role.name)
			for _, n := range []int{0, 1, 15, 16, 17, 64, 240, 249, 250, 1000, 4000} {
				context := strings.Repeat("0123456789abcdef", n/16+1)[:n]
				r.send(zmtp.AppendCommand(nil, "PING", []byte{0, 0}, []byte(context)))
				answer := r.pong
				if n == 0 {
					answer = r.anyPong
				}
				if got, want := answer(), context[:min(n, 16)]; got != want {
					t.Errorf("PONG to a context of %d bytes carries %q, want %q", n, got, want)
				}
				balanced(t, s)
			}
		})
	}
}

// TestPingFlood: a peer that sends PINGs and never reads the PONGs neither grows the socket nor stops it reading.
func TestPingFlood(t *testing.T) {
	for _, role := range []string{"PULL", "PUB", "REQ"} {
		t.Run(role, func(t *testing.T) {
			s, r := rawTo(t, role)
			before := heapNow()
			ping := zmtp.AppendPing(nil, 0, []byte("0123456789abcdef"))
			flood := bytes.Repeat(ping, 4096)
			const rounds = 120 // 12 MB of PINGs ask for 11 MB of PONGs, more than the kernel takes
			for range rounds {
				r.send(flood)
			}
			// What follows the flood is still read.
			r.send(zmtp.AppendCommand(nil, "READY"))
			wantRefusal(t, s, r.name(), refusal{socket.ProtocolError, socket.ErrProtocol, "second READY"})
			if grown := int64(heapNow()) - int64(before); grown > 1<<20 {
				t.Errorf("%d bytes more on the heap after a flood of %d, want at most 1 MiB", grown, rounds*len(flood))
			}
		})
	}
}

// TestPingFloodStaysUp: after a flood whose answers it did read in the end, the peer is as good as any.
func TestPingFloodStaysUp(t *testing.T) {
	s, r := rawTo(t, "REP")
	r.send(bytes.Repeat(zmtp.AppendPing(nil, 0, []byte("flood")), 100_000), messageOf("", "after the flood"))
	rep := s.(*socket.Rep)
	expect(t, rep, "after the flood")
	send(t, rep, "reply")
	// Some PONGs are missing, since nobody took them, but what comes is whole and sane, and then the reply.
	for pongs := 0; ; pongs++ {
		f := r.frame()
		if f.flags == zmtp.FlagMore && len(f.body) == 0 {
			break
		}
		if string(f.body) == string(zmtp.AppendPong(nil, nil)[2:]) {
			continue // a sign of life that nobody asked for
		}
		if f.flags != zmtp.FlagCommand || string(f.body) != "\x04PONGflood" && string(f.body) != "\x04PONG" {
			t.Fatalf("frame %d is %x %q, want a PONG", pongs, f.flags, f.body)
		}
	}
	if f := r.frame(); f.flags != 0 || string(f.body) != "reply" {
		t.Fatalf("frame %x %q, want the reply", f.flags, f.body)
	}
	r.send(zmtp.AppendPing(nil, 0, []byte("calm")))
	for got := r.pong(); got != "calm"; got = r.pong() {
		if got != "flood" { // of which one may be owed still
			t.Fatalf("PONG carries %q", got)
		}
	}
}

// TestCommandsInsideMultipart: libzmq puts PING between the frames of a message, so any command may stand there.
func TestCommandsInsideMultipart(t *testing.T) {
	inside := map[string][]byte{
		"PING":              zmtp.AppendPing(nil, 0, []byte("in")),
		"PONG":              zmtp.AppendPong(nil, []byte("in")),
		"SUBSCRIBE":         zmtp.AppendCommand(nil, "SUBSCRIBE", []byte("a")),
		"CANCEL":            zmtp.AppendCommand(nil, "CANCEL", []byte("a")),
		"unknown":           zmtp.AppendCommand(nil, "FROBNICATE", []byte("a")),
		"command with MORE": frameOf(zmtp.FlagCommand|zmtp.FlagMore, "\x04PONG"),
		"long form":         append(claim(zmtp.FlagCommand, 5), "\x04PONG"...),
		"long command":      zmtp.AppendCommand(nil, "FROBNICATE", make([]byte, 4000)),
	}
	for name, command := range inside {
		t.Run(name, func(t *testing.T) {
			s, r := rawTo(t, "PULL")
			pull := s.(*socket.Pull)
			r.send(frameOf(1, "a"), command, frameOf(1, ""), command, command, frameOf(0, "b"), command, messageOf("c"))
			expect(t, pull, "a", "", "b")
			expect(t, pull, "c")
			// The same, one byte at a time.
			for _, b := range slices.Concat(frameOf(1, "d"), command, frameOf(0, "e")) {
				r.send([]byte{b})
			}
			expect(t, pull, "d", "e")
			balanced(t, pull)
		})
	}
	t.Run("PING is answered before the message ends", func(t *testing.T) {
		s, r := rawTo(t, "PULL")
		r.send(frameOf(1, "a"), zmtp.AppendPing(nil, 0, []byte("early")))
		if got := r.pong(); got != "early" {
			t.Errorf("PONG carries %q", got)
		}
		r.send(frameOf(0, "b"))
		expect(t, s.(*socket.Pull), "a", "b")
	})
	t.Run("in a reply", func(t *testing.T) {
		s, r := rawTo(t, "REQ")
		req := s.(*socket.Req)
		must(t, req.Send(within(t), socket.Text("ask")))
		asked := r.message()
		r.send(frameOf(1, asked[0]), zmtp.AppendPing(nil, 0, nil), frameOf(1, ""), zmtp.AppendPing(nil, 0, nil),
			frameOf(0, "told"))
		expect(t, req, "told")
	})
}

// TestEndlessMultipart: a message ends at MaxFrames or MaxMessage, whichever comes first, with nothing delivered.
func TestEndlessMultipart(t *testing.T) {
	limits := socket.WithLimits(socket.Limits{MaxMessage: 1 << 20, MaxFrames: 100})
	for _, tt := range []struct {
		name  string
		frame []byte
		text  string
	}{
		{"empty frames", frameOf(1, ""), "100 frames"},
		{"small frames", frameOf(1, "x"), "100 frames"},
		{"frames of 16 KiB", frameOf(1, strings.Repeat("x", 16<<10)), "limit is 1048576"},
		{"frames of 100 KiB", frameOf(1, strings.Repeat("x", 100<<10)), "limit is 1048576"},
		{"PINGs in between", append(zmtp.AppendPing(nil, 0, nil), frameOf(1, "x")...), "100 frames"},
	} {
		for _, role := range roles {
			t.Run(tt.name+"/"+role.name, func(t *testing.T) {
				s, r := rawTo(t, role.name, limits)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for {
						if _, err := r.Write(tt.frame); err != nil {
							return // the socket has hung up
						}
					}
				}()
				wantRefusal(t, s, r.name(), refusal{socket.LimitHit, zmtp.ErrTooLarge, tt.text})
				r.Close()
				<-done
				if n := s.Stats().Received.Messages; n != 0 {
					t.Errorf("%d messages received, want none", n)
				}
			})
		}
	}
}

// TestLimitsAreExact: what is just within a limit passes, also where a command or a second message follows.
func TestLimitsAreExact(t *testing.T) {
	limits := socket.WithLimits(socket.Limits{MaxMessage: 100_000, MaxFrames: 3})
	for _, tt := range []struct {
		name   string
		frames []string
		ok     bool
	}{
		{"three frames", []string{"a", "b", "c"}, true},
		{"four frames", []string{"a", "b", "c", "d"}, false},
		{"100,000 bytes", []string{strings.Repeat("x", 100_000)}, true},
		{"100,001 bytes", []string{strings.Repeat("x", 100_001)}, false},
		{"100,000 bytes in three frames", []string{strings.Repeat("x", 50_000), "", strings.Repeat("x", 50_000)}, true},
		{"100,001 bytes in three frames", []string{strings.Repeat("x", 50_000), "y", strings.Repeat("x", 50_000)}, false},
		{"empty frames at the size limit", []string{"", strings.Repeat("x", 100_000), ""}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, r := rawTo(t, "PULL", limits)
			r.send(messageOf("before"), messageOf(tt.frames...), messageOf("after"))
			expect(t, s.(*socket.Pull), "before")
			if !tt.ok {
				wantRefusal(t, s, r.name(), refusal{socket.LimitHit, zmtp.ErrTooLarge, ""})
				if n := s.Stats().Received.Messages; n != 1 {
					t.Errorf("%d messages received, want only the one before", n)
				}
				return
			}
			expect(t, s.(*socket.Pull), tt.frames...)
			expect(t, s.(*socket.Pull), "after")
		})
	}
}

// TestHostileSubscriptions: the limits on topics and subscriptions, in both forms that subscriptions come in.
func TestHostileSubscriptions(t *testing.T) {
	asCommand := func(topic string) []byte { return zmtp.AppendCommand(nil, "SUBSCRIBE", []byte(topic)) }
	asMessage := func(topic string) []byte { return messageOf("\x01" + topic) }
	cancel := func(topic string) []byte { return zmtp.AppendCommand(nil, "CANCEL", []byte(topic)) }
	for form, subscribe := range map[string]func(string) []byte{"command": asCommand, "message": asMessage} {
		t.Run(form+"/topic at the limit", func(t *testing.T) {
			s, r := rawTo(t, "PUB")
			pub, topic := s.(*socket.Pub), strings.Repeat("t", 1024)
			r.send(subscribe(topic))
			must(t, pub.WaitSubscribers(within(t), topic, 1))
			must(t, pub.Send(within(t), socket.Text(topic, "x")))
			if got := r.message(); got[0] != topic {
				t.Errorf("received %q", got)
			}
		})
		for _, n := range []int{1025, 4000, 4096, 100_000} {
			t.Run(fmt.Sprintf("%s/topic of %d", form, n), func(t *testing.T) {
				s, r := rawTo(t, "PUB")
				r.send(subscribe(strings.Repeat("t", n)))
				if n+10 > 4096 && form == "command" { // longer than any command
					wantRefusal(t, s, r.name(), refusal{socket.LimitHit, nil, "limit"})
					return
				}
				wantSubscriptionRefused(t, s, r, "ttt")
				if n+10 <= 4096 {
					r.send(cancel(strings.Repeat("t", n)))
				}
				r.send(subscribe("shorter"))
				must(t, s.(*socket.Pub).WaitSubscribers(within(t), "shorter", 1))
			})
		}
		t.Run(form+"/too many", func(t *testing.T) {
			s, r := rawTo(t, "PUB", socket.WithLimits(socket.Limits{MaxSubscriptions: 100}))
			pub := s.(*socket.Pub)
			for i := range 100 {
				r.send(subscribe(fmt.Sprint("topic ", i)), subscribe("topic 0"))
			}
			must(t, pub.WaitSubscribers(within(t), "topic 99", 1))
			r.send(cancel("topic 5"), cancel("never subscribed"), subscribe("topic 100"))
			must(t, pub.WaitSubscribers(within(t), "topic 100", 1))
			// One more is refused, and nothing but that.
			r.send(subscribe("a hundred and one"))
			wantSubscriptionRefused(t, s, r, "a hundred and one")
			r.send(subscribe("topic 7"), cancel("topic 8"), subscribe("topic 102"))
			must(t, pub.WaitSubscribers(within(t), "topic 102", 1))
			must(t, pub.Send(within(t), socket.Text("a hundred and one")))
			must(t, pub.Send(within(t), socket.Text("topic 7")))
			if got := r.message(); got[0] != "topic 7" {
				t.Errorf("received %q", got)
			}
			if n := len(pub.Topics()); n != 100 {
				t.Errorf("it has %d topics, want 100", n)
			}
			if n := pub.Stats().Discarded[socket.Refused].Messages; n != 1 {
				t.Errorf("%d subscriptions counted as refused, want 1", n)
			}
			balanced(t, s)
		})
	}
	for form, subscribe := range map[string]func(string) []byte{"command": asCommand, "message": asMessage} {
		t.Run(form+"/no limit on topics", func(t *testing.T) {
			s, r := rawTo(t, "PUB", socket.WithLimits(socket.Limits{MaxTopic: -1}))
			for _, n := range []int{1025, 4096, 10_000, 100_000} {
				topic := strings.Repeat("t", n)
				r.send(subscribe(topic), zmtp.AppendPing(nil, 0, []byte("sync")))
				r.pong() // fails at once if that was too much
				must(t, s.(*socket.Pub).WaitSubscribers(within(t), topic, 1))
			}
		})
	}
	t.Run("messages that are no subscription", func(t *testing.T) {
		s, r := rawTo(t, "PUB")
		r.send(messageOf(""), messageOf("\x02a"), messageOf("\x01a", "b"), messageOf("hello"), subscribeThen("end"))
		must(t, s.(*socket.Pub).WaitSubscribers(within(t), "end", 1))
		if n := s.Stats().Discarded[socket.Unexpected].Messages; n != 4 {
			t.Errorf("%d messages discarded, want 4", n)
		}
		balanced(t, s)
	})
	t.Run("to a socket that does not publish", func(t *testing.T) {
		s, r := rawTo(t, "PULL")
		r.send(asCommand(strings.Repeat("t", 4000)), cancel("x"), messageOf("still here"))
		expect(t, s.(*socket.Pull), "still here")
	})
}

// wantSubscriptionRefused waits for the event that names what a peer does not get.
func wantSubscriptionRefused(t *testing.T, s anyRole, r *raw, topic string) {
	t.Helper()
	ev := eventWhere(t, s, "a subscription is refused", func(ev socket.Event) bool {
		return ev.Kind == socket.SubscriptionRefused || ev.Kind == socket.PeerDown || ev.Kind == socket.LimitHit
	})
	if ev.Kind != socket.SubscriptionRefused || ev.Peer.Address != r.name() || !errors.Is(ev.Err, socket.ErrLimit) ||
		!strings.Contains(ev.Err.Error(), topic) || ev.Count != 1 || ev.Reason != socket.Refused {
		t.Fatalf("event %v", ev)
	}
}

func subscribeThen(topic string) []byte { return zmtp.AppendCommand(nil, "SUBSCRIBE", []byte(topic)) }

// TestUnwantedMessages: messages of a kind the role does not take are counted, whatever their shape.
func TestUnwantedMessages(t *testing.T) {
	many := slices.Concat(messageOf("a"), messageOf(""), messageOf("", ""), messageOf("1234", "", "x"), messageOf("", "x"))
	for _, tt := range []struct {
		role string
		why  socket.Reason
		n    uint64
	}{
		{"PUSH", socket.Unexpected, 5},
		{"PUB", socket.Unexpected, 5},
		{"SUB", socket.NotSubscribed, 5},
		{"REP", socket.BadEnvelope, 3}, // [a], [""], and nothing behind the delimiter of ["", ""]: that one is a request
	} {
		t.Run(tt.role, func(t *testing.T) {
			s, r := rawTo(t, tt.role)
			r.send(many, zmtp.AppendPing(nil, 0, []byte("done")))
			if got := r.pong(); got != "done" {
				t.Fatalf("PONG carries %q", got)
			}
			// A PING is answered as it is met, before the messages in front of it are handed over.
			waitUntil(t, "all are received", func() bool { return s.Stats().Received.Messages == 5 })
			switch s := s.(type) {
			case *socket.Sub:
				nothing(t, s)
			case *socket.Rep:
				// Of five messages three are requests: ["", ""], [1234 "" x] and ["" x].
				tt.n = 2
				for _, want := range []string{"", "x", "x"} {
					expect(t, s, want)
					must(t, s.Send(within(t), socket.Text(want)))
				}
				nothing(t, s)
			}
			if n := s.Stats().Discarded[tt.why].Messages; n != tt.n {
				t.Errorf("%d messages discarded as %q, want %d: %v", n, tt.why, tt.n, s.Stats().Ledger)
			}
			balanced(t, s)
		})
	}
	t.Run("REQ", func(t *testing.T) {
		s, r := rawTo(t, "REQ")
		req := s.(*socket.Req)
		r.send(many) // before any request
		must(t, req.Send(within(t), socket.Text("ask")))
		asked := r.message()
		wrong := []byte(asked[0])
		wrong[0] ^= 1
		r.send(many, messageOf(string(wrong), "", "no"), messageOf(asked[0]), messageOf(asked[0], "x"),
			messageOf(asked[0], ""),
			messageOf(asked[0], "", "told"), messageOf(asked[0], "", "told twice"))
		expect(t, req, "told")
		must(t, req.Send(within(t), socket.Text("again")))
		asked = r.message()
		r.send(messageOf(asked[0], "", "second"))
		expect(t, req, "second")
		st := req.Stats()
		if stale, bad := st.Discarded[socket.StaleReply].Messages, st.Discarded[socket.BadEnvelope].Messages; stale != 12 ||
			bad != 3 {
			t.Errorf("%d stale and %d malformed replies discarded, want 12 and 3", stale, bad)
		}
		balanced(t, s)
	})
}
