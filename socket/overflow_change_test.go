package socket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// A tunable is a Pub or an XPub.
type tunable interface {
	socket.Socket
	socket.Sender
	eventer
	TrySend(m socket.Msg) error
	SetOverflow(p *socket.Peer, policy socket.Overflow) error
	WaitSubscribers(ctx context.Context, topic string, n int) error
}

// eachTunable runs a test with both.
func eachTunable(t *testing.T, test func(t *testing.T, pub tunable), opts ...socket.Option) {
	for _, pub := range []tunable{
		socket.NewPub(as[socket.PubOption](opts)...), socket.NewXPub(as[socket.XPubOption](opts)...),
	} {
		t.Run(pub.Type(), func(t *testing.T) { test(t, closing(t, pub)) })
	}
}

// A queueModel is what the documentation says of a subscriber's queue.
type queueModel struct {
	policy socket.Overflow
	mark   int
	queue  []int
	full   bool // until it is down to half
}

// publish says whether the message is taken, which does not mean that this subscriber gets it.
func (q *queueModel) publish(n int) bool {
	if q.full {
		switch q.policy {
		case socket.DropNewest:
			return true
		case socket.DropOldest:
			q.queue = q.queue[1:]
		case socket.Conflate:
		default:
			return false
		}
	}
	if q.policy == socket.Conflate {
		q.queue = nil
	}
	q.queue = append(q.queue, n)
	q.full = len(q.queue) >= q.mark
	return true
}

func (q *queueModel) receive() (n int) {
	n, q.queue = q.queue[0], q.queue[1:]
	q.full = q.full && len(q.queue) > q.mark/2
	return n
}

// TestSetOverflowBackAndForth changes the policy of one of two subscribers again and again, whether its queue is
// full, empty or in between. Each policy does what it says from the next message on, and the other subscriber gets
// all that is taken.
func TestSetOverflowBackAndForth(t *testing.T) {
	policies := []socket.Overflow{socket.Block, socket.Reject, socket.DropNewest, socket.DropOldest, socket.Conflate}
	for _, half := range []int{1, 3, 20} {
		t.Run(fmt.Sprint("mark ", 2*half), func(t *testing.T) {
			eachTunable(t, func(t *testing.T, pub tunable) {
				at := bind(t, pub, "inproc://"+t.Name())
				one := closing(t, socket.NewSub(socket.WithRecvHWM(half), socket.WithSubscription("")))
				connect(t, one, at)
				must(t, pub.WaitSubscribers(within(t), "", 1))
				peer := pub.Stats().Peers[0].Peer
				other := closing(t, socket.NewSub(socket.WithSubscription("")))
				connect(t, other, at)
				must(t, pub.WaitSubscribers(within(t), "", 2))
				waitPeers(t, one, 1)
				waitPeers(t, other, 1)
				model := queueModel{policy: socket.DropNewest, mark: 2 * half}
				numbers := rand.New(rand.NewPCG(1, uint64(half)))
				changed := make(map[[2]socket.Overflow]bool) // while the queue was full
				var done []string
				ctx, ended := within(t), endedContext(t)
				n := 0
				for range 20_000 {
					switch op := numbers.IntN(10); {
					case op == 0:
						policy := policies[numbers.IntN(len(policies))]
						if model.full {
							changed[[2]socket.Overflow{model.policy, policy}] = true
						}
						model.policy = policy
						must(t, pub.SetOverflow(peer, policy))
						done = append(done, fmt.Sprint("policy ", policy))
					case op < 7:
						err := pub.TrySend(socket.Text(fmt.Sprint(n)))
						if want := model.publish(n); (err == nil) != want || err != nil && !errors.Is(err, socket.ErrWouldBlock) {
							t.Fatalf("publish: %v, want it taken: %v; after %q", err, want, done[max(0, len(done)-20):])
						}
						if err == nil {
							got, err := other.Recv(ctx)
							if must(t, err); string(got.Bytes()) != fmt.Sprint(n) {
								t.Fatalf("the other one received %s, want %d", got, n)
							}
						}
						done = append(done, fmt.Sprint("publish ", n))
						n++
					case len(model.queue) > 0:
						got, err := one.Recv(ctx)
						want := fmt.Sprint(model.receive())
						if must(t, err); string(got.Bytes()) != want {
							t.Fatalf("received %s, want %s; after %q", got, want, done[max(0, len(done)-20):])
						}
						done = append(done, "receive "+want)
					default:
						if m, err := one.Recv(ended); err == nil {
							t.Fatalf("received %s, want nothing; after %q", m, done[max(0, len(done)-20):])
						}
					}
				}
				balanced(t, pub)
				balanced(t, one)
				for change := range changed { // Conflate leaves no queue full
					if change[0] == socket.Conflate {
						delete(changed, change)
					}
				}
				if all := (len(policies) - 1) * len(policies); len(changed) != all {
					t.Errorf("the test makes %d of %d changes with the queue full", len(changed), all)
				}
			}, socket.WithSendHWM(half))
		})
	}
}
