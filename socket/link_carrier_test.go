package socket

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
)

// A carried is one end of a link whose queue has room for four messages, and the peer's hand on the other.
type carried struct {
	*link
	take func(n int) []string // has the peer take the next n messages
	end  func()               // the peer takes nothing any more
	next int
}

// carriers are the two ways to a peer, of which the tests below expect the same.
var carriers = map[string]func(t *testing.T) *carried{
	"wire": func(t *testing.T) *carried {
		o := newOutbox(t, outBehaviour{keeps: true}, func(c *config) { c.sendMark = mark{messages: 4} })
		l, v := o.join()
		taken := 0
		return &carried{link: l, take: func(n int) (got []string) {
			for ; len(v.bodies()) < taken+n; synctest.Wait() {
				v.let <- struct{}{}
			}
			got = v.bodies()[taken:]
			taken += len(got)
			return got
		}, end: func() {
			v.fail = errPeerClosed
			v.let <- struct{}{}
			synctest.Wait()
		}}
	},
	"inproc": func(t *testing.T) *carried {
		push, pull := NewPush(WithSendHWM(2)), NewPull(WithRecvHWM(2)) // the queue between them has both
		links := handshakeBetween(t, push, pull)
		push.role.joined(links[0])
		pull.role.joined(links[1])
		t.Cleanup(func() {
			push.out.check(t, "at the end")
			links[0].conn.Close()
			must(t, push.Close())
			must(t, pull.Close())
		})
		return &carried{link: links[0], take: func(n int) (got []string) {
			for range n {
				m, err := pull.in.get(t.Context(), false, nil)
				must(t, err)
				got = append(got, string(m.Frames[0]))
			}
			return got
		}, end: pull.in.close}
	},
}

func eachCarrier(t *testing.T, test func(t *testing.T, c *carried)) {
	for name, open := range carriers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

// offer offers up to n numbered messages, one after the other, and returns how many were taken.
func (c *carried) offer(n int) (taken int) {
	for ; taken < n; taken++ {
		o := c.out.box
		o.mu.Lock()
		m := outgoing{frames: Text(fmt.Sprint(c.next)).Frames, size: 1}
		ok, _ := o.put(c.link, &m, false)
		o.mu.Unlock()
		if !ok {
			break
		}
		c.next++
		synctest.Wait() // the writer, if there is one, has begun with what there is
	}
	return taken
}

func (c *carried) isOpen() bool {
	c.out.box.mu.Lock()
	defer c.out.box.mu.Unlock()
	return c.carrier.open()
}

func fromTo(from, to int) (s []string) {
	for ; from < to; from++ {
		s = append(s, fmt.Sprint(from))
	}
	return s
}

// TestCarrierTakesUntilFull: a carrier takes as many messages as the marks allow, in order, says whether it would take
// another, and does so again once the queue is down to half, not sooner.
func TestCarrierTakesUntilFull(t *testing.T) {
	eachCarrier(t, func(t *testing.T, c *carried) {
		if n := c.offer(3); n != 3 || !c.isOpen() {
			t.Fatalf("took %d of 3 messages; open: %t", n, c.isOpen())
		}
		if n := c.offer(3); n != 1 || c.isOpen() {
			t.Fatalf("took %d more, with room for one; open: %t", n, c.isOpen())
		}
		if got := c.take(1); !slices.Equal(got, fromTo(0, 1)) || c.isOpen() {
			t.Fatalf("the peer took %q; open with three left: %t", got, c.isOpen())
		}
		if got := c.take(3); !slices.Equal(got, fromTo(1, 4)) || !c.isOpen() {
			t.Fatalf("the peer took %q; open with none left: %t", got, c.isOpen())
		}
		if n := c.offer(1); n != 1 {
			t.Fatal("takes nothing though it is open")
		}
		if got := c.take(1); !slices.Equal(got, fromTo(4, 5)) {
			t.Fatalf("the peer took %q", got)
		}
	})
}

// TestCarrierMakesRoom: of a queue that is full the oldest message that has not begun to leave makes room for another,
// which is in the queue behind the rest.
func TestCarrierMakesRoom(t *testing.T) {
	eachCarrier(t, func(t *testing.T, c *carried) {
		c.offer(4)
		o := c.out.box
		o.mu.Lock()
		made, queued := c.carrier.makeRoom(), c.carrier.queued()
		o.mu.Unlock()
		if !made || queued != 3 {
			t.Fatalf("made room: %t, with %d left", made, queued)
		}
		if c.offer(1) != 1 {
			t.Fatal("the room is not used")
		}
		got := c.take(4)
		want := slices.DeleteFunc(fromTo(0, 5), func(s string) bool { return !slices.Contains(got, s) })
		if len(got) != 4 || !slices.Equal(got, want) || got[3] != "4" {
			t.Fatalf("the peer took %q", got)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if c.carrier.makeRoom() {
			t.Fatal("made room in an empty queue")
		}
	})
}

// TestCarrierGivesBack: once a peer takes nothing any more each message is delivered or comes back, in order, and the
// ledger says which.
func TestCarrierGivesBack(t *testing.T) {
	eachCarrier(t, func(t *testing.T, c *carried) {
		c.offer(3)
		c.take(1)
		c.end()
		o := c.out.box
		o.mu.Lock()
		<-o.remove(c.link)
		n := int(c.out.counts.delivered.Messages)
		var back []string
		for o.backlog.n > 0 {
			m := o.backlog.pop()
			back = append(back, string(m.Frames[0]))
			o.ledger(nil).drop(PeerGone, m.count())
		}
		queued := c.out.counts.queued
		o.mu.Unlock()
		if !slices.Equal(back, fromTo(n, 3)) || len(back) < 2 {
			t.Fatalf("%d of 3 messages are delivered, and %q come back", n, back)
		}
		if queued != (Count{}) {
			t.Errorf("%v is still queued", queued)
		}
		if c.offer(1) != 0 || c.isOpen() {
			t.Error("takes more")
		}
		o.check(t, "after the end")
	})
}
