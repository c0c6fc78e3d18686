package socket

import (
	"fmt"
	"slices"
)

// A message that makes peers end the connection while it is being written, because it is over their limit or crashes
// them, would be sent to one peer after the other for ever, and nothing behind it would get through. So attempts to
// send a message are counted, and after WithMaxAttempts the message is dropped. Only a message of which bytes were
// written has had an attempt: those behind it are sent again as often as it takes.

// attempts has an entry for each message in a queue that was begun before, in the order of the queue. As a rule there
// is none.
type attempts []attempt

// An attempt is a message that was begun n times and has so many others ahead of it in the queue.
type attempt struct{ ahead, n int }

// add notes that the message behind ahead others was begun n times.
func (a *attempts) add(ahead, n int) {
	if n > 0 {
		*a = append(*a, attempt{ahead, n})
	}
}

// take notes that the first n messages have left the queue.
func (a *attempts) take(n int) {
	if len(*a) == 0 {
		return
	}
	left := (*a)[:0]
	for _, m := range *a {
		if m.ahead >= n {
			left = append(left, attempt{m.ahead - n, m.n})
		}
	}
	*a = left
}

// first is how often the first message in the queue was begun.
func (a attempts) first() int {
	if len(a) > 0 && a[0].ahead == 0 {
		return a[0].n
	}
	return 0
}

// unshift notes that n messages were put in front, begun as often as front says.
func (a *attempts) unshift(n int, front attempts) {
	all := slices.Clone(front)
	for _, m := range *a {
		all = append(all, attempt{m.ahead + n, m.n})
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
	n := l.out.attempts.first() + 1
	if n < most {
		if l.out.attempts.first() > 0 {
			l.out.attempts[0].n = n
		} else {
			l.out.attempts = slices.Insert(l.out.attempts, 0, attempt{0, n})
		}
		return unsent
	}
	l.out.attempts.take(1)
	m := unsent[0]
	size := m.Size()
	l.dropped(Undeliverable, Count{1, uint64(size)})
	err := fmt.Errorf("%w: a message of %d bytes was begun %d times, and each time the peer ended the connection, "+
		"the last time with: %w", ErrUndeliverable, size, n, cause)
	l.out.box.env.events.add(Event{
		Kind: Undelivered, Endpoint: l.ep.name, Peer: l.peer, Reason: Undeliverable, Count: 1, Err: err,
	})
	if l.out.box.abandoned != nil {
		l.out.box.abandoned(m, &PeerError{Op: "send to", Endpoint: l.ep.name, Peer: l.peer, Err: err})
	}
	return unsent[1:]
}
