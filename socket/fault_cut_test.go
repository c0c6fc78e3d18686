package socket_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// everyCut runs a scenario with the first connection cut after 0, 1, 2, … bytes in one direction, until one is over
// before it comes to the cut. The scenario says whether it came to it. With the race detector, with which it takes ten
// times as long and which looks for something else, it is every fourth byte. With CURVE, where all that follows the
// handshake is sealed, the same has to hold: there it is some bytes, others each time.
func everyCut(t *testing.T, atLeast int64, scenario func(t *testing.T, net *simnet.Network) (cut bool)) {
	for _, dir := range []simnet.Direction{simnet.ToListener, simnet.ToDialer} {
		// In the small window every write goes out in several parts.
		for _, way := range []struct {
			name         string
			window       int
			step, atMost int64
			secured      bool
		}{{"window 0", 0, 1, 5000, false}, {"window 48", 48, 1, 5000, false}, {"CURVE", 0, 97, 20_000, true}} {
			t.Run(fmt.Sprintf("%v/%s", dir, way.name), func(t *testing.T) {
				step := way.step
				if socket.RaceEnabled {
					step *= 4
				}
				at := rand.Int64N(step)
				runs := 0
				for cut := true; cut; at += step {
					runs++
					bubble(t, func(t *testing.T) {
						defer func() {
							if t.Failed() {
								t.Logf("^ cut after %d bytes", at)
							}
						}()
						net := simnet.New(simnet.Config{Latency: time.Millisecond, Window: way.window})
						if way.secured {
							defer secureNet(net)()
						}
						net.CutNext("srv", dir, at)
						cut = scenario(t, net)
						if at > way.atMost || !cut && at < atLeast {
							t.Errorf("the scenario covers %d bytes, want at least %d and not too many", at, atLeast)
						}
					})
					if t.Failed() {
						return
					}
				}
				t.Logf("cut at %d of %d bytes", runs, at)
			})
		}
	}
}

// bodySize is how long message n is in a scenario of everyCut, where each byte costs a run, and it makes no difference
// which byte of a body is the last to arrive: a few, but some do not fit the small window and leave in parts.
func bodySize(n int) int {
	if n%5 == 4 {
		return 60
	}
	return n % 3
}

// quietAfter is how long such a scenario waits for what may come twice: longer than any of its pauses, of 12 s, but not
// much, for PINGs are bytes too; and it ends well between two of them, so that there is time to come back from a cut.
const quietAfter = 15 * time.Second

// handshakeBytes is a lower bound on what either side sends before its first message.
const handshakeBytes = 64 + 40

// TestCutPipeline cuts a PUSH/PULL connection at every byte. Messages that PUSH had delivered to the transport at that
// moment may be lost in flight, since nobody confirms them; all others arrive, all in order, none twice.
func TestCutPipeline(t *testing.T) {
	for _, pushBinds := range []bool{false, true} {
		t.Run(fmt.Sprintf("push binds %v", pushBinds), func(t *testing.T) {
			everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
				pushHost, pullHost := "cli", "srv"
				if pushBinds {
					pushHost, pullHost = "srv", "cli"
				}
				push, pull := socket.NewPush(on(net, pushHost)), socket.NewPull(on(net, pullHost))
				defer shut(t, push)
				defer shut(t, pull)
				const total = 12
				atCut := total // what PUSH had delivered when the connection was cut
				sent := record(push, func(ev socket.Event) {
					if ev.Kind == socket.PeerDown {
						atCut = int(push.Stats().Delivered.Messages)
						balanced(t, push)
						balanced(t, pull)
					}
				})
				received := record(pull, nil)
				if pushBinds {
					bindAt(t, push)
					must(t, pull.Connect(server))
				} else {
					bindAt(t, pull)
					must(t, push.Connect(server))
				}

				var got []int
				var all sync.WaitGroup
				all.Go(func() { got = drainFor(t, pull, quietAfter) })
				for n := range total {
					m := numbered(n, 0)
					m.Frames = append(m.Frames, nil, []byte(strings.Repeat("x", bodySize(n))))
					must(t, push.Send(aDay(t), m))
					balanced(t, push)
					if n == total/2 {
						time.Sleep(12 * time.Second) // long enough for PINGs both ways
					}
				}
				all.Wait()

				cut := net.Stats().Cuts == 1
				ups := len(sent.of(socket.PeerUp))
				downs := sent.losses()
				switch {
				case cut && ups == 0, len(downs) > 1, len(downs) == 1 && ups != 2:
					t.Errorf("PUSH came up %d times and lost %d peers: %v", ups, len(downs), downs)
				case len(downs) == 0:
					atCut = 0 // nothing may be lost
				}
				if n := len(received.of(socket.PeerUp)); n == 0 || n > 2 {
					t.Errorf("PULL came up %d times", n)
				}
				for i := range got {
					if i > 0 && got[i] <= got[i-1] {
						t.Fatalf("message %d came after %d", got[i], got[i-1])
					}
				}
				for n := range total {
					if n >= atCut && !slices.Contains(got, n) {
						t.Errorf("message %d is lost, though only %d had left when the connection was cut", n, atCut)
					}
				}
				out, in := push.Stats(), pull.Stats()
				if out.Accepted.Messages != total || out.Delivered.Messages != total || out.Queued.Messages != 0 ||
					len(out.Dropped) != 0 {
					t.Errorf("PUSH counts %+v", out.Ledger)
				}
				if in.Received.Messages != uint64(len(got)) || in.Handed.Messages != uint64(len(got)) || len(in.Discarded) != 0 {
					t.Errorf("PULL counts %+v, received %d", in.Ledger, len(got))
				}
				return cut
			})
		})
	}
}

// TestCutRequest cuts a REQ/REP connection at every byte. Do returns the right reply or an error that says the peer was
// lost; no request is seen twice; asking again works.
func TestCutRequest(t *testing.T) {
	for _, reqBinds := range []bool{false, true} {
		t.Run(fmt.Sprintf("req binds %v", reqBinds), func(t *testing.T) {
			everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
				reqHost, repHost := "cli", "srv"
				if reqBinds {
					reqHost, repHost = "srv", "cli"
				}
				req, rep := socket.NewReq(on(net, reqHost)), socket.NewRep(on(net, repHost))
				defer shut(t, req)
				seen := make(map[string]int)
				served := make(chan struct{})
				go func() {
					defer close(served)
					for m, err := range rep.Messages(t.Context()) {
						if err != nil {
							return
						}
						seen[string(m.Frames[0])]++
						if err := rep.Send(aDay(t), m); err != nil && !errors.Is(err, socket.ErrPeerLost) {
							t.Errorf("reply: %v", err)
						}
						balanced(t, rep)
					}
				}()
				if reqBinds {
					bindAt(t, req)
					must(t, rep.Connect(server))
				} else {
					bindAt(t, rep)
					must(t, req.Connect(server))
				}
				lost := 0
				for n := range 4 {
					for try := 0; ; try++ {
						id := fmt.Sprintf("request %d.%d", n, try)
						m, err := req.Do(aDay(t), socket.Text(id, "", strings.Repeat("x", 9*n)))
						balanced(t, req)
						if err == nil {
							if string(m.Frames[0]) != id || len(m.Frames) != 3 || len(m.Frames[2]) != 9*n {
								t.Fatalf("asked %s, reply %s", id, m)
							}
							break
						}
						if !errors.Is(err, socket.ErrPeerLost) {
							t.Fatalf("Do: %v", err)
						}
						lost++
					}
					time.Sleep(6 * time.Second) // long enough for a PING
				}
				cut := net.Stats().Cuts == 1
				if lost > 1 || lost > 0 && !cut {
					t.Errorf("%d requests lost by one cut", lost)
				}
				shut(t, rep)
				<-served
				for id, n := range seen {
					if n > 1 {
						t.Errorf("%s was received %d times", id, n)
					}
				}
				synctest.Wait()
				if st := req.Stats(); len(st.Dropped) != 0 || st.Handed.Messages != 4 {
					t.Errorf("REQ counts %+v", st.Ledger)
				}
				return cut
			})
		})
	}
}

// TestCutPublish cuts a PUB/SUB connection at every byte: afterwards the subscriptions are there again, whole, and what
// is published after WaitSubscribers arrives.
func TestCutPublish(t *testing.T) {
	everyCut(t, handshakeBytes, func(t *testing.T, net *simnet.Network) bool {
		pub, sub := socket.NewPub(on(net, "srv")),
			socket.NewSub(on(net, "cli"), socket.WithSubscription("a", "b", "c", strings.Repeat("d", 300)))
		defer shut(t, pub)
		defer shut(t, sub)
		ups := record(pub, nil)
		bindAt(t, pub)
		must(t, sub.Connect(server))
		time.Sleep(20 * time.Second) // the handshake, the subscriptions, some PINGs, and perhaps all of it again
		sent := 0
		for _, topic := range []string{"a", "b", "c", strings.Repeat("d", 300)} {
			for again := true; again; {
				synctest.Wait() // a cut that just happened has been noticed
				cuts := net.Stats().Cuts
				must(t, pub.WaitSubscribers(within(t), topic, 1))
				must(t, pub.Send(within(t), socket.Text(topic, "news")))
				sent++
				m, err := sub.Recv(within(t))
				switch again = err != nil; {
				case again && net.Stats().Cuts == cuts:
					t.Fatalf("nothing came, though nothing was cut: %v", err)
				case !again && m.String() != socket.Text(topic, "news").String():
					t.Fatalf("received %s", m)
				}
				balanced(t, pub)
				balanced(t, sub)
			}
		}
		cut := net.Stats().Cuts == 1
		if n := len(ups.of(socket.PeerUp)); n < 1 || n > 2 || n == 1 && sent > 4 {
			t.Errorf("PUB came up %d times and sent %d messages", n, sent)
		}
		must(t, pub.Send(within(t), socket.Text("e")))
		if st := pub.Stats(); st.Dropped[socket.NoSubscriber].Messages != 1 ||
			st.Delivered.Messages+st.Dropped[socket.PeerGone].Messages != uint64(sent) {
			t.Errorf("PUB counts %+v", st.Ledger)
		}
		return cut
	})
}
