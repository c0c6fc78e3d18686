package socket_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestBacklogSleeps: a socket that has messages in its spool and no peer does nothing, be it only now and then: no
// timer is left of the socket or the spool. A bubble in which nothing can wake anybody any more ends by a panic that
// says so, which takes a process of its own; one in which something can goes on for ever.
func TestBacklogSleeps(t *testing.T) {
	for _, when := range []string{
		"as it was sent", "with a partition", "found on disk", "connecting", "of a dealer", "of requests",
		"of a subscription",
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			self, err := os.Executable()
			must(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
			defer cancel()
			c := exec.CommandContext(ctx, self, "-test.run=^TestChild$", "-test.timeout=10m")
			c.Env = append(os.Environ(), childEnv+"=backlog\n"+when)
			said, err := c.CombinedOutput()
			if err == nil || !strings.Contains(string(said), "deadlock: all goroutines in bubble are blocked") {
				t.Errorf("it did not come to rest: %v (%v)\n%.2000s", err, ctx.Err(), said)
			}
		})
	}
}

// childBacklog has a backlog, and waits in its bubble for what never comes.
func childBacklog(t *testing.T, args []string, _ *bufio.Scanner) {
	bubble(t, func(t *testing.T) {
		sim, m := simnet.New(simnet.Config{Latency: time.Millisecond}), newMedium()
		q := onMedium(t, m, spool.Options{})
		switch args[0] {
		case "connecting":
			push := socket.NewPush(socket.WithTransport(unanswered{sim.Host("cli")}), socket.WithConnectTimeout(-1),
				socket.WithSpool(q))
			must(t, push.Connect(server))
			backlogOf(t, push)
		case "of a dealer":
			dealer := socket.NewDealer(on(sim, "srv"), socket.WithSpool(q))
			bindAt(t, dealer)
			backlogOf(t, dealer)
		case "of requests":
			req := socket.NewReq(on(sim, "srv"), socket.WithSpool(q))
			bindAt(t, req)
			must(t, req.Send(t.Context(), socket.Text("request")))
		case "of a subscription":
			pub := socket.NewPub(on(sim, "srv"), socket.WithSpool(q),
				socket.WithDurableSubscribers(socket.DurableSubscribers{Expiry: -1}))
			bindAt(t, pub)
			sub := socket.NewSub(on(sim, "one"), socket.WithSubscriberName("one", socket.DurableOptions{}))
			must(t, sub.Subscribe(""))
			must(t, sub.Connect(server))
			time.Sleep(time.Minute)
			must(t, pub.Send(aDay(t), socket.Text("heard")))
			_, err := sub.Recv(aDay(t))
			must(t, err)
			must(t, sub.Close())
			backlogOf(t, pub)
			if n := q.Stats().Live.Messages; n < 1000 {
				t.Fatalf("%d messages wait for the subscriber", n)
			}
		default:
			childBacklogOfAPush(t, args[0], sim, m, q)
		}
		<-make(chan struct{})
	})
}

// childBacklogOfAPush has one after a peer has come and gone.
func childBacklogOfAPush(t *testing.T, when string, sim *simnet.Network, m *medium, q *spool.Spool) {
	opts := []socket.PushOption{on(sim, "srv")}
	if when == "with a partition" {
		opts = append(opts, socket.WithPartition("one", "two"))
	}
	push := socket.NewPush(append(opts, socket.WithSpool(q))...)
	bindAt(t, push)
	backlogOf(t, push)
	pull := socket.NewPull(on(sim, "one"), socket.WithName("one"))
	must(t, pull.Connect(server))
	for range 300 {
		_, err := pull.Recv(aDay(t))
		must(t, err)
	}
	must(t, pull.Close())
	if when == "found on disk" {
		must(t, push.Close())
		must(t, q.Close())
		push = socket.NewPush(append(opts, socket.WithSpool(onMedium(t, m, spool.Options{})))...)
		bindAt(t, push)
	}
}

func backlogOf(t *testing.T, s interface {
	Send(ctx context.Context, m socket.Msg) error
},
) {
	for n := range 2000 {
		must(t, s.Send(aDay(t), numbered(n, 100)))
	}
}

// unanswered is a network on which an attempt to connect is never answered: so there is no pause before another, for
// which alone a socket may wake up.
type unanswered struct{ transport.Transport }

func (unanswered) Dial(ctx context.Context, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}
