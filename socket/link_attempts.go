package socket

import (
	"fmt"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// A message that makes peers end the connection while it is being written, because it is over their limit or crashes
// them, would be sent to one peer after the other for ever, and nothing behind it would get through. So attempts to
// deliver a message are counted, and after WithMaxAttempts the message is dropped. An attempt is one of which bytes
// were written when the peer ended the connection, and one after which a reliable peer has given the message back or
// was lost: messages behind one that was begun are sent again as often as it takes.

// tries is what is known of a message beside what it says: of earlier deliveries, and until when it is worth something.
type tries struct {
	n       int       // how many were begun
	seen    bool      // an application may have got the message; NEXT says so
	asked   int       // how often whoever sends it had sent it before, as another message
	expires time.Time // zero for never
}

// next is what NEXT says of such a message.
func (t *tries) next() reliable.Next {
	return reliable.Next{Attempts: uint16(min(t.n+t.asked, 1<<16-1)), Redelivered: t.seen}
}

// attempts has an entry for messages in a queue whose delivery was begun before, in the order of the queue. As a rule
// there is none.
type attempts []attempt

// An attempt is count messages in a row of which the same is known, behind so many others.
type attempt struct {
	ahead, count int
	tries
}

// add notes what is known of count messages behind ahead others, at the end of the queue.
func (a *attempts) add(ahead, count int, t tries) {
	if t == (tries{}) || count == 0 {
		return
	}
	if i := len(*a) - 1; i >= 0 && (*a)[i].ahead+(*a)[i].count == ahead && (*a)[i].tries == t {
		(*a)[i].count += count
		return
	}
	*a = append(*a, attempt{ahead, count, t})
}

// take notes that the first n messages have left the queue.
func (a *attempts) take(n int) { a.remove(0, n) }

// remove notes that n messages behind ahead others were taken out of the queue.
func (a *attempts) remove(ahead, n int) {
	left := (*a)[:0]
	for _, m := range *a {
		m.count -= max(0, min(m.ahead+m.count, ahead+n)-max(m.ahead, ahead))
		if m.ahead > ahead {
			m.ahead = max(ahead, m.ahead-n)
		}
		if m.count > 0 {
			left = append(left, m)
		}
	}
	*a = left
}

// at is what is known of the message behind ahead others.
func (a attempts) at(ahead int) tries {
	for _, m := range a {
		if m.ahead <= ahead && ahead < m.ahead+m.count {
			return m.tries
		}
	}
	return tries{}
}

// first is what is known of the first message in the queue.
func (a attempts) first() tries { return a.at(0) }

// setFirst notes what is known of the first message in the queue.
func (a *attempts) setFirst(t tries) {
	if len(*a) > 0 && (*a)[0].ahead == 0 {
		(*a)[0].ahead++
		if (*a)[0].count--; (*a)[0].count == 0 {
			*a = (*a)[1:]
		}
	}
	*a = slices.Insert(*a, 0, attempt{0, 1, t})
}

// unshift notes that n messages were put in front, of which front is known.
func (a *attempts) unshift(n int, front attempts) {
	all := slices.Clone(front)
	for _, m := range *a {
		m.ahead += n
		all = append(all, m)
	}
	*a = all
}

// begun notes that the first of the unsent messages was begun when the link was lost, and drops it if that was once too
// often. It returns the messages that are left. core.out.mu is held.
func (l *link) begun(unsent []Msg) []Msg {
	cause := l.out.cause
	most := l.out.box.env.cfg.attempts()
	if most <= 0 || !byPeer(cause) {
		return unsent
	}
	t := l.out.attempts.first()
	if t.n++; t.n < most {
		l.out.attempts.setFirst(t)
		return unsent
	}
	l.out.attempts.take(1)
	m := unsent[0]
	size := m.Size()
	l.dropped(Undeliverable, Count{1, uint64(size)})
	err := fmt.Errorf("%w: a message of %d bytes was begun %d times, and each time the peer ended the connection, "+
		"the last time with: %w", ErrUndeliverable, size, t.n, cause)
	l.out.box.env.events.add(Event{
		Kind: Undelivered, Endpoint: l.ep.name, Peer: l.peer, Reason: Undeliverable, Count: 1, Err: err,
	})
	if l.out.box.abandoned != nil {
		l.out.box.abandoned(m, &PeerError{Op: "send to", Endpoint: l.ep.name, Peer: l.peer, Err: err})
	}
	return unsent[1:]
}
