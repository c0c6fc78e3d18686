package pubsub

import (
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// A conn is one connection to a publisher, as far as events of groups come by it. Who reads the line tells it what has
// come, those who run handlers what was done; what it says upstream can come too late, when somebody else is connected:
// then the number says that it is not meant.
type conn struct {
	line *line

	mu     sync.Mutex
	number uint64 // what the publisher calls the connection; 0 until it has said so
	lease  time.Duration
	acks   acks
	unsaid int  // settled since the last word
	unsure bool // whether the last word has arrived
}

// enough is how many events are settled before that is said, while there are others to be had.
const enough = 16

// remindEvery is how often what was said last is said again, in case it was lost: once.
const remindEvery = time.Second

// came notes an event of a group, and asks for those before it that were dropped on the way. It returns false for one
// that has come before.
func (c *conn) came(h *patterns.Head) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.acks.last
	if !c.acks.came(h.Delivery, h.Window) {
		return false
	}
	if h.Delivery != last+1 {
		c.askAgain(0)
	}
	return true
}

// missed asks for what was dropped, of so many that were sent.
func (c *conn) missed(deliveries uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if deliveries > c.acks.last {
		c.askAgain(deliveries)
	}
}

// askAgain asks for what was dropped. mu is held.
func (c *conn) askAgain(top uint64) {
	if holes := c.acks.holes(top); len(holes) > 0 {
		c.say(&patterns.Head{Kind: patterns.KindNack, List: holes, NotBegun: true})
	}
}

// settle notes that an event is done with.
func (c *conn) settle(u uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.acks.settle(u) {
		return
	}
	if c.unsaid++; c.unsaid >= enough {
		c.tell()
	}
}

// refuse gives an event back, to come again after a while, or never.
func (c *conn) refuse(u uint64, kind patterns.Kind, after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acks.drop(u) {
		c.say(&patterns.Head{Kind: kind, List: []uint64{u}, Left: after})
	}
}

func (c *conn) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acks.atHand) == 0
}

// flush says what was settled and not said yet.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsaid > 0 {
		c.tell()
	}
}

// remind says the last word again, if nothing was said since.
func (c *conn) remind() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unsaid > 0 || c.unsure {
		c.tell()
		c.unsure = false
		c.askAgain(0)
	}
}

// renew says that what is at hand is being worked on.
func (c *conn) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.acks.atHand) > 0 {
		c.say(&patterns.Head{Kind: patterns.KindInProgress})
	}
}

// tell says all that is settled. mu is held.
func (c *conn) tell() {
	c.say(&patterns.Head{Kind: patterns.KindAck, Seq: c.acks.floor, List: c.acks.spans()})
	c.unsaid, c.unsure = 0, true
}

// say sends something upstream. What there is no room for is lost, and said again. mu is held.
func (c *conn) say(h *patterns.Head) {
	if h.Window = c.number; h.Window == 0 {
		return
	}
	_ = c.line.sock.TrySend(socket.NewMsg(h.AppendTo(nil)))
}

// settle notes that the application has done with an event.
func (s *subscriber) settle(p *parcel) {
	if p.number == 0 {
		return
	}
	p.giver.settle(p.number)
	s.unsaid = append(s.unsaid, p.giver)
}

// flush says what was settled, before the application waits.
func (s *subscriber) flush() {
	for i, c := range s.unsaid {
		if !slices.Contains(s.unsaid[:i], c) {
			c.flush()
		}
	}
	clear(s.unsaid)
	s.unsaid = s.unsaid[:0]
}

// remind says to publishers what may have been lost, and, while Handle runs, that there is work going on.
func (s *subscriber) remind() {
	t := time.NewTicker(remindEvery)
	defer t.Stop()
	renewed := time.Now()
	for {
		select {
		case <-s.done:
			return
		case <-t.C:
		}
		s.mu.Lock()
		var conns []*conn
		for _, l := range s.lines {
			if c := l.conn.Load(); c != nil {
				conns = append(conns, c)
			}
		}
		s.mu.Unlock()
		renewing := s.handling.Load()
		for _, c := range conns {
			c.remind()
			if renewing && time.Since(renewed) >= c.third() {
				c.renew()
			}
		}
		if renewing && len(conns) > 0 && time.Since(renewed) >= conns[0].third() {
			renewed = time.Now()
		}
	}
}

// third is a third of the lease.
func (c *conn) third() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.lease/3, remindEvery)
}
