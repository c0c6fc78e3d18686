package socket

import (
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What has come of a stream and was received is acknowledged: at the latest ackDelay after it was, earlier if much is
// owed, and ahead of messages that go the other way.

const ackDelay = reliable.DefaultAckDelay

// alongDelay takes ackDelay's place where acknowledgements leave along with messages that go the other way: the timer
// then finds nothing to do, and each time it looks it wakes a thread, which makes round trips slower for a while.
const alongDelay = 100 * time.Millisecond

// counted is called when a message has left the queue: if nobody looks after the acknowledgement, the timer does.
func (s *stream) counted() {
	if !s.armed {
		s.arm()
	} else if !s.hurried && s.closeToWindow() {
		s.hurried = true
		s.in.env.schedule(s.owner, 0)
	}
}

// arm has the timer look after the acknowledgement.
func (s *stream) arm() {
	if s.joined() {
		delay := ackDelay
		if s.along {
			delay = alongDelay
		}
		s.armed, s.along = true, false
		s.in.env.schedule(s.owner, delay)
	}
}

// owes is what has been received and the receiver does not know of.
func (s *stream) owes() Count {
	h := s.holding()
	if h == nil {
		return Count{}
	}
	return h.in.counts.received.minus(h.in.counts.unread).minus(s.entered)
}

func (s *stream) closeToWindow() bool {
	n := s.owes()
	return n.Messages >= s.hurry.Messages || n.Bytes >= s.hurry.Bytes
}

// settle tells the receiver what has been received. It reports whether an acknowledgement is due.
func (s *stream) settle(now time.Duration) (due bool) {
	n := s.owes()
	if n.Messages == 0 || s.closed || s.in.byNumber {
		return false
	}
	s.entered = s.entered.plus(n)
	return s.receiver.Settle(now, n.Messages, n.Bytes)
}

// acknowledge adds to b what is to be said over the link of what was received.
func (q *inbox) acknowledge(l *link, b []byte) []byte {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	s := l.in.stream
	if s.owner != l || !s.joined() {
		return b
	}
	if q.prefetch.link == l {
		q.giveBack() // who receives next says so
	}
	s.armed, s.hurried = false, false
	b, _ = s.say(b)
	return b
}

// say adds to b what is to be said of what was received, and reports whether there is anything.
func (s *stream) say(b []byte) (_ []byte, any bool) {
	s.settle(s.in.env.now())
	any = len(s.said) > 0
	b = append(b, s.said...)
	s.said = s.said[:0]
	if a, due := s.receiver.Acknowledge(); due {
		return zmtp.AppendAck(b, a.Upto, toWire(a.Ranges)...), true
	}
	return b, any
}

// ackAlong has what is to be acknowledged go ahead of messages that are about to be written, where both sides send
// reliably. It is left to the timer while somebody takes messages out. core.out.mu is held.
func (s *session) ackAlong(l *link) {
	o := &l.out
	if o.open.empty() || l.in.stream == nil { // a link without messages may not have joined
		return
	}
	now := o.box.env.now()
	if s.unsaid++; s.unsaid < alongEvery && now-s.saidAt < time.Millisecond {
		return
	}
	q := &l.core.in
	if !q.recv.TryLock() {
		return
	}
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	from := l.in.stream
	if from.owner != l || !from.joined() || q.prefetch.link == l {
		return
	}
	s.unsaid, s.saidAt = 0, now
	var said bool
	o.control, said = from.say(o.control)
	from.along = from.along || said
}

// alongEvery is how many writes in a row go without an acknowledgement where they follow fast on each other.
const alongEvery = 16

// payAcks acknowledges what has been received over a link. It is called by whoever comes first: the reader, once much
// is owed, or the heartbeat timer. What is said goes out in the order in which it was found, by one lock for both: an
// acknowledgement that overtakes a NAK takes in the message that was given back.
func (l *link) payAcks() {
	if l.in.stream == nil {
		return
	}
	overfull := false
	l.sendCommand(func(b []byte) []byte {
		b = l.core.in.acknowledge(l, b)
		overfull = len(b) > maxSaid
		return b
	})
	if overfull {
		l.failLater(ErrSlow)
	}
}

// maxSaid is how many bytes of what it is told a peer may leave untaken.
const maxSaid = 4 << 20
