package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

func TestOutboxTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(t, outBehaviour{keeps: true})
		var valves []*valve
		for range 3 {
			_, v := o.join()
			valves = append(valves, v)
		}
		for i := range 9 {
			must(t, o.try(balanced, nil, fmt.Sprint(i)))
		}
		o.check(t, "with all queued")
		for i, v := range valves {
			v.open()
			synctest.Wait()
			want := []string{fmt.Sprint(i), fmt.Sprint(i + 3), fmt.Sprint(i + 6)}
			if got := v.bodies(); !slices.Equal(got, want) {
				t.Errorf("peer %d got %q, want %q", i, got, want)
			}
		}
		if o.counts.delivered != (Count{9, 9}) {
			t.Errorf("%v is delivered", o.counts.delivered)
		}
	})
}

// TestOutboxLeastOutstanding: the message goes to the peer with the least to do, in turn among equals.
func TestOutboxLeastOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(t, outBehaviour{keeps: true}, func(c *config) { c.leastOutstanding = true })
		o.env.replies = true
		a, av := o.join()
		b, bv := o.join()
		for i := range 4 {
			must(t, o.try(balanced, nil, fmt.Sprint(i)))
		}
		b.answered(2)
		for i := range 3 {
			must(t, o.try(balanced, nil, fmt.Sprint("more ", i)))
		}
		if n, m := a.unanswered.Load(), b.unanswered.Load(); n != 3 || m != 2 {
			t.Errorf("%d and %d are outstanding, want 3 and 2", n, m)
		}
		av.open()
		bv.open()
		synctest.Wait()
		if got := strings.Join(bv.bodies(), ", "); got != "1, 3, more 0, more 1" {
			t.Errorf("the quick peer got %s", got)
		}
	})
}

// TestOutboxBacklog: what is sent before there is a peer waits for the first one, up to the mark.
func TestOutboxBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(t, outBehaviour{keeps: true}, mark10)
		if err := o.try(balanced, nil, "nobody"); !errors.Is(err, ErrNoPeers) {
			t.Fatalf("without anybody to wait for: %v", err)
		}
		o.connecting = 1
		for i := range 10 {
			must(t, o.try(balanced, nil, fmt.Sprint(i)))
		}
		if err := o.try(balanced, nil, "one too many"); !errors.Is(err, ErrNoPeers) {
			t.Fatalf("with a full backlog: %v", err)
		}
		o.check(t, "with a backlog")
		_, v := o.join()
		o.check(t, "with a link")
		if o.backlog.n > 0 || o.unassigned.queued != (Count{}) || o.counts.queued != (Count{10, 10}) {
			t.Errorf("%d messages wait, %v is queued for nobody", o.backlog.n, o.unassigned.queued)
		}
		v.open()
		synctest.Wait()
		if got := strings.Join(v.bodies(), ""); got != "0123456789" {
			t.Errorf("the first peer got %q", got)
		}
	})
}

// TestOutboxRequeues: what a lost link had not written whole goes to another, in order, where the role keeps it.
func TestOutboxRequeues(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		t.Run(fmt.Sprint("keeps ", keeps), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutbox(t, outBehaviour{keeps: keeps})
				lost, v := o.join()
				must(t, o.try(balanced, nil, "a")) // alone in the first write
				synctest.Wait()
				for _, body := range []string{"b", "c", "d"} {
					must(t, o.try(balanced, nil, body))
				}
				v.let <- struct{}{}
				synctest.Wait()
				v.take, v.fail = 4, net.ErrClosed // b, and one byte of c
				v.open()
				synctest.Wait()
				o.check(t, "with the link lost")
				_, next := o.join()
				next.open()
				synctest.Wait()
				got := strings.Join(next.bodies(), "")
				c := lost.out.counts
				switch {
				case c.delivered != (Count{2, 2}) || c.queued != (Count{}):
					t.Errorf("of the lost link %+v", c)
				case keeps && (got != "cd" || c.requeued != (Count{2, 2})):
					t.Errorf("another got %q, want \"cd\"; %+v", got, c)
				case !keeps && (got != "" || c.dropped[PeerGone] != (Count{2, 2})):
					t.Errorf("another got %q, want nothing; %+v", got, c)
				}
			})
		})
	}
}

// TestOutboxGivesUp: a message in the middle of which peers end the connection is dropped after some attempts, and what
// is behind it goes on.
func TestOutboxGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var abandoned []string
		o := newOutbox(t, outBehaviour{keeps: true, abandoned: func(m Msg, _ error) {
			abandoned = append(abandoned, string(m.Bytes()))
		}}, func(c *config) { c.maxAttempts = 2 })
		o.connecting = 1
		must(t, o.try(balanced, nil, "poison"))
		must(t, o.try(balanced, nil, "good"))
		for range 2 {
			_, v := o.join()
			v.take, v.fail = 3, errPeerClosed
			v.open()
			synctest.Wait()
		}
		_, v := o.join()
		v.open()
		synctest.Wait()
		if got := v.bodies(); !slices.Equal(got, []string{"good"}) || !slices.Equal(abandoned, []string{"poison"}) {
			t.Errorf("the third peer got %q, abandoned are %q", got, abandoned)
		}
		if o.counts.dropped[Undeliverable] != (Count{1, 6}) {
			t.Errorf("dropped: %v", o.counts.dropped)
		}
	})
}

// TestOutboxOverflow: what Send returns, and what becomes of the messages, when the queue of the only peer is full.
// TestOverflowVerdicts has all that can be met; here it is carried out.
func TestOutboxOverflow(t *testing.T) {
	const full = "0 123456789" // what is being written, and what is queued behind it
	for _, c := range []struct {
		way    way
		policy Overflow
		err    error
		want   string // what the peer gets in the end
		cut    bool
	}{
		{balanced, Block, ErrWouldBlock, full, false},
		{balanced, Reject, ErrWouldBlock, full, false},
		{balanced, DropNewest, nil, full, false},
		{balanced, DropOldest, nil, "0 23456789N", false},
		{balanced, Conflate, nil, "0 N", false},
		{balanced, Disconnect, ErrWouldBlock, full, false},
		{published, Block, ErrWouldBlock, full, false},
		{published, Reject, errRejected, full, false},
		{published, DropNewest, nil, full, false},
		{published, DropOldest, nil, "0 23456789N", false},
		{published, Conflate, nil, "0 N", false},
		{published, Disconnect, nil, "", true},
		{routed, Block, ErrWouldBlock, full, false},
		{routed, Reject, errRejected, full, false},
		{routed, DropNewest, nil, full, false},
		{routed, DropOldest, nil, "0 23456789N", false},
		{routed, Conflate, nil, "0 N", false},
		{routed, Disconnect, nil, "", true},
		{given, Block, nil, full, false},
		{given, DropOldest, nil, full, false},
	} {
		t.Run(fmt.Sprint(c.way, "/", c.policy.name()), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutbox(t, outBehaviour{}, mark10, c.policy.option())
				l, v := o.join()
				must(t, o.try(c.way, l, "0"))
				synctest.Wait() // it is being written
				for i := 1; i < 10; i++ {
					must(t, o.try(c.way, l, fmt.Sprint(i)))
				}
				if err := o.try(c.way, l, "N"); !errors.Is(err, c.err) {
					t.Fatalf("Send returns %v, want %v", err, c.err)
				}
				o.check(t, "behind it")
				select {
				case <-l.gone:
				default:
					if c.cut {
						t.Error("the peer was not cut off")
					}
				}
				v.open()
				synctest.Wait()
				if got := strings.Join(v.bodies(), ""); !c.cut && got != strings.ReplaceAll(c.want, " ", "") {
					t.Errorf("the peer got %q, want %q", got, c.want)
				}
				accepted := uint64(10)
				if c.err == nil {
					accepted++
				}
				if n := o.counts.accepted.Messages; n != accepted {
					t.Errorf("%d were accepted, want %d", n, accepted)
				}
			})
		})
	}
}

// TestOutboxWaits: Send waits for room until there is some, its context ends, or the socket shuts down.
func TestOutboxWaits(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(o *outbox, v *valve, cancel func())
		errs []error
	}{
		"room":        {func(_ *outbox, v *valve, _ func()) { v.open() }, []error{nil}},
		"the context": {func(_ *outbox, _ *valve, cancel func()) { cancel() }, []error{ErrWouldBlock, context.Canceled}},
		"the socket":  {func(o *outbox, _ *valve, _ func()) { o.stopAccepting() }, []error{ErrClosed}},
	} {
		for _, w := range []way{balanced, published, routed} {
			t.Run(fmt.Sprint(name, "/", w), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := newOutbox(t, outBehaviour{}, func(c *config) { c.sendMark = mark{messages: 1} })
					l, v := o.join()
					must(t, o.try(w, l, "first"))
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					sent := make(chan error, 1)
					go func() {
						m := Text("second")
						switch w {
						case balanced:
							sent <- o.balance(ctx, true, m)
						case published:
							sent <- o.fanOut(ctx, true, m, false, func() []*link { return o.links }, nil)
						default:
							sent <- o.route(ctx, true, func() *link { return l }, m, Block)
						}
					}()
					synctest.Wait()
					select {
					case err := <-sent:
						t.Fatalf("Send did not wait: %v", err)
					default:
					}
					c.end(o, v, cancel)
					err := <-sent
					for _, want := range c.errs {
						if !errors.Is(err, want) {
							t.Errorf("Send returned %v, want %v", err, want)
						}
					}
				})
			})
		}
	}
}

// TestOutboxIdle: who waits for the queues to drain is told when the last message is written, or given up.
func TestOutboxIdle(t *testing.T) {
	for name, end := range map[string]func(o *outbox, l *link, v *valve){
		"written":   func(_ *outbox, _ *link, v *valve) { v.open() },
		"peer lost": func(_ *outbox, l *link, v *valve) { l.endOut(errPeerClosed); v.open() },
		"closed": func(o *outbox, l *link, v *valve) {
			o.close()
			v.fail = net.ErrClosed
			v.open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutbox(t, outBehaviour{})
				l, v := o.join()
				must(t, o.try(routed, l, "message"))
				idle := make(chan error, 1)
				go func() { idle <- o.waitIdle(t.Context()) }()
				synctest.Wait()
				select {
				case err := <-idle:
					t.Fatal("the message is not written yet:", err)
				default:
				}
				end(o, l, v)
				must(t, <-idle)
			})
		})
	}
}
