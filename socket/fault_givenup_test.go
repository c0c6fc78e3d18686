package socket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A peer that was silent for too long may only have stood still. It is given up at once, and so it is told; what it
// sends before it can know is received like the rest.
func TestGivenUpPeerIsReadToItsEnd(t *testing.T) {
	const latency = 40 * time.Millisecond
	for _, waits := range []bool{false, true} { // a receiver that waits may read the connection in the goroutine's place
		for _, after := range []time.Duration{-latency / 2, 0, latency / 2, 5 * time.Second} { // the moment it is given up
			t.Run(fmt.Sprintf("%v/a receiver waits %v", after, waits), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: latency})
					pull := socket.NewPull(on(net, "srv"))
					defer shut(t, pull)
					seen := record(pull, nil)
					bindAt(t, pull)
					r := rawSim(t, net, "cli")
					r.shake("PUSH", yodelProperty)
					must(t, pull.WaitPeers(within(t), 1))
					must(t, r.SetDeadline(time.Time{}))
					r.send(messageOf("in time"))
					expect(t, pull, "in time")
					start := time.Now()
					var got chan string
					if waits {
						got = make(chan string, 1)
						go func() {
							m, err := pull.Recv(aDay(t))
							if err != nil {
								got <- err.Error()
								return
							}
							got <- string(m.Bytes())
						}()
					}
					time.Sleep(15*time.Second + after)
					r.send(messageOf("late"))
					time.Sleep(2 * latency)
					seen.wantLoss(t, start, 15*time.Second, silence)
					if waits {
						if body := <-got; body != "late" {
							t.Errorf("got %q", body)
						}
					} else {
						expect(t, pull, "late")
					}
					r.send(messageOf("and more"))
					must(t, r.Close())
					expect(t, pull, "and more")
					balanced(t, pull)
				})
			})
		}
	}
}

// A peer that was given up and does not end is not read for ever.
func TestGivenUpPeerThatGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		pull := socket.NewPull(on(net, "srv"))
		defer shut(t, pull)
		seen := record(pull, nil)
		bindAt(t, pull)
		r := rawSim(t, net, "cli")
		r.shake("PUSH", yodelProperty)
		must(t, r.SetDeadline(time.Time{}))
		start := time.Now()
		time.Sleep(16 * time.Second)
		for time.Since(start) < time.Minute {
			if _, err := r.Write(zmtp.AppendPong(nil, nil)); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if d := time.Since(start); d < 24*time.Second || d > 27*time.Second {
			t.Errorf("the connection stood for %v, want 15 s and 10 s more", d)
		}
		seen.wantLoss(t, start, 15*time.Second, silence)
	})
}
