package socket

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/waitlist"
)

// An inbox is a socket's way in: one queue for each link and a round over those that are not empty, so that receiving
// is fair among peers (RFC 30 and 28; libzmq fq.cpp). This file is about which links take part, and about the end.
// What they bring is queued in inbox_put.go and taken by receivers in inbox_get.go, who may have some of it in
// inbox_prefetch.go already.
type inbox struct {
	inBehaviour

	recv sync.Mutex // held by whoever takes messages out; before mu
	hand hand       // guarded by recv

	mu     sync.Mutex
	round  []*link // links with something in their queue
	next   int
	lent   *link       // whose messages are in hand
	crowd  atomic.Bool // while they are, another link has some too
	closed bool
	counts inCounts
	unread waitlist.List

	notices  *notices      // of an XPub; nil in all others
	members  atomic.Int32  // links that were admitted and have not left; changes under mu
	last     *link         // that brought messages
	since    time.Duration // when it began to be the only one that does
	standing *link         // whose goroutine stands by; see link_handoff.go
	met      bool          // a receiver waited for what was read last

	lender   *link       // the only one, if its peer may make runs; see inbox_inproc.go
	former   *link       // was the only one
	lingered uint64      // messages that had come when a receiver lingered last
	news     atomic.Bool // something was put into the queue since
	departed departed

	budget   uint64  // Limits.MaxBuffered; 0 if there is none
	parts    uint64  // bytes of messages under way
	onTheWay []*link // that have such
	starving []*link // for whom there was no room
	sampled  time.Duration
	_        [64]byte
	lazy     atomic.Bool // it may now; on a cache line that only this changes
	_        [64]byte
}

// admit lets the messages of a link in. Over inproc some may be there already; if the inbox has closed since, close
// has counted them as discarded for the socket, and they only have to be for the link.
func (q *inbox) admit(l *link) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		l.in.discardUnread(SocketClosed)
		return
	}
	l.in.ready = true
	q.holdLate(l)
	q.members.Add(1)
	q.oneLender(l)
	q.recall()
	q.announce(l, l.in.queue.n)
}

// leave ends the membership of a link that is lost. What it has brought can still be received.
func (q *inbox) leave(l *link) {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.in.ready {
		q.members.Add(-1)
		q.lender = nil
		q.lazy.Store(false)
	}
	if q.last == l { // a link that has left is not held on to
		q.last = nil
	}
	if q.former == l {
		q.former = nil
	}
	q.depart(l)
}

// leaveRound takes a link whose queue was emptied by other means than pop out of the round.
func (q *inbox) leaveRound(l *link) {
	l.in.active = false
	for i, other := range q.round {
		if other == l {
			q.round = slices.Delete(q.round, i, i+1)
			if q.next > i {
				q.next--
			}
			return
		}
	}
}

// poke makes those who wait look at ready and stop again.
func (q *inbox) poke() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unread.WakeAll()
	q.interrupt()
}

// close discards what is unread and ends all waits.
func (q *inbox) close() {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.putBack()
	q.closed = true
	q.oneLender(nil)
	q.recall()
	for _, l := range q.round {
		l.in.discardUnread(SocketClosed)
	}
	q.round = nil
	q.counts.discardAll(SocketClosed) // also of links that have not been admitted yet
	q.unread.WakeAll()
}

// discardUnread discards what a link has in its queue.
func (in *linkIn) discardUnread(why Reason) {
	in.counts.discardAll(why)
	in.queue = queue{}
	in.notices = nil
	in.active = false
}

// isClosed reports whether close was called.
func (q *inbox) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
