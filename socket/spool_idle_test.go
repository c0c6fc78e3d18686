package socket_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestBacklogSleeps: a socket that has messages in its spool and no peer does nothing, be it only now and then: no
// timer is left of the socket or the spool. A bubble in which nothing can wake anybody any more ends by a panic that
// says so, which takes a process of its own; one in which something can goes on for ever.
func TestBacklogSleeps(t *testing.T) {
	for _, when := range []string{"as it was sent", "with a partition", "found on disk"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			self, err := os.Executable()
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, self, "-test.run=^TestChild$", "-test.timeout=5m")
			c.Env = append(os.Environ(), childEnv+"=backlog\n"+when)
			said, err := c.CombinedOutput()
			if err == nil || !strings.Contains(string(said), "deadlock: all goroutines in bubble are blocked") {
				t.Errorf("it did not come to rest: %v (%v)\n%.2000s", err, ctx.Err(), said)
			}
		})
	}
}

// childBacklog has a backlog, after a peer has come and gone, and waits in its bubble for what never comes.
func childBacklog(t *testing.T, args []string, _ *bufio.Scanner) {
	bubble(t, func(t *testing.T) {
		net, m := simnet.New(simnet.Config{Latency: time.Millisecond}), newMedium()
		opts := []socket.PushOption{on(net, "srv")}
		if args[0] == "with a partition" {
			opts = append(opts, socket.WithPartition("one", "two"))
		}
		open := func() (*socket.Push, *spool.Spool) {
			q := onMedium(t, m, spool.Options{})
			push := socket.NewPush(append(opts, socket.WithSpool(q))...)
			bindAt(t, push)
			return push, q
		}
		push, q := open()
		for n := range 2000 {
			must(t, push.Send(aDay(t), numbered(n, 100)))
		}
		pull := socket.NewPull(on(net, "one"), socket.WithName("one"))
		must(t, pull.Connect(server))
		for range 300 {
			_, err := pull.Recv(aDay(t))
			must(t, err)
		}
		must(t, pull.Close())
		if args[0] == "found on disk" {
			must(t, push.Close())
			must(t, q.Close())
			open()
		}
		<-make(chan struct{})
	})
}
