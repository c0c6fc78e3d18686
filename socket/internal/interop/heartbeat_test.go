//go:build unix

package interop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// How long a connection must stand heartbeats of 100 ms.
const (
	watch = 2 * time.Second
	rush  = 1200 * time.Millisecond // at full speed
)

// libzmqHeart are heartbeats by libzmq, every 100 ms. Its default timeout is the interval itself, the strictest there
// is.
func libzmqHeart(timeout int) opts {
	return opts{"HEARTBEAT_IVL": 100, "HEARTBEAT_TIMEOUT": timeout, "HEARTBEAT_TTL": 300, "SNDHWM": 0, "RCVHWM": 0}
}

// ourHeart are heartbeats by us.
func ourHeart() socket.Option {
	return socket.WithHeartbeat(100*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond)
}

// pairs are our roles with their counterparts.
var pairs = []struct {
	name, libzmq string
	ours         func(o ...socket.Option) yodel
}{
	{"push", "PULL", func(o ...socket.Option) yodel { return socket.NewPush(each[socket.PushOption](o)...) }},
	{"pull", "PUSH", func(o ...socket.Option) yodel { return socket.NewPull(each[socket.PullOption](o)...) }},
	{"pub", "SUB", func(o ...socket.Option) yodel { return socket.NewPub(each[socket.PubOption](o)...) }},
	{"sub", "PUB", func(o ...socket.Option) yodel { return socket.NewSub(each[socket.SubOption](o)...) }},
	{"req", "REP", func(o ...socket.Option) yodel { return socket.NewReq(each[socket.ReqOption](o)...) }},
	{"rep", "REQ", func(o ...socket.Option) yodel { return socket.NewRep(each[socket.RepOption](o)...) }},
}

// each makes options of one role from options of any role.
func each[R any](options []socket.Option) (of []R) {
	for _, o := range options {
		of = append(of, any(o).(R))
	}
	return of
}

// TestIdleHeartbeats leaves connections of all roles alone while one side or both beat.
func TestIdleHeartbeats(t *testing.T) {
	z := sharedPeer(t)
	timeout := 0
	for _, p := range pairs {
		for _, s := range []side{{"tcp", true}, {"tcp", false}, {"ipc", true}, {"ipc", false}} {
			timeout = timeout%300 + 100
			for _, who := range []struct {
				name   string
				ours   []socket.Option
				libzmq opts
			}{
				{"libzmq-beats", nil, libzmqHeart(timeout)},
				{"yodel-beats", []socket.Option{ourHeart()}, nil},
				{"both-beat", []socket.Option{ourHeart()}, libzmqHeart(timeout)},
			} {
				t.Run(p.name+"/"+s.String()+"/"+who.name, func(t *testing.T) {
					t.Parallel()
					onTime(t, z, func(t *testing.T) error {
						y := closing(t, p.ours(who.ours...))
						peer := z.socket(t, p.libzmq, who.libzmq)
						peer.monitor()
						link(t, y, peer, s)
						stay(t, y, watch)
						return undisturbed(t, y, peer)
					})
				})
			}
		}
	}
}

// stay watches our socket for a while, or until it loses its peer.
func stay(t *testing.T, y yodel, d time.Duration) {
	t.Helper()
	for ev := range y.Events(lasting(t, d)) {
		if isLoss(ev) {
			return
		}
	}
}

// undisturbed returns an error if either side has lost the other.
func undisturbed(t *testing.T, y yodel, z *zsock) error {
	t.Helper()
	checked(t, y)
	if i := slices.IndexFunc(eventsOf(y), isLoss); i >= 0 {
		return fmt.Errorf("%s: %v", y.Type(), eventsOf(y)[i])
	}
	if events := z.events(); slices.Contains(events, "DISCONNECTED") || !slices.Contains(events, "HANDSHAKE_SUCCEEDED") {
		return fmt.Errorf("libzmq's events are %v", events)
	}
	return nil
}

// TestBusyHeartbeats keeps one direction full.
func TestBusyHeartbeats(t *testing.T) {
	z := sharedPeer(t)
	for _, who := range []struct {
		name   string
		ours   []socket.Option
		libzmq opts
	}{
		// No high-water mark on a libzmq PULL: one that stops reading does not see a PONG either (libzmq issue 4767).
		{"libzmq-beats", nil, libzmqHeart(300)},
		{"yodel-beats", []socket.Option{ourHeart()}, opts{"RCVHWM": 0}},
	} {
		t.Run("pull/"+who.name, func(t *testing.T) {
			onTime(t, z, func(t *testing.T) error {
				pull := closing(t, socket.NewPull(each[socket.PullOption](who.ours)...))
				push := z.socket(t, "PUSH", who.libzmq)
				push.set(opts{"SNDHWM": 1000})
				push.monitor()
				link(t, pull, push, side{"tcp", true})
				flood := push.flood(rush, 10_000)
				received, err := recvToEnd(lasting(t, rush+5*time.Second), pull)
				if err := errors.Join(undisturbed(t, pull, push), err); err != nil {
					return err
				}
				sent := flood.wait(t).stream()
				sameStream(t, sent, received)
				return nil
			})
		})
		t.Run("push/"+who.name, func(t *testing.T) {
			onTime(t, z, func(t *testing.T) error {
				push := closing(t, socket.NewPush(each[socket.PushOption](who.ours)...))
				pull := z.socket(t, "PULL", who.libzmq)
				pull.monitor()
				link(t, push, pull, side{"ipc", false})
				receiving := pull.recvUntil("end")
				var sent stream
				for until := time.Now().Add(rush); time.Now().Before(until); {
					m := sizes{{1000}, {20_000}}.message(sent.Count)
					sent.add(m.Frames)
					send(t, push, m)
				}
				send(t, push, socket.Text("end"))
				received, err := receiving.result()
				if err := errors.Join(undisturbed(t, push, pull), err); err != nil {
					return err
				}
				sameStream(t, sent, received.stream())
				return nil
			})
		})
	}
}

// recvToEnd receives up to the message "end".
func recvToEnd(ctx context.Context, s receiver) (received stream, err error) {
	for {
		m, err := s.Recv(ctx)
		if err != nil {
			return received, fmt.Errorf("after %d messages: %w", received.Count, err)
		}
		if string(m.Bytes()) == "end" {
			return received, nil
		}
		received.add(m.Frames)
	}
}

// TestHeartbeatsWhileBehind sends more than our Pull holds to an application that does not receive for a second. The
// connection must survive: the Pull does not read, and so sees no PING, but that is backpressure and not death.
//
// One that fills everything before its first PING could be seen is in TestSlowReceiverOfASenderThatBeats.
func TestHeartbeatsWhileBehind(t *testing.T) {
	z := sharedPeer(t)
	for _, c := range []struct {
		name string
		idle time.Duration // before the first burst: time for PINGs to be seen
	}{{"after-one-ping", 180 * time.Millisecond}, {"after-idling", 500 * time.Millisecond}} {
		for _, s := range []side{{"tcp", true}, {"ipc", false}} {
			for _, timeout := range []int{200, 300} { // at 100, half of which is our pace, any hiccup of the machine would do
				t.Run(fmt.Sprintf("%s/%v/%d", c.name, s, timeout), func(t *testing.T) {
					t.Parallel()
					onTime(t, z, func(t *testing.T) error {
						pull := closing(t, socket.NewPull(socket.WithRecvHWM(100)))
						push := z.socket(t, "PUSH", libzmqHeart(timeout))
						push.monitor()
						link(t, pull, push, s)
						stay(t, pull, c.idle)
						const n = 1500
						for range 2 { // PINGs that come late the first time must not confuse it the second time
							sending := push.sendMany(sizes{{10_000}}, n) // more than the kernel takes
							stay(t, pull, time.Second)
							sent := sending.wait(t).stream()
							if err := undisturbed(t, pull, push); err != nil {
								return err
							}
							received, err := tryRecvAll(lasting(t, 3*time.Second), pull, n)
							if err := errors.Join(undisturbed(t, pull, push), err); err != nil {
								return err
							}
							sameStream(t, sent, received)
						}
						return nil
					})
				})
			}
		}
	}
}

// TestHeartbeatsWhileSlow has an application that is always behind but never stops: each PING waits behind what the
// kernel holds, for longer than libzmq waits for the answer.
func TestHeartbeatsWhileSlow(t *testing.T) {
	z := sharedPeer(t)
	for _, s := range []side{{"tcp", true}, {"ipc", false}} {
		for _, timeout := range []int{200, 300} {
			t.Run(fmt.Sprintf("%v/%d", s, timeout), func(t *testing.T) {
				t.Parallel()
				onTime(t, z, func(t *testing.T) error {
					pull := closing(t, socket.NewPull(socket.WithRecvHWM(20))) // pauses are shorter than the interval
					push := z.socket(t, "PUSH", libzmqHeart(timeout))
					push.monitor()
					link(t, pull, push, s)
					stay(t, pull, 300*time.Millisecond)
					const n = 2000
					sending := push.sendMany(sizes{{10_000}}, n)
					tick := time.NewTicker(time.Millisecond) // 10 MB/s
					defer tick.Stop()
					var received stream
					for range n {
						<-tick.C
						m, err := pull.Recv(lasting(t, time.Second))
						if err != nil {
							return errors.Join(undisturbed(t, pull, push), err)
						}
						received.add(m.Frames)
					}
					sent := sending.wait(t).stream()
					if err := undisturbed(t, pull, push); err != nil {
						return err
					}
					sameStream(t, sent, received)
					return nil
				})
			})
		}
	}
}

// TestHeartbeatsWhileLibzmqBehind is the other way round: our Push beats, and a libzmq application does not receive. As
// long as there is more to write than the kernel takes, its silence must be put down to that.
func TestHeartbeatsWhileLibzmqBehind(t *testing.T) {
	z := sharedPeer(t)
	for _, s := range []side{{"tcp", true}, {"ipc", false}} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			onTime(t, z, func(t *testing.T) error {
				push := closing(t, socket.NewPush(ourHeart(), socket.WithSendHWM(0), socket.WithSendHWMBytes(0)))
				pull := z.socket(t, "PULL", opts{"RCVHWM": 100})
				pull.monitor()
				link(t, push, pull, s)
				const n = 3000
				sent := sendAll(t, push, sizes{{10_000}}, n)
				stay(t, push, time.Second)
				if err := undisturbed(t, push, pull); err != nil {
					return err
				}
				received, err := pull.recvMany(n).result()
				if err := errors.Join(undisturbed(t, push, pull), err); err != nil {
					return err
				}
				sameStream(t, sent, received.stream())
				return nil
			})
		})
	}
}

// TestLibzmqSilence stops the peer's process, which is found out, and lets it go on, which is welcomed back.
func TestLibzmqSilence(t *testing.T) {
	t.Parallel()
	z := startPeer(t)
	pull := closing(t, socket.NewPull(ourHeart()))
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
