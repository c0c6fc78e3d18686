package socket_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestTaken: grade "external" and WithTakenIn: what was settled does not come again, whatever the receiver forgets
// besides; what was not does.
func TestTaken(t *testing.T) {
	for _, external := range []bool{false, true} {
		for _, manual := range []bool{false, true} {
			t.Run(fmt.Sprintf("external %v, manual %v", external, manual), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net := simnet.New(simnet.Config{Latency: time.Millisecond})
					push := socket.NewPush(on(net, "cli"), socket.WithReliable(), socket.WithReassign(-1), atOnce)
					must(t, push.Connect(server))
					const total = 300
					for n := range total {
						must(t, push.Send(aDay(t), numbered(n, 10)))
					}
					rnd := rand.New(rand.NewPCG(1, 1))
					d, store := newMedium(), new(ownStore)
					times, done := make([]int, total), 0
					for lives := 0; done < total && lives < 100; lives++ {
						q := onMedium(t, d, spool.Options{})
						opts := []socket.PullOption{on(net, "srv"), socket.WithName("one")}
						if external {
							opts = append(opts, socket.WithTaken(store))
						} else {
							opts = append(opts, socket.WithTakenIn(q))
						}
						if manual {
							opts = append(opts, socket.WithManualAck())
						}
						pull := socket.NewPull(opts...)
						bindAt(t, pull)
						for range rnd.IntN(20) {
							dv, err := pull.Next(aDay(t))
							must(t, err)
							if manual && rnd.IntN(4) == 0 {
								continue // it is not settled
							}
							n := number(dv.Msg)
							if times[n]++; times[n] > 1 {
								t.Errorf("message %d was settled twice", n)
							}
							done++
							store.note(dv.ID)
							switch {
							case !manual:
								time.Sleep(10 * time.Millisecond) // the note is on disk
							case rnd.IntN(2) == 0 && !external:
								must(t, dv.AckSync(aDay(t)))
							default:
								must(t, dv.Ack())
								if !external {
									time.Sleep(10 * time.Millisecond)
								}
							}
							balanced(t, pull)
							if done == total {
								break
							}
						}
						if rnd.IntN(2) == 0 {
							must(t, pull.Close())
							must(t, q.Close())
							continue
						}
						net.Partition("srv")
						net.Cut("srv")
						d = d.copied()
						must(t, pull.Close())
						must(t, q.Close())
						net.Heal()
					}
					if done != total {
						t.Errorf("%d were settled", done)
					}
					waitUntil(t, "all is delivered", func() bool {
						time.Sleep(time.Millisecond)
						return true
					})
					must(t, push.Close())
				})
			})
		}
	}
}

// An ownStore is an application's own, with what it has done.
type ownStore struct {
	mu  sync.Mutex
	ids []socket.MessageID
}

func (s *ownStore) note(id socket.MessageID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, id)
}

func (s *ownStore) Taken(stream spool.ID) (floor uint64, above []spool.Range, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.ids {
		if id.Stream == stream {
			above = append(above, spool.Range{From: id.Seq, To: id.Seq + 1})
		}
	}
	return 0, above, nil
}

// TestTakerFails: while the application cannot tell what it has taken, nothing comes; then all does.
func TestTakerFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{Latency: time.Millisecond})
		broken := errors.New("the store is down")
		begin := time.Now()
		pull := socket.NewPull(on(net, "srv"), socket.WithTaken(takerFunc(func(spool.ID) (uint64, []spool.Range, error) {
			if time.Since(begin) < time.Minute {
				return 0, nil, broken
			}
			return 0, nil, nil
		})))
		bindAt(t, pull)
		push := socket.NewPush(on(net, "cli"), socket.WithReliable())
		must(t, push.Connect(server))
		must(t, push.Send(aDay(t), numbered(0, 10)))
		_, err := pull.Recv(aDay(t))
		must(t, err)
		if took := time.Since(begin); took < time.Minute {
			t.Errorf("it came after %v", took)
		}
		ev := event(t, pull, socket.HandshakeFailed)
		wantError(t, ev.Err, broken)
		synctest.Wait()
		shut(t, push)
		shut(t, pull)
	})
}

type takerFunc func(spool.ID) (uint64, []spool.Range, error)

func (f takerFunc) Taken(stream spool.ID) (uint64, []spool.Range, error) { return f(stream) }
