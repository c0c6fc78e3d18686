package socket_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// answerNext answers the next request by its own text and a suffix.
func answerNext(t testing.TB, rep *socket.Rep, suffix string) string {
	t.Helper()
	m, err := rep.Recv(aDay(t))
	must(t, err)
	must(t, rep.Send(aDay(t), socket.Text(string(m.Bytes())+suffix)))
	return string(m.Bytes())
}

// pendingReply waits for the next pending request, and wants it to be the one that is given.
func pendingReply(t testing.TB, req *socket.Req, request, reply string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for p, err := range req.Pending(ctx) {
		must(t, err)
		if string(p.Request.Bytes()) != request || string(p.Reply.Bytes()) != reply || p.ID.Seq == 0 {
			t.Fatalf("pending is %v: %q, answered by %q; want %q, %q", p.ID, p.Request.Bytes(), p.Reply.Bytes(), request, reply)
		}
		return
	}
	t.Fatal("nothing is pending any more")
}

// nonePending wants no reply for Pending within an hour.
func nonePending(t testing.TB, req *socket.Req) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for p, err := range req.Pending(ctx) {
		if err == nil {
			t.Fatalf("pending is %q, answered by %q", p.Request.Bytes(), p.Reply.Bytes())
		}
	}
}

// noRequest wants no request to come within an hour.
func noRequest(t testing.TB, rep *socket.Rep) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if m, err := rep.Recv(ctx); err == nil {
		t.Fatalf("the request %q came", m.Bytes())
	}
}

// newNet is a network of the kind that most tests here need.
func newNet() *simnet.Network { return simnet.New(simnet.Config{Latency: time.Millisecond}) }

// newRequester opens a spool and a Req on it, which connects.
func newRequester(t testing.TB, net *simnet.Network, dir string, opts ...socket.ReqOption) (*socket.Req, *spool.Spool) {
	t.Helper()
	q := openSpool(t, dir, spool.Options{})
	req := socket.NewReq(append(opts, on(net, "cli"), socket.WithSpool(q))...)
	must(t, req.Connect(server))
	return req, q
}

// newReplier is a Rep that is bound.
func newReplier(t testing.TB, net *simnet.Network, opts ...socket.RepOption) *socket.Rep {
	t.Helper()
	rep := socket.NewRep(append(opts, on(net, "srv"))...)
	bindAt(t, rep)
	return rep
}

// endRequester closes a requester with its spool, in which so many requests are to be left.
func endRequester(t testing.TB, req *socket.Req, q *spool.Spool, left uint64) {
	t.Helper()
	must(t, req.Close())
	balanced(t, req)
	if n := q.Stats().Live.Messages; n != left {
		t.Errorf("%d requests are left in the spool, want %d: %v", n, left, req.Stats().Ledger)
	}
	must(t, q.Close())
}

// TestSpooledRequests: requests are answered in turn as without a spool, over any transport, and none is left.
func TestSpooledRequests(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		q := openSpool(t, t.TempDir(), spool.Options{})
		rep := socket.NewRep()
		echo(t, rep, "echo")
		closing(t, rep)
		req := closing(t, socket.NewReq(socket.WithSpool(q)))
		link(t, rep, req, endpoint)
		for i := range 50 {
			m, err := req.Do(within(t), socket.Text(fmt.Sprint(i)))
			must(t, err)
			if len(m.Frames) != 2 || string(m.Frames[0]) != fmt.Sprint(i) {
				t.Fatalf("the reply to %d is %q", i, m.Frames)
			}
		}
		for i := range 50 {
			send(t, req, "a", fmt.Sprint(i))
			if err := req.Send(within(t), socket.Text("x")); !errors.Is(err, socket.ErrState) {
				t.Fatalf("the second Send says %v", err)
			}
			expect(t, req, "a", fmt.Sprint(i), "echo")
		}
		if _, err := req.Recv(within(t)); !errors.Is(err, socket.ErrState) {
			t.Errorf("Recv without a request says %v", err)
		}
		settledAll(t, req) // the last write may be accounted for behind the reply to it
		if st := req.Stats(); st.Accepted.Messages != 100 || st.Delivered != st.Accepted || st.Handed.Messages != 100 {
			t.Errorf("REQ counts %v", st.Ledger)
		}
		must(t, req.Close())
		if n := q.Stats().Live.Messages; n != 0 {
			t.Errorf("%d requests are left", n)
		}
		must(t, q.Close())
	})
}

// TestSpooledRequestRequesterRestarts: wherever a request is when its requester ends, its reply comes once, by Pending,
// in the next life; the replier's application gets it once, as it lives on.
func TestSpooledRequestRequesterRestarts(t *testing.T) {
	for _, where := range []string{
		"waiting for a peer", "at work", "answered while the requester is away", "answered, not received",
	} {
		for _, reliable := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, reliable %v", where, reliable), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net, dir := newNet(), t.TempDir()
					var reqOpts []socket.ReqOption
					var repOpts []socket.RepOption
					if reliable {
						reqOpts = append(reqOpts, socket.WithReliable())
						repOpts = append(repOpts, socket.WithReliable())
					}
					var rep *socket.Rep
					if where != "waiting for a peer" {
						rep = newReplier(t, net, repOpts...)
					}
					req, q := newRequester(t, net, dir, reqOpts...)
					must(t, req.Send(aDay(t), socket.Text("request")))
					reply := func() { must(t, rep.Send(aDay(t), socket.Text("reply"))) }
					if rep != nil {
						_, err := rep.Recv(aDay(t))
						must(t, err)
					}
					if where == "answered, not received" {
						reply()
						time.Sleep(time.Second)
					}
					if st := req.Stats(); st.Accepted.Messages != 1 {
						t.Errorf("REQ counts %v", st.Ledger)
					}
					balanced(t, req)
					endRequester(t, req, q, 1)
					if where == "answered while the requester is away" {
						err := rep.Send(aDay(t), socket.Text("reply"))
						if err != nil && !errors.Is(err, socket.ErrPeerLost) {
							t.Fatal(err)
						}
					}

					req, q = newRequester(t, net, dir, reqOpts...)
					switch where {
					case "waiting for a peer":
						time.Sleep(time.Hour)
						if st := req.Stats(); st.Recovered.Messages != 1 || st.Spooled.Messages != 1 {
							t.Errorf("REQ counts %v", st.Ledger)
						}
						balanced(t, req)
						rep = newReplier(t, net, repOpts...)
						_, err := rep.Recv(aDay(t))
						must(t, err)
						reply()
					case "at work":
						time.Sleep(time.Second)
						err := rep.Send(aDay(t), socket.Text("reply"))
						if err != nil && !errors.Is(err, socket.ErrPeerLost) {
							t.Fatal(err)
						}
						noRequest(t, rep)
					case "answered while the requester is away", "answered, not received":
						noRequest(t, rep)
					}
					pendingReply(t, req, "request", "reply")
					nonePending(t, req)
					if st := req.Stats(); st.Accepted.Messages != 0 && !reliable || st.Recovered.Messages != 1 && !reliable {
						t.Errorf("REQ counts %v", st.Ledger)
					}
					balanced(t, req)
					endRequester(t, req, q, 0)
					shut(t, rep)
				})
			})
		}
	}
}

// TestSpooledRequestReplierRestarts: a request whose replier ends before it has answered is asked again of the next,
// and answered once.
func TestSpooledRequestReplierRestarts(t *testing.T) {
	for _, reliable := range []bool{false, true} {
		t.Run(fmt.Sprintf("reliable %v", reliable), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := newNet()
				var opts []socket.ReqOption
				if reliable {
					opts = append(opts, socket.WithReliable())
				}
				rep := newReplier(t, net)
				req, q := newRequester(t, net, t.TempDir(), opts...)
				got := make(chan string, 1)
				go func() {
					m, err := req.Do(t.Context(), socket.Text("request"))
					got <- fmt.Sprintf("%s %v", m.Bytes(), err)
				}()
				for range 5 {
					m, err := rep.Recv(aDay(t))
					must(t, err)
					if string(m.Bytes()) != "request" {
						t.Fatalf("the replier gets %q", m.Bytes())
					}
					must(t, rep.Close())
					time.Sleep(time.Minute)
					rep = newReplier(t, net)
				}
				answerNext(t, rep, "!")
				if s := <-got; s != "request! <nil>" {
					t.Errorf("Do says %s", s)
				}
				noRequest(t, rep)
				nonePending(t, req)
				endRequester(t, req, q, 0)
				shut(t, rep)
			})
		})
	}
}

// TestSpooledRequestsOfAnEarlierLife: many requests that an earlier life has left are answered beside those that are
// made now, each once.
func TestSpooledRequestsOfAnEarlierLife(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const count = 1000
		net, dir := newNet(), t.TempDir()
		q := openSpool(t, dir, spool.Options{})
		for i := range count {
			_, err := q.Append(t.Context(), spool.Message{Frames: [][]byte{[]byte(fmt.Sprint(i))}})
			must(t, err)
		}
		must(t, q.Close())
		rep := newReplier(t, net)
		req, q := newRequester(t, net, dir)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range count + 100 {
				answerNext(t, rep, "!")
			}
		}()
		seen := make(map[string]bool)
		pending := make(chan struct{})
		go func() {
			defer close(pending)
			for p, err := range req.Pending(aDay(t)) {
				if err != nil {
					t.Error(err)
					return
				}
				if text := string(p.Request.Bytes()); seen[text] || string(p.Reply.Bytes()) != text+"!" {
					t.Errorf("%q was answered by %q, the second time: %v", text, p.Reply.Bytes(), seen[text])
				}
				seen[string(p.Request.Bytes())] = true
				if len(seen) == count {
					return
				}
			}
		}()
		for i := range 100 {
			m, err := req.Do(aDay(t), socket.Text(fmt.Sprint("now ", i)))
			must(t, err)
			if string(m.Bytes()) != fmt.Sprintf("now %d!", i) {
				t.Fatalf("Do returns %q", m.Bytes())
			}
			balanced(t, req)
		}
		<-pending
		<-done
		if st := req.Stats(); st.Recovered.Messages != count || st.Accepted.Messages != 100 {
			t.Errorf("REQ counts %v", st.Ledger)
		}
		endRequester(t, req, q, 0)
		shut(t, rep)
	})
}

// TestSpooledRequestDoEnds: Do that is cancelled leaves its request in the spool, whose reply comes by Pending unless
// it is withdrawn; one whose deadline is over is not answered any more.
func TestSpooledRequestDoEnds(t *testing.T) {
	for _, answered := range []bool{false, true} { // while Do has its reply to come
		for _, how := range []string{"cancelled", "withdrawn", "deadline", "closed"} {
			t.Run(fmt.Sprintf("%s, the replier has it: %v", how, answered), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					net, dir := newNet(), t.TempDir()
					var rep *socket.Rep
					if answered {
						rep = newReplier(t, net)
					}
					req, q := newRequester(t, net, dir)
					ctx, cancel := context.WithCancel(t.Context())
					if how == "deadline" {
						ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
					}
					defer cancel()
					got := make(chan error, 1)
					go func() {
						_, err := req.Do(ctx, socket.Text("request"))
						got <- err
					}()
					if answered {
						_, err := rep.Recv(aDay(t))
						must(t, err)
					}
					time.Sleep(time.Second)
					switch how {
					case "cancelled", "withdrawn":
						cancel()
					case "closed":
						must(t, req.Close())
					}
					err := <-got
					var kept *socket.KeptError
					if errors.As(err, &kept) != (how != "deadline") {
						t.Fatalf("Do says %v", err)
					}
					switch how {
					case "closed":
						if !errors.Is(err, socket.ErrClosed) {
							t.Errorf("Do says %v", err)
						}
						must(t, q.Close())
						req, q = newRequester(t, net, dir)
					case "withdrawn":
						must(t, req.Withdraw(kept.ID))
						if err := req.Withdraw(kept.ID); !errors.Is(err, socket.ErrSettled) {
							t.Errorf("the second Withdraw says %v", err)
						}
					case "deadline":
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("Do says %v", err)
						}
					}
					if answered {
						err := rep.Send(aDay(t), socket.Text("reply"))
						if err != nil && (how != "closed" || !errors.Is(err, socket.ErrPeerLost)) {
							t.Fatal(err)
						}
					} else {
						rep = newReplier(t, net)
					}
					if how == "cancelled" || how == "closed" {
						if !answered {
							_, err := rep.Recv(aDay(t))
							must(t, err)
							must(t, rep.Send(aDay(t), socket.Text("reply")))
						}
						noRequest(t, rep)
						pendingReply(t, req, "request", "reply")
					}
					noRequest(t, rep)
					nonePending(t, req)
					balanced(t, req)
					endRequester(t, req, q, 0)
					shut(t, rep)
				})
			})
		}
	}
}

// TestSpooledRequestIsLost: what the spool loses is told to whoever waits for the reply.
func TestSpooledRequestIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newNet()
		req, q := newRequester(t, net, t.TempDir())
		must(t, req.Send(aDay(t), socket.Text("request")))
		_, err := q.Purge(t.Context(), spool.Filter{})
		must(t, err)
		if _, err := req.Recv(aDay(t)); !errors.Is(err, socket.ErrLost) {
			t.Errorf("Recv says %v", err)
		}
		if st := req.Stats(); st.Accepted.Messages != 1 || st.Dropped[socket.Purged].Messages != 1 {
			t.Errorf("REQ counts %v", st.Ledger)
		}
		balanced(t, req)
		must(t, req.Send(aDay(t), socket.Text("next")))
		endRequester(t, req, q, 1)
	})
}

// TestSpooledRequestCuts: through a connection that is cut at many bytes each request is answered once, and is handed
// out once by a replier that lives on.
func TestSpooledRequestCuts(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			q := openSpool(t, t.TempDir(), spool.Options{})
			rep := socket.NewRep()
			at := bind(t, rep, "tcp://127.0.0.1:*")
			cut := newCutter(t, at, seed, 150, 1500)
			req := socket.NewReq(socket.WithSpool(q), atOnce)
			connect(t, req, cut.endpoint)
			const total = 400
			handled := make(map[string]int)
			over := make(chan struct{})
			go func() {
				defer close(over)
				for m, err := range rep.Messages(t.Context()) {
					if err != nil {
						t.Error(err)
						return
					}
					handled[string(m.Bytes())]++
					err = rep.Send(t.Context(), socket.Text(string(m.Bytes())+"!"))
					if err != nil && !errors.Is(err, socket.ErrPeerLost) && !errors.Is(err, socket.ErrClosed) {
						t.Error(err)
					}
				}
			}()
			for i := range total {
				m, err := req.Do(within(t), socket.Text(fmt.Sprint(i)))
				must(t, err)
				if string(m.Bytes()) != fmt.Sprintf("%d!", i) {
					t.Fatalf("the reply to %d is %q", i, m.Bytes())
				}
			}
			must(t, req.Close())
			must(t, rep.Close())
			<-over
			balanced(t, req)
			balanced(t, rep)
			for i := range total {
				if n := handled[fmt.Sprint(i)]; n != 1 {
					t.Errorf("%d was handed out %d times", i, n)
				}
			}
			if n := q.Stats().Live.Messages; n != 0 {
				t.Errorf("%d requests are left", n)
			}
			must(t, q.Close())
			if cut.done() < 20 {
				t.Errorf("only %d cuts", cut.done())
			}
			t.Logf("%d cuts; REP %v", cut.done(), rep.Stats().Ledger)
		})
	}
}

// TestSpooledRequestNeedsASpool: what is about requests in a spool says so without one.
func TestSpooledRequestNeedsASpool(t *testing.T) {
	req := closing(t, socket.NewReq())
	for _, err := range req.Pending(within(t)) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Pending says %v", err)
		}
	}
	if err := req.Withdraw(socket.MessageID{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Withdraw says %v", err)
	}
	q := openSpool(t, t.TempDir(), spool.Options{})
	blind := closing(t, socket.NewReq(socket.WithSpool(q), socket.WithCorrelate(false)))
	if err := blind.Connect("tcp://127.0.0.1:1"); !errors.Is(err, socket.ErrInvalidOption) {
		t.Errorf("Connect without ids says %v", err)
	}
	must(t, blind.Close())
	must(t, q.Close())
}
