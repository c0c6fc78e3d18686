package socket_test

import (
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestSpoolPartition: each message goes to its owner alone, in order, however long that is away; one that is not named
// gets nothing.
func TestSpoolPartition(t *testing.T) {
	for name, window := range map[string]int{"with a key": 0, "without": 0, "without, and told often what is settled": 4} {
		keyed := name == "with a key"
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := simnet.New(simnet.Config{Latency: time.Millisecond})
				m := newMedium()
				opts := []socket.PushOption{socket.WithPartition("one", "two"), socket.WithWindow(window, 0)}
				if keyed {
					opts = append(opts, socket.WithKey(func(m socket.Msg) []byte { return m.Frames[1] }))
				}
				open := func() (*socket.Push, *spool.Spool) {
					q := onMedium(t, m, spool.Options{})
					push := socket.NewPush(append(opts, on(net, "srv"), socket.WithSpool(q))...)
					bindAt(t, push)
					return push, q
				}
				push, q := open()
				const total = 100
				for n := range total {
					msg := numbered(n, 20)
					msg.Frames = append(msg.Frames, []byte{byte(n % 10)})
					must(t, push.Send(aDay(t), msg))
				}
				stranger := socket.NewPull(on(net, "stranger"), socket.WithName("three"))
				must(t, stranger.Connect(server))
				one := socket.NewPull(on(net, "one"), socket.WithName("one"))
				must(t, one.Connect(server))
				times, owners := make([]int, total), make(map[byte]string)
				receive := func(pull *socket.Pull, name string) (got int) {
					last := -1
					for _, msg := range drainAllMsgs(t, pull) {
						n := number(msg)
						if n <= last {
							t.Errorf("%s received %d after %d", name, n, last)
						}
						last = n
						times[n]++
						got++
						key := msg.Frames[1][0]
						if owner, known := owners[key]; keyed && known && owner != name {
							t.Errorf("%s has a message with the key of %s", name, owner)
						}
						owners[key] = name
					}
					return got
				}
				first := receive(one, "one")
				balanced(t, push)
				must(t, push.Close())
				must(t, q.Close())
				push, q = open()
				time.Sleep(time.Hour)
				if got := receive(one, "one"); got != 0 {
					t.Errorf("%d came again", got)
				}
				two := socket.NewPull(on(net, "two"), socket.WithName("two"))
				must(t, two.Connect(server))
				second := receive(two, "two")
				for n, k := range times {
					if k != 1 {
						t.Errorf("message %d came %d times", n, k)
					}
				}
				if first < total/10 || second < total/10 || stranger.Stats().Received.Messages != 0 {
					t.Errorf("one has got %d, two %d, a stranger %v", first, second, stranger.Stats().Received)
				}
				must(t, push.Shutdown(aDay(t)))
				balanced(t, push)
				shut(t, one)
				shut(t, two)
				shut(t, stranger)
				must(t, q.Close())
			})
		})
	}
}

// drainAllMsgs receives until nothing comes for a virtual minute.
func drainAllMsgs(t *testing.T, pull *socket.Pull) (all []socket.Msg) {
	t.Helper()
	time.Sleep(time.Minute)
	for {
		m, err := pull.TryRecv()
		if err != nil {
			return all
		}
		all = append(all, m)
		time.Sleep(10 * time.Millisecond)
	}
}
