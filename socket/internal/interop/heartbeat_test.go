package interop

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// watch is how long a connection must stand heartbeats of 100 ms.
const watch = 2 * time.Second

// libzmqHeart are heartbeats by libzmq. Its default timeout is the interval itself, the strictest there is.
func libzmqHeart(timeout int) opts {
	return opts{"HEARTBEAT_IVL": 100, "HEARTBEAT_TIMEOUT": timeout, "HEARTBEAT_TTL": 300, "SNDHWM": 0, "RCVHWM": 0}
}

// pairs are our roles with their counterparts.
var pairs = []struct {
	libzmq string
	ours   func() yodel
	beats  func(h socket.Option) yodel
}{
	{"PULL", func() yodel { return socket.NewPush() }, func(h socket.Option) yodel { return socket.NewPush(h) }},
	{"PUSH", func() yodel { return socket.NewPull() }, func(h socket.Option) yodel { return socket.NewPull(h) }},
	{"SUB", func() yodel { return socket.NewPub() }, func(h socket.Option) yodel { return socket.NewPub(h) }},
	{"PUB", func() yodel { return socket.NewSub() }, func(h socket.Option) yodel { return socket.NewSub(h) }},
	{"REP", func() yodel { return socket.NewReq() }, func(h socket.Option) yodel { return socket.NewReq(h) }},
	{"REQ", func() yodel { return socket.NewRep() }, func(h socket.Option) yodel { return socket.NewRep(h) }},
}

// TestIdleHeartbeats leaves connections of all roles alone while one side or both beat.
func TestIdleHeartbeats(t *testing.T) {
	z := sharedPeer.get(t)
	ours := socket.WithHeartbeat(100*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond)
	for _, p := range pairs {
		name := p.ours().Type()
		for i, transport := range []string{"tcp", "ipc"} {
			for j, yodelBinds := range []bool{true, false} {
				s := side{transport, yodelBinds}
				timeout := 100 * (1 + (i+2*j)%3)
				t.Run(name+"/"+s.String()+"/libzmq-beats", func(t *testing.T) {
					t.Parallel()
					y := closing(t, p.ours())
					unbroken(t, y, z.socket(t, p.libzmq, libzmqHeart(timeout)), s)
				})
				t.Run(name+"/"+s.String()+"/yodel-beats", func(t *testing.T) {
					t.Parallel()
					y := closing(t, p.beats(ours))
					unbroken(t, y, z.socket(t, p.libzmq, nil), s)
				})
				t.Run(name+"/"+s.String()+"/both-beat", func(t *testing.T) {
					t.Parallel()
					y := closing(t, p.beats(ours))
					unbroken(t, y, z.socket(t, p.libzmq, libzmqHeart(timeout)), s)
				})
			}
		}
	}
}

// unbroken joins two sockets and watches that neither side loses the other.
func unbroken(t *testing.T, y yodel, z *zsock, s side) {
	t.Helper()
	z.monitor()
	link(t, y, z, s)
	stay(t, y, watch)
	undisturbed(t, y, z)
}

// stay watches our socket's events for a while.
func stay(t *testing.T, y yodel, d time.Duration) {
	t.Helper()
	for ev := range y.Events(lasting(t, d)) {
		if ev.Kind == socket.PeerDown {
			t.Fatalf("%s: %v", y.Type(), ev)
		}
	}
}

// undisturbed fails the test if either side has lost the other.
func undisturbed(t *testing.T, y yodel, z *zsock) {
	t.Helper()
	steady(t, y)
	events := z.events()
	if slices.Contains(events, "DISCONNECTED") || !slices.Contains(events, "HANDSHAKE_SUCCEEDED") {
		t.Errorf("libzmq's events are %v", events)
	}
}

// TestBusyHeartbeats keeps one direction full for as long.
func TestBusyHeartbeats(t *testing.T) {
	z := sharedPeer.get(t)
	ours := socket.WithHeartbeat(100*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond)
	for _, who := range []struct {
		name   string
		ours   []socket.Option
		libzmq opts
	}{
		{"libzmq-beats", nil, libzmqHeart(200)},
		{"yodel-beats", []socket.Option{ours}, opts{"SNDHWM": 0, "RCVHWM": 0}},
	} {
		t.Run("pull/"+who.name, func(t *testing.T) {
			t.Parallel()
			var o []socket.PullOption
			for _, opt := range who.ours {
				o = append(o, opt)
			}
			pull := closing(t, socket.NewPull(o...))
			push := z.socket(t, "PUSH", who.libzmq)
			push.monitor()
			link(t, pull, push, side{"tcp", true})
			late := latest(t)
			flood := push.flood(watch, 10_000)
			var received stream
			for {
				m := recv(t, pull)
				if string(m.Bytes()) == "end" {
					break
				}
				received.add(m.Frames)
			}
			sent := flood.wait(t).stream
			t.Log(late(), eventsOf(pull))
			undisturbed(t, pull, push)
			sameStream(t, sent, received)
		})
		t.Run("push/"+who.name, func(t *testing.T) {
			t.Parallel()
			var o []socket.PushOption
			for _, opt := range who.ours {
				o = append(o, opt)
			}
			push := closing(t, socket.NewPush(o...))
			// No high-water mark: a libzmq socket that stops reading does not see a PONG either (libzmq issue 4767).
			pull := z.socket(t, "PULL", who.libzmq)
			pull.monitor()
			link(t, push, pull, side{"ipc", false})
			receiving := pull.recvUntil("end")
			var sent stream
			for until := time.Now().Add(watch); time.Now().Before(until); {
				m := sizes{{1000}, {20_000}}.message(sent.Count)
				sent.add(m.Frames)
				send(t, push, m)
			}
			send(t, push, socket.String("end"))
			received := receiving.wait(t).stream
			undisturbed(t, push, pull)
			sameStream(t, sent, received)
		})
	}
}

// TestHeartbeatsWhileBehind sends more than our Pull holds to an application that does not receive for a second. The
// connection must survive: the Pull does not read, and so sees no PING, but that is backpressure and not death.
func TestHeartbeatsWhileBehind(t *testing.T) {
	z := sharedPeer.get(t)
	for _, timeout := range []int{100, 200, 300} {
		for _, c := range []struct {
			name string
			idle time.Duration // before the burst: time for PINGs to be seen, or none
		}{{"at-once", 0}, {"after-idling", 500 * time.Millisecond}} {
			for _, transport := range []string{"tcp", "ipc"} {
				t.Run(c.name+"/"+transport+"/"+time.Duration(timeout*1e6).String(), func(t *testing.T) {
					t.Parallel()
					pull := closing(t, socket.NewPull(socket.WithRecvHWM(100)))
					push := z.socket(t, "PUSH", libzmqHeart(timeout))
					push.monitor()
					link(t, pull, push, side{transport, true})
					stay(t, pull, c.idle)
					const n = 3000 // more than the kernel holds as well
					sent := push.sendMany(sizes{{10_000}}, n).wait(t).stream
					stay(t, pull, time.Second)
					undisturbed(t, pull, push)
					sameStream(t, sent, recvAll(t, pull, n))
					undisturbed(t, pull, push)
					sameCount(t, "handed", checked(t, pull).Handed, sent)
				})
			}
		}
	}
}

// TestHeartbeatsWhileLibzmqBehind is the other way round: our Push beats, and a libzmq application does not receive.
func TestHeartbeatsWhileLibzmqBehind(t *testing.T) {
	z := sharedPeer.get(t)
	for _, transport := range []string{"tcp", "ipc"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			push := closing(t, socket.NewPush(
				socket.WithHeartbeat(100*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond),
				socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
			pull := z.socket(t, "PULL", opts{"RCVHWM": 100, "RCVBUF": 64 << 10})
			pull.monitor()
			link(t, push, pull, side{transport, false})
			const n = 3000
			sent := sendAll(t, push, sizes{{10_000}}, n)
			stay(t, push, time.Second)
			undisturbed(t, push, pull)
			sameStream(t, sent, pull.recvMany(n).wait(t).stream)
			undisturbed(t, push, pull)
		})
	}
}

// TestLibzmqSilence stops answering for good: a peer whose process is stopped must be found out and one that goes on
// must be taken back.
func TestLibzmqSilence(t *testing.T) {
	t.Parallel()
	z := startPeer(t)
	pull := closing(t, socket.NewPull(socket.WithHeartbeat(100*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond)))
	push := z.socket(t, "PUSH", opts{"RECONNECT_IVL": 20})
	link(t, pull, push, side{"tcp", true})
	z.freeze(t)
	down := waitEvent(t, pull, socket.PeerDown, 1)
	if !errors.Is(down.Err, socket.ErrHeartbeat) {
		t.Errorf("the peer went down by %v; want the heartbeat", down.Err)
	}
	z.thaw(t)
	waitEvent(t, pull, socket.PeerUp, 2)
	push.send("back")
	if m := recv(t, pull); string(m.Bytes()) != "back" {
		t.Errorf("got %v", m)
	}
}
