//go:build unix

package interop

import (
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A receiver that is slower than a sender which ends gets everything, whichever of the two is libzmq, and with
// heartbeats that are shorter than the backlog.
func TestSlowReceiverOfASenderThatEnds(t *testing.T) {
	const count, slow = 12_000, 700
	heartbeats := socket.WithHeartbeat(50*time.Millisecond, 150*time.Millisecond, 0)
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
				var ours []socket.PullOption
				if short {
					ours = append(ours, heartbeats)
				}
				pull := closing(t, socket.NewPull(ours...))
				at, err := pull.Bind(within(t), endpoint)
				if err != nil {
					t.Fatal(err)
				}
				z := sharedPeer(t).socket(t, "PUSH", opts{"SNDHWM": 0})
				z.connect(at)
				sent := z.sendMany(sizes{{100}}, count)
				sent.wait(t)
				z.do("close", map[string]any{"linger": -1})
				pace := time.NewTicker(time.Millisecond)
				defer pace.Stop()
				for i := range count {
					if i < slow {
						<-pace.C
					}
					if _, err := pull.Recv(within(t)); err != nil {
						t.Fatalf("after %d of %d messages: %v", i, count, err)
					}
				}
			})
		}
	}
}
