//go:build unix

package interop

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A receiver that is slower than a sender which ends gets everything, whichever of the two is libzmq, and with
// heartbeats that are shorter than the backlog.
func TestSlowReceiverOfASenderThatEnds(t *testing.T) {
	const count, slow = 12_000, 700
	// The TTL is long, so that libzmq does not give us up: what it loses by that no receiver can keep.
	heartbeats := socket.WithHeartbeat(50*time.Millisecond, 150*time.Millisecond, time.Minute)
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://*"} {
		for _, short := range []bool{false, true} {
			name := fmt.Sprintf("%s/short heartbeats %v", endpoint[:3], short)
			t.Run("to libzmq/"+name, func(t *testing.T) {
				z := sharedPeer(t).socket(t, "PULL", nil)
				var ours []socket.PushOption
				if short {
					ours = append(ours, heartbeats)
				}
				push := closing(t, socket.NewPush(append(ours, socket.WithSendHWM(0))...))
				if err := push.Connect(z.bind(endpoint)); err != nil {
					t.Fatal(err)
				}
				got := z.slowNumbers(count-1, slow)
				for i := range count {
					if err := push.Send(within(t), numbered(i, 100)); err != nil {
						t.Fatal(err)
					}
				}
				if err := push.Shutdown(within(t)); err != nil {
					t.Error(err)
				}
				if r := got.wait(t); r.Count != count {
					t.Errorf("libzmq got %d messages, want %d", r.Count, count)
				}
			})
			t.Run("from libzmq/"+name, func(t *testing.T) {
				z := sharedPeer(t)
				onTime(t, z, func(t *testing.T) error {
					var ours []socket.PullOption
					if short {
						ours = append(ours, heartbeats)
					}
					pull := closing(t, socket.NewPull(ours...))
					at, err := pull.Bind(within(t), endpoint)
					if err != nil {
						t.Fatal(err)
					}
					push := z.socket(t, "PUSH", opts{"SNDHWM": 0})
					push.connect(at)
					push.sendMany(sizes{{100}}, count).wait(t)
					push.do("close", map[string]any{"linger": -1})
					pace := time.NewTicker(time.Millisecond)
					defer pace.Stop()
					for i := range count {
						if i < slow {
							<-pace.C
						}
						if _, err := pull.Recv(within(t)); err != nil {
							err = fmt.Errorf("after %d of %d messages: %w; %v", i, count, err, eventsOf(pull))
							if !slices.ContainsFunc(eventsOf(pull), isSilence) {
								err = unexcused{err}
							}
							return err
						}
					}
					return nil
				})
			})
		}
	}
}

// isSilence reports whether we have given a peer up that stood still for longer than our heartbeat timeout.
func isSilence(ev socket.Event) bool {
	return ev.Kind == socket.PeerDown && errors.Is(ev.Err, socket.ErrHeartbeat)
}

// ups is how many connections were made.
func ups(events []socket.Event) (n int) {
	for _, ev := range events {
		if ev.Kind == socket.PeerUp {
			n++
		}
	}
	return n
}

// A libzmq sender that beats fills all buffers before its first PING can be seen, and waits for the answer to that for
// less time than the receiver takes to come to it. It is not let down; nor is one that has closed by then, whose kernel
// would throw away what it holds as soon as anything reached it.
func TestSlowReceiverOfASenderThatBeats(t *testing.T) {
	const count, size, aSecond = 12_000, 1024, 3000
	const bearable = 150 * time.Millisecond // a quarter of libzmq's patience
	z := sharedPeer(t)
	beats := opts{"SNDHWM": 0, "HEARTBEAT_IVL": 200, "HEARTBEAT_TIMEOUT": 600}
	for _, c := range []struct {
		name    string
		options opts
		beats   bool
		ends    bool
	}{{"beats", beats, true, false}, {"beats and ends", beats, true, true}, {"ends", opts{"SNDHWM": 0}, false, true}} {
		t.Run(c.name, func(t *testing.T) {
			eachSide(t, func(t *testing.T, s side) {
				t.Parallel()
				onTimeWithin(t, z, bearable, func(t *testing.T) error {
					push := z.socket(t, "PUSH", c.options)
					pull := closing(t, socket.NewPull())
					link(t, pull, push, s)
					sent := push.sendMany(sizes{{size}}, count).wait(t).stream()
					if c.ends {
						push.do("close", map[string]any{"linger": -1})
					}
					var got stream
					for begin := time.Now(); got.Count < count; {
						time.Sleep(time.Until(begin.Add(time.Duration(got.Count) * time.Second / aSecond)))
						m, err := pull.Recv(within(t))
						if err != nil {
							err = fmt.Errorf("after %d of %d messages: %w; %v", got.Count, count, err, eventsOf(pull))
							if !c.beats { // with no heartbeats shorter than the test there is no excuse
								err = unexcused{err}
							}
							return err
						}
						got.add(m.Frames)
					}
					if c.beats && sent.sum() != got.sum() && ups(eventsOf(pull)) > 1 { // what two bring has no order
						return fmt.Errorf("sent %v; received %v; %v", sent.sum(), got.sum(), eventsOf(pull))
					}
					sameStream(t, sent, got)
					if i := slices.IndexFunc(eventsOf(pull), isLoss); i >= 0 && !c.ends {
						return fmt.Errorf("the sender has not ended, but: %v", eventsOf(pull)[i])
					}
					return nil
				})
			})
		})
	}
}
