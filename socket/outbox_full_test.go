package socket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// TestOutboxNothingToDrop: under DropOldest what has begun to leave is not dropped, so that the new message is.
func TestOutboxNothingToDrop(t *testing.T) {
	for _, w := range []way{balanced, published, routed} {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutbox(t, outBehaviour{}, DropOldest.option(), func(c *config) { c.sendMark = mark{messages: 1} })
				l, v := o.join()
				must(t, o.try(w, l, "first"))
				synctest.Wait() // it is being written
				must(t, o.try(w, l, "new"))
				o.check(t, "with one dropped")
				if o.counts.dropped[QueueFull] != (Count{1, 3}) {
					t.Errorf("dropped: %v", o.counts.dropped)
				}
				v.open()
				synctest.Wait()
				if got := strings.Join(v.bodies(), " "); got != "first" {
					t.Errorf("the peer got %q", got)
				}
			})
		})
	}
}

// TestOutboxFullBacklog: what becomes of a message when as many as may wait for a first peer do already.
func TestOutboxFullBacklog(t *testing.T) {
	for _, c := range []struct {
		policy Overflow
		err    error
		want   string // what the first peer gets
	}{
		{Block, ErrNoPeers, "0123456789"},
		{Reject, ErrNoPeers, "0123456789"},
		{DropNewest, nil, "0123456789"},
		{DropOldest, nil, "123456789N"},
		{Conflate, nil, "N"},
		{Disconnect, ErrNoPeers, "0123456789"},
	} {
		t.Run(c.policy.name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOutbox(t, outBehaviour{keeps: true}, mark10, c.policy.option())
				o.connecting = 1
				for i := range 10 {
					must(t, o.try(balanced, nil, fmt.Sprint(i)))
				}
				if err := o.try(balanced, nil, "N"); !errors.Is(err, c.err) {
					t.Fatalf("Send returns %v, want %v", err, c.err)
				}
				o.check(t, "with a full backlog")
				_, v := o.join()
				v.open()
				synctest.Wait()
				if got := strings.Join(v.bodies(), ""); got != c.want {
					t.Errorf("the first peer got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestOutboxRejectsRatherThanWaits: of two full subscribers one has Send wait and the other refuses. Send does not wait
// for the one, for it would have to refuse afterwards; and nobody gets the message.
func TestOutboxRejectsRatherThanWaits(t *testing.T) {
	for _, policies := range [][2]Overflow{{Block, Reject}, {Reject, Block}} {
		synctest.Test(t, func(t *testing.T) {
			o := newOutbox(t, outBehaviour{}, func(c *config) { c.sendMark = mark{messages: 1} })
			for _, p := range policies {
				l, _ := o.join()
				l.out.overflow = p
			}
			must(t, o.try(published, nil, "first"))
			to := func() []*link { return o.links }
			kept := func() { t.Error("the message counts as accepted") }
			if err := o.fanOut(t.Context(), true, Text("second"), false, to, kept); !errors.Is(err, errRejected) {
				t.Errorf("%v: Send returned %v", policies, err)
			}
			if o.counts.accepted != (Count{2, 10}) {
				t.Errorf("%v are accepted", o.counts.accepted)
			}
		})
	}
}

// TestOutboxTellsOfDrops: a peer whose queue is full is named when a message finds it so, and how many did is told when
// there is room again.
func TestOutboxTellsOfDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(t, outBehaviour{}, DropNewest.option(), func(c *config) { c.sendMark = mark{messages: 1} })
		_, v := o.join()
		for i := range 4 {
			must(t, o.try(published, nil, fmt.Sprint(i)))
		}
		told := func() (all []string) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for ev := range o.env.events.all(ctx) {
				all = append(all, fmt.Sprint(ev.Kind, " ", ev.Count))
			}
			return all
		}
		if got := fmt.Sprint(told()); got != fmt.Sprint([]string{fmt.Sprint(SlowPeer, " 0")}) {
			t.Errorf("while the queue is full: %s", got)
		}
		v.open()
		synctest.Wait()
		if got := fmt.Sprint(told()); got != fmt.Sprint([]string{fmt.Sprint(SlowPeer, " 0"), fmt.Sprint(Dropped, " 3")}) {
			t.Errorf("once there is room: %s", got)
		}
	})
}
