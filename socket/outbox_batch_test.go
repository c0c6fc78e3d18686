package socket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// counted returns messages with the numbers from up to, but without, to behind the frames given.
func counted(from, to int, ahead ...string) (ms []socket.Msg) {
	for i := from; i < to; i++ {
		ms = append(ms, socket.Text(append(append([]string(nil), ahead...), fmt.Sprint(i))...))
	}
	return ms
}

// TestSendBatchDealer: all are accepted, each peer gets its part in order, and more than there is room for waits.
func TestSendBatchDealer(t *testing.T) {
	for name, opts := range map[string][]socket.DealerOption{
		"in turn":           nil,
		"least outstanding": {socket.WithLeastOutstanding()},
		"small queues":      {socket.WithSendHWM(10)},
		"drops the newest":  {socket.WithOverflow(socket.DropNewest)},
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				d := closing(t, socket.NewDealer(opts...))
				at := bind(t, d, endpoint)
				const peers, all = 3, 700
				came := make(chan socket.Msg, all)
				for range peers {
					r := closing(t, socket.NewDealer())
					connect(t, r, at)
					go func() {
						last := -1
						for m, err := range r.Messages(t.Context()) {
							if err != nil {
								return
							}
							if n := atoi(t, m.Frames[0]); n <= last {
								t.Errorf("received %d behind %d", n, last)
							} else {
								last = n
							}
							came <- m
						}
					}()
				}
				waitPeers(t, d, peers)
				for i := range 7 {
					n, err := d.SendBatch(within(t), counted(100*i, 100*i+100))
					if n != 100 || err != nil {
						t.Fatalf("%d accepted: %v", n, err)
					}
				}
				for range all {
					select {
					case <-came:
					case <-within(t).Done():
						t.Fatalf("not all have come: %+v", d.Stats().Ledger)
					}
				}
				if n := d.Stats().Accepted.Messages; n != all {
					t.Errorf("%d were accepted", n)
				}
			})
		})
	}
}

// TestSendBatchEnds: the result says how many were accepted when the context ends, or the socket closes, and it is
// those.
func TestSendBatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		d := closing(t, socket.NewDealer(space, socket.WithSendHWM(5)))
		r := closing(t, socket.NewDealer(space, socket.WithRecvHWM(5)))
		link(t, d, r, "inproc://x")
		ended, cancel := contextEnded()
		defer cancel()
		n, err := d.SendBatch(ended, counted(0, 20))
		if n != 10 || !errors.Is(err, context.Canceled) || !errors.Is(err, socket.ErrWouldBlock) {
			t.Fatalf("%d accepted, want the 10 for which there is room: %v", n, err)
		}
		type result struct {
			n   int
			err error
		}
		done := make(chan result, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			n, err := d.SendBatch(ctx, counted(10, 40))
			done <- result{n, err}
		}()
		for i := range 15 {
			expect(t, r, fmt.Sprint(i))
		}
		synctest.Wait()
		stop()
		got := <-done
		if got.n == 0 || got.n == 30 || !errors.Is(got.err, context.Canceled) {
			t.Fatalf("%d accepted: %v", got.n, got.err)
		}
		for i := 15; i < 10+got.n; i++ {
			expect(t, r, fmt.Sprint(i))
		}
		nothing(t, r)
		n, err = d.SendBatch(within(t), []socket.Msg{socket.Text("a"), {}, socket.Text("b")})
		if n != 1 || !errors.Is(err, socket.ErrNoFrames) {
			t.Errorf("with one that cannot be sent: %d accepted: %v", n, err)
		}
		expect(t, r, "a")
		if n, err := d.SendBatch(within(t), nil); n != 0 || err != nil {
			t.Errorf("none: %d, %v", n, err)
		}
		must(t, d.Close())
		if n, err := d.SendBatch(within(t), counted(0, 3)); n != 0 || !errors.Is(err, socket.ErrClosed) {
			t.Errorf("closed: %d accepted: %v", n, err)
		}
	})
}

// TestSendBatchWithoutPeers: messages wait for the first peer as those of Send do.
func TestSendBatchWithoutPeers(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		d, r := closing(t, socket.NewDealer(quick())), closing(t, socket.NewDealer())
		at := unused(t, endpoint)
		connect(t, d, at)
		if n, err := d.SendBatch(within(t), counted(0, 100)); n != 100 || err != nil {
			t.Fatalf("%d accepted: %v", n, err)
		}
		bind(t, r, at)
		for i := range 100 {
			expect(t, r, fmt.Sprint(i))
		}
	})
}

// TestSendBatchRouter: each peer gets what is for it in order, and the batch ends at a message for nobody.
func TestSendBatchRouter(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		for name, opts := range map[string][]socket.RouterOption{"strict": nil, "drops": {socket.WithDropUnroutable()}} {
			t.Run(name, func(t *testing.T) {
				router := closing(t, socket.NewRouter(opts...))
				at := bind(t, router, strings.Replace(endpoint, "inproc://", "inproc://"+name, 1))
				dealers := map[string]*socket.Dealer{}
				for _, id := range []string{"a", "b", "c"} {
					dealers[id] = closing(t, socket.NewDealer(socket.WithIdentity(id)))
					connect(t, dealers[id], at)
				}
				waitPeers(t, router, 3)
				var ms []socket.Msg
				for i := range 300 {
					ms = append(ms, socket.Text([]string{"a", "b", "c"}[i%3], fmt.Sprint(i)))
				}
				if n, err := router.SendBatch(within(t), ms); n != 300 || err != nil {
					t.Fatalf("%d accepted: %v", n, err)
				}
				for i := range 300 {
					expect(t, dealers[[]string{"a", "b", "c"}[i%3]], fmt.Sprint(i))
				}
				n, err := router.SendBatch(within(t), []socket.Msg{
					socket.Text("a", "1"), socket.Text("nobody", "2"), socket.Text("a", "3"),
				})
				expect(t, dealers["a"], "1")
				if name == "drops" {
					if n != 3 || err != nil {
						t.Errorf("%d accepted: %v", n, err)
					}
					expect(t, dealers["a"], "3")
				} else if n != 1 || !errors.Is(err, socket.ErrUnroutable) {
					t.Errorf("%d accepted: %v", n, err)
				}
				nothing(t, dealers["a"])
			})
		}
	})
}

// TestRecvBatch: it returns what is there, in order, and waits for the first only.
func TestRecvBatch(t *testing.T) {
	for name, make := range map[string]func() batchReceiver{
		"DEALER": func() batchReceiver { return socket.NewDealer(socket.WithRecvHWM(100)) },
		"ROUTER": func() batchReceiver { return socket.NewRouter(socket.WithRecvHWM(100)) },
	} {
		t.Run(name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				s := closing(t, make())
				at := bind(t, s, endpoint)
				const peers, each = 2, 1000
				for range peers {
					d := closing(t, socket.NewDealer())
					connect(t, d, at)
					go func() {
						if n, err := d.SendBatch(t.Context(), counted(0, each)); n != each {
							t.Errorf("%d accepted: %v", n, err)
						}
					}()
				}
				next, into := map[*socket.Peer]int{}, aThousand()
				for all := 0; all < peers*each; {
					n, err := s.RecvBatch(within(t), into)
					if n == 0 || err != nil {
						t.Fatalf("received %d: %v", n, err)
					}
					for _, m := range into[:n] {
						if got := atoi(t, m.Frames[len(m.Frames)-1]); got != next[m.From] {
							t.Fatalf("received %d, want %d", got, next[m.From])
						}
						next[m.From]++
					}
					all += n
				}
				if st := s.Stats(); st.Handed.Messages != peers*each || st.Unread.Messages != 0 {
					t.Errorf("the ledger: %+v", st.Ledger)
				}
				ended, cancel := contextEnded()
				defer cancel()
				if n, err := s.RecvBatch(ended, into); n != 0 || !errors.Is(err, context.Canceled) {
					t.Errorf("with nothing there: %d, %v", n, err)
				}
				if n, err := s.RecvBatch(within(t), nil); n != 0 || err != nil {
					t.Errorf("into nothing: %d, %v", n, err)
				}
				must(t, s.Close())
				if n, err := s.RecvBatch(within(t), into); n != 0 || !errors.Is(err, socket.ErrClosed) {
					t.Errorf("closed: %d, %v", n, err)
				}
			})
		})
	}
}

type batchReceiver interface {
	socket.Receiver
	RecvBatch(ctx context.Context, ms []socket.Msg) (int, error)
}

func aThousand() []socket.Msg { return make([]socket.Msg, 1000) }

// TestRecvBatchTakesMany: what has come is taken by one call.
func TestRecvBatchTakesMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		d, r := closing(t, socket.NewDealer(space)), closing(t, socket.NewDealer(space))
		link(t, d, r, "inproc://x")
		if n, err := d.SendBatch(within(t), counted(0, 500)); n != 500 || err != nil {
			t.Fatalf("%d accepted: %v", n, err)
		}
		d.Stats() // hands over what is held
		into := aThousand()
		n, err := r.RecvBatch(within(t), into[:200])
		if n != 200 || err != nil {
			t.Fatalf("received %d: %v", n, err)
		}
		if n, err = r.RecvBatch(within(t), into); n != 300 || err != nil {
			t.Fatalf("received %d: %v", n, err)
		}
		if got := string(into[299].Frames[0]); got != "499" {
			t.Errorf("the last is %s", got)
		}
	})
}
