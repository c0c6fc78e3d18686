package socket

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/waitlist"
)

// An inbox is a socket's way in: one queue for each link and a round over those that are not empty, so that receiving
// is fair among peers (RFC 30 and 28; libzmq fq.cpp). What receivers take next may be in inbox_prefetch.go.
type inbox struct {
	inBehaviour
	recv sync.Mutex // held by whoever takes messages out; before mu
	hand hand       // guarded by recv

	mu      sync.Mutex
	round   []*link // links with something in their queue
	next    int
	lent    *link       // whose messages are in hand
	crowd   atomic.Bool // while they are, another link has some too
	closed  bool
	counts  inCounts
	further uint64 // frames in unread messages beyond the first of each
	unread  waitlist.List

	notices  *notices      // of an XPub; nil in all others
	members  atomic.Int32  // links that were admitted and have not left; changes under mu
	last     *link         // that brought messages
	since    time.Duration // when it began to be the only one that does
	standing *link         // whose goroutine stands by; see link_handoff.go
	met      bool          // a receiver waited for what was read last

	lender   *link       // the only one, if its peer may make runs; see link_inproc_batch.go
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
	l.in.gone = true
	q.depart(l)
}

// discardUnread discards what a link has in its queue.
func (in *linkIn) discardUnread(why Reason) {
	in.counts.discarded.add(why, in.counts.unread)
	in.counts.unread, in.further = Count{}, 0
	in.queue = queue{}
	in.notices = nil
	in.active = false
}

// put queues what one read has brought, up to the link's high-water mark, and wakes at most as many receivers as it has
// messages for. It returns how many it took.
func (q *inbox) put(l *link, msgs [][][]byte) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		for _, frames := range msgs {
			q.lose(l, SocketClosed, Msg{Frames: frames}.Size())
		}
		return len(msgs)
	}
	for i, frames := range msgs {
		if l.in.full.Load() {
			q.announce(l, i)
			return i
		}
		q.push(l, Msg{Frames: frames, From: l.peer})
	}
	q.announce(l, len(msgs))
	return len(msgs)
}

// putAll queues what was read from a link that has ended, whatever the high-water mark: it is one read at most.
func (q *inbox) putAll(l *link, msgs [][][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		for _, frames := range msgs {
			q.lose(l, SocketClosed, Msg{Frames: frames}.Size())
		}
		return
	}
	for _, frames := range msgs {
		q.push(l, Msg{Frames: frames, From: l.peer})
	}
	q.announce(l, len(msgs))
}

// isClosed reports whether close was called.
func (q *inbox) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// push queues one message.
func (q *inbox) push(l *link, m Msg) {
	in := &l.in
	if cfg := &l.core.cfg; cfg.latest || cfg.leastOutstanding {
		for cfg.latest && in.queue.n > 0 {
			q.dropOldest(l, Replaced)
		}
		l.answered(1)
	}
	size := m.Size()
	in.queue.push(m)
	in.counts.received.add(size)
	in.counts.unread.add(size)
	q.counts.received.add(size)
	q.counts.unread.add(size)
	if len(m.Frames) > 1 {
		q.moreFrames(l, m.further())
	}
	q.limit(l)
}

// pushAll queues the messages of a run, n altogether, with further frames beyond the first of each.
func (q *inbox) pushAll(l *link, msgs []Msg, n Count, further uint64) {
	l.in.queue.pushAll(msgs)
	for _, c := range []*inCounts{&l.in.counts, &q.counts} {
		c.received = c.received.plus(n)
		c.unread = c.unread.plus(n)
	}
	q.moreFrames(l, further)
	q.limit(l)
}

// limit closes a link's queue that has come to its high-water mark.
func (q *inbox) limit(l *link) {
	in := &l.in
	if in.limit.reached(in.load()) && !l.core.cfg.latest {
		in.full.Store(true) // first: who takes from the hand now sees it and looks again
		if q.recv.TryLock() {
			q.settle()
			in.full.Store(in.held() || in.limit.reached(in.load()))
			q.recv.Unlock()
		}
	}
}

// announce puts a link with n new messages in the round.
func (q *inbox) announce(l *link, n int) {
	if !l.in.ready {
		return
	}
	if n > 0 {
		q.spend(l)
		q.brought(l)
		if q.lender != nil {
			q.news.Store(true)
		}
	}
	if n > 0 && !l.in.active {
		l.in.active = true
		q.round = append(q.round, l)
		if q.lent != nil && q.lent != l {
			q.crowd.Store(true)
		}
	}
	for ; n > 0 && q.unread.Len() > 0; n-- {
		q.unread.Wake()
		q.met = true
	}
}

// get returns the next message. With wait it blocks until there is one, ctx ends or the
// socket closes.
func (q *inbox) get(ctx context.Context, wait bool) (Msg, error) {
	for {
		q.recv.Lock()
		if m, ok := q.fromHand(); ok {
			return m, nil
		}
		q.mu.Lock()
		q.putBack()
		for len(q.round) > 0 && (q.ready == nil || q.ready()) {
			m, l, opened, why := q.pop()
			if why == "" {
				q.borrow()
			} else if !opened {
				continue
			}
			q.mu.Unlock()
			q.recv.Unlock()
			if opened {
				l.resume()
			}
			if why == "" {
				return m, nil
			}
			q.recv.Lock()
			q.mu.Lock()
			q.putBack()
		}
		if wait && q.lender != nil && ctx.Err() == nil {
			if l := q.mayLinger(); l != nil {
				q.mu.Unlock()
				q.recv.Unlock()
				q.linger(l)
				continue
			}
		}
		err := q.stopped()
		if err == nil {
			if l := q.dry(); l != nil {
				q.mu.Unlock()
				q.recv.Unlock()
				l.fetch()
				continue
			}
		}
		if err == nil && !wait {
			err = ErrWouldBlock
		}
		if err != nil {
			q.mu.Unlock()
			q.recv.Unlock()
			return Msg{}, err
		}
		if l := q.takeTurn(ctx); l != nil {
			q.mu.Unlock()
			q.recv.Unlock()
			l.readOnce()
			continue
		}
		w := q.unread.Join()
		q.mu.Unlock()
		q.recv.Unlock()
		err = w.Wait(ctx)
		q.mu.Lock()
		q.unread.Leave(w, err)
		q.mu.Unlock()
		if err != nil {
			return Msg{}, err
		}
	}
}

func (q *inbox) stopped() error {
	switch {
	case q.closed:
		return ErrClosed
	case q.stop != nil:
		return q.stop()
	}
	return nil
}

// pop takes one message from the link whose turn it is. opened says that the link's queue, which was full, is down to
// half.
func (q *inbox) pop() (m Msg, l *link, opened bool, why Reason) {
	if q.next >= len(q.round) {
		q.next = 0
	}
	l = q.round[q.next]
	in := &l.in
	if n := in.notices; n != nil && n.head != nil {
		m, why = q.notices.take(n)
	} else {
		m = in.queue.pop()
	}
	size := m.Size()
	if in.empty() {
		in.active = false
		q.round = slices.Delete(q.round, q.next, q.next+1)
	} else {
		q.next++
	}
	in.counts.unread.sub(size)
	q.counts.unread.sub(size)
	if len(m.Frames) > 1 {
		q.lessFrames(l, m.further())
	}
	q.lowered(l)
	if q.filter != nil {
		m, why = q.filter(l, m)
	}
	if why == "" {
		in.counts.handed.add(size)
		q.counts.handed.add(size)
	} else {
		q.discard(l, why, Count{1, uint64(size)})
	}
	return m, l, q.reopen(l), why
}

// reopen reports whether the link's queue, which was full, is down to half now.
func (q *inbox) reopen(l *link) bool {
	if !l.in.full.Load() || l.in.held() || !l.in.limit.cleared(l.in.load()) {
		return false
	}
	l.in.full.Store(false)
	return true
}

func (q *inbox) discard(l *link, why Reason, n Count) {
	l.in.counts.discarded.add(why, n)
	q.counts.discarded.add(why, n)
	if why == BadEnvelope || why == StaleReply || why == NotExpected {
		l.useless.Add(useless(n.Messages, int(n.Bytes)))
	}
}

// dropOldest discards the oldest message of a link.
func (q *inbox) dropOldest(l *link, why Reason) {
	in := &l.in
	m := in.queue.pop()
	n := Count{1, uint64(m.Size())}
	q.lessFrames(l, m.further())
	in.counts.unread = in.counts.unread.minus(n)
	q.counts.unread = q.counts.unread.minus(n)
	q.discard(l, why, n)
	q.lowered(l)
	in.full.Store(in.held())
	if in.empty() {
		q.leaveRound(l)
	}
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

// reject counts a message that is not even queued.
func (q *inbox) reject(l *link, why Reason, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lose(l, why, size)
}

func (q *inbox) lose(l *link, why Reason, size int) { q.loseAll(l, why, Count{1, uint64(size)}) }

func (q *inbox) loseAll(l *link, why Reason, n Count) {
	l.in.counts.received = l.in.counts.received.plus(n)
	q.counts.received = q.counts.received.plus(n)
	q.discard(l, why, n)
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
	q.counts.discarded.add(SocketClosed, q.counts.unread) // also of links that have not been admitted yet
	q.counts.unread, q.further = Count{}, 0
	q.unread.WakeAll()
}
