package socket_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// TestRepliesOnDisk: a replier that keeps its replies on disk hands out no request again that it has answered, though
// both sides were restarted, and keeps none that its requester has settled.
func TestRepliesOnDisk(t *testing.T) {
	for _, where := range []string{"not answered", "answered, and nobody there", "answered and received"} {
		t.Run(where, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net, dir, repDir := newNet(), t.TempDir(), t.TempDir()
				keep := openSpool(t, repDir, spool.Options{})
				rep := newReplier(t, net, socket.WithReplies(keep))
				req, q := newRequester(t, net, dir)
				restart := func() {
					must(t, rep.Close())
					must(t, keep.Close())
					keep = openSpool(t, repDir, spool.Options{})
					rep = newReplier(t, net, socket.WithReplies(keep))
				}
				must(t, req.Send(aDay(t), socket.Text("request")))
				_, err := rep.Recv(aDay(t))
				must(t, err)
				switch where {
				case "not answered":
					endRequester(t, req, q, 1)
					restart()
				case "answered, and nobody there":
					endRequester(t, req, q, 1)
					if err := rep.Send(aDay(t), socket.Text("reply")); !errors.Is(err, socket.ErrPeerLost) {
						t.Fatalf("Send says %v", err)
					}
					restart()
				case "answered and received":
					must(t, rep.Send(aDay(t), socket.Text("reply")))
					time.Sleep(time.Second)
					endRequester(t, req, q, 1)
					restart()
				}
				req, q = newRequester(t, net, dir)
				if where == "not answered" {
					answerNext(t, rep, "!")
					pendingReply(t, req, "request", "request!")
				} else {
					noRequest(t, rep)
					pendingReply(t, req, "request", "reply")
				}
				for i := range 20 {
					must(t, req.Send(aDay(t), socket.Text(fmt.Sprint(i))))
					answerNext(t, rep, "!")
					_, err := req.Recv(aDay(t))
					must(t, err)
					if i == 10 {
						restart()
					}
				}
				if n := keep.Stats().Live.Messages; n > 2 {
					t.Errorf("%d replies are kept", n)
				}
				balanced(t, rep)
				endRequester(t, req, q, 0)
				must(t, rep.Close())
				must(t, keep.Close())
			})
		})
	}
}

// TestRequestTellsWhatIsSettledForGood: a request says that others are settled once that is on disk. Of one that is
// asked again by the next life the reply would be gone else, and it would wait for ever.
func TestRequestTellsWhatIsSettledForGood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net, q := newNet(), openSpool(t, t.TempDir(), spool.Options{})
		for _, text := range []string{"one", "two"} {
			_, err := q.Append(t.Context(), spool.Message{Frames: socket.Text(text).Frames})
			must(t, err)
		}
		router := socket.NewRouter(on(net, "srv"))
		bindAt(t, router)
		req := socket.NewReq(on(net, "cli"), socket.WithSpool(q), atOnce)
		must(t, req.Connect(server))
		next := func(text string, low uint64) socket.Msg {
			t.Helper()
			m, err := router.Recv(aDay(t))
			must(t, err)
			id := m.Frames[1]
			if got := binary.BigEndian.Uint64(id[len(id)-8:]); string(m.Frames[3]) != text || got > low {
				t.Errorf("%q says that all below %d is settled, want %q and %d", m.Frames[3], got, text, low)
			}
			return m
		}
		must(t, router.Send(aDay(t), next("one", 1)))
		next("two", 1)
		pendingReply(t, req, "one", "one")
		net.Cut("cli")
		next("two", 1) // within 100 ms
		time.Sleep(time.Second)
		net.Cut("cli")
		m := next("two", 2)
		if id := m.Frames[1]; binary.BigEndian.Uint64(id[len(id)-8:]) != 2 {
			t.Error("it does not say that the first is settled")
		}
		must(t, router.Send(aDay(t), m))
		pendingReply(t, req, "two", "two")
		must(t, router.Close())
		endRequester(t, req, q, 0)
	})
}

// TestRepliesOnDiskFull: without room the reply is not sent, and can be sent again.
func TestRepliesOnDiskFull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newNet()
		keep := openSpool(t, t.TempDir(), spool.Options{MaxMessages: 1, Overflow: spool.Reject})
		rep := newReplier(t, net, socket.WithReplies(keep))
		one, q1 := newRequester(t, net, t.TempDir())
		must(t, one.Send(aDay(t), socket.Text("one")))
		answerNext(t, rep, "!")
		_, err := one.Recv(aDay(t))
		must(t, err)
		two, q2 := newRequester(t, net, t.TempDir())
		must(t, two.Send(aDay(t), socket.Text("two")))
		_, err = rep.Recv(aDay(t))
		must(t, err)
		if err := rep.Send(aDay(t), socket.Text("two!")); !errors.Is(err, socket.ErrSpoolFull) {
			t.Errorf("Send says %v", err)
		}
		_, err = keep.Purge(t.Context(), spool.Filter{})
		must(t, err)
		must(t, rep.Send(aDay(t), socket.Text("two!")))
		m, err := two.Recv(aDay(t))
		if err != nil || string(m.Bytes()) != "two!" {
			t.Errorf("the reply is %q, %v", m.Bytes(), err)
		}
		endRequester(t, one, q1, 0)
		endRequester(t, two, q2, 0)
		must(t, rep.Close())

		same := socket.NewRep(on(net, "srv"), socket.WithReplies(keep), socket.WithInbox(keep))
		if _, err := same.Bind(aDay(t), server); !errors.Is(err, socket.ErrInvalidOption) {
			t.Errorf("with one spool for both, Bind says %v", err)
		}
		must(t, same.Close())
		must(t, keep.Close())
	})
}

// TestSpooledRequestsBothRestart: through restarts of both sides at random moments each request is answered once, and
// handed out at least once by a replier in memory; by one with its replies on disk, once for each that was answered.
func TestSpooledRequestsBothRestart(t *testing.T) {
	for _, replier := range []string{"memory", "replies on disk", "inbox and replies on disk"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s, seed %d", replier, seed), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					rnd := rand.New(rand.NewPCG(seed, 7))
					net, dir, keepDir, inboxDir := newNet(), t.TempDir(), t.TempDir(), t.TempDir()
					answered, replies := make(map[string]int), make(map[string]int)
					var mu sync.Mutex
					got := func(request, reply string) {
						mu.Lock()
						defer mu.Unlock()
						if replies[request]++; reply != request+"!" {
							t.Errorf("%s was answered by %s", request, reply)
						}
					}

					stop, over := make(chan struct{}), make(chan struct{})
					go func() { // lives of the replier
						defer close(over)
						for last := false; !last; {
							var opts []socket.RepOption
							var spools []*spool.Spool
							if replier != "memory" {
								spools = append(spools, openSpool(t, keepDir, spool.Options{}))
								opts = append(opts, socket.WithReplies(spools[0]))
							}
							if replier == "inbox and replies on disk" {
								spools = append(spools, openSpool(t, inboxDir, spool.Options{}))
								opts = append(opts, socket.WithInbox(spools[1]))
							}
							rep := newReplier(t, net, opts...)
							life := 30 + rnd.IntN(300)
							timer := time.AfterFunc(time.Duration(life)*time.Millisecond, func() { rep.Close() })
							for m, err := range rep.Messages(t.Context()) {
								must(t, err)
								if rand.N(4) == 0 {
									time.Sleep(10 * time.Millisecond)
								}
								err := rep.Send(t.Context(), socket.Text(string(m.Bytes())+"!"))
								if err == nil || errors.Is(err, socket.ErrPeerLost) {
									mu.Lock()
									answered[string(m.Bytes())]++
									mu.Unlock()
								}
								select {
								case <-stop:
									last = true
								default:
								}
								if last {
									break
								}
							}
							select {
							case <-stop: // the request that was to say so may be lost
								last = true
							default:
							}
							timer.Stop()
							must(t, rep.Close())
							for _, q := range spools {
								must(t, q.Close())
							}
						}
					}()

					const lives, each = 20, 10
					for life := range lives {
						req, q := newRequester(t, net, dir, atOnce)
						ctx, cancel := context.WithCancel(t.Context())
						pending := make(chan struct{})
						go func() {
							defer close(pending)
							for p, err := range req.Pending(ctx) {
								if err != nil {
									return
								}
								got(string(p.Request.Bytes()), string(p.Reply.Bytes()))
							}
						}()
						for i := range each {
							text := fmt.Sprintf("%d/%d", life, i)
							ctx, cancel := context.WithCancel(t.Context())
							time.AfterFunc(time.Duration(rand.N(40))*time.Millisecond, cancel)
							m, err := req.Do(ctx, socket.Text(text))
							cancel()
							var kept *socket.KeptError
							switch {
							case err == nil:
								got(text, string(m.Bytes()))
							case !errors.As(err, &kept):
								if ctx.Err() == nil {
									t.Error(err)
								}
								mu.Lock()
								replies[text]++ // it was cancelled before it was stored
								mu.Unlock()
							}
						}
						if life == lives-1 {
							for range 10_000 {
								if req.Stats().Spooled.Messages == 0 && q.Stats().Live.Messages == 0 {
									break
								}
								time.Sleep(10 * time.Millisecond)
							}
						}
						balanced(t, req)
						must(t, req.Close())
						cancel()
						<-pending
						balanced(t, req)
						must(t, q.Close())
					}
					close(stop)
					last := socket.NewReq(on(net, "cli"))
					must(t, last.Connect(server))
					ctx, cancel := context.WithCancel(t.Context())
					go func() { <-over; cancel() }()
					_, _ = last.Do(ctx, socket.Text("stop")) // whose reply may be the last that is lost
					cancel()
					must(t, last.Close())
					<-over
					doubled := 0
					for life := range lives {
						for i := range each {
							text := fmt.Sprintf("%d/%d", life, i)
							if replies[text] != 1 {
								t.Errorf("%s has %d replies", text, replies[text])
							}
							if n := answered[text]; n > 1 {
								doubled++
							}
						}
					}
					if doubled > 0 && replier != "memory" {
						t.Errorf("%d were answered more than once", doubled)
					}
					t.Logf("%d were answered more than once", doubled)
				})
			})
		}
	}
}
