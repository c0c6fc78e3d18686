package socket

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Normally a goroutine per link reads. Waking a receiver from it costs more than the rest of a round trip, because the
// scheduler wakes another thread to look for work. So while one link of a socket is active and receivers keep up with
// its peer, whoever waits for a message reads the connection itself, and the link's goroutine is parked (leader and
// followers):
//
//   - The goroutine takes the reading back when no receiver has come for one parkTimeout or two: the connection must
//     be read, for PINGs and for its end, also while the application is busy.
//   - While a receiver reads for longer than that, no timer runs. The receiver wakes the goroutine when it leaves.
//   - Another link that is new or brings something, or a second receiver that waits, ends the hand-off at once. A
//     receiver inside a read is freed by a read deadline in the past.

// A handoff says who reads a link, and what has to pass from one reader to the next. It is guarded by core.in.mu,
// except for timer, which is the link's goroutine's.
type handoff struct {
	owner     readOwner
	sleeping  bool          // the link's goroutine waits for wake alone, without a timeout
	reclaimed bool          // the link's goroutine is to be the next owner
	cancelled bool          // the read deadline is in the past
	handoffs  uint64        // how often a receiver has become the owner
	wake      chan struct{} // wakes the link's goroutine to take the reading back
	timer     *time.Timer   // ends its sleep after a parkTimeout
	err       error         // that a receiver's read ended with; it stands
	rest      [][][]byte    // messages read and not in the queue yet

	watched <-chan struct{} // Done of the context that a receiver came with last
	unwatch func() bool     // ends the watch for its end
}

// A readOwner is who may read a link.
type readOwner uint8

const (
	readByGoroutine readOwner = iota // the link's own
	readByNobody                     // the link's goroutine is parked, and a receiver may read
	readByReceiver
)

// A handoffEvent is a step of a hand-off, for tests (inbox.onHandoff).
type handoffEvent uint8

const (
	readParked   handoffEvent = iota // the link's goroutine leaves the reading to receivers
	readAcquired                     // a receiver reads
	readReleased                     // it reads no more
	readChecked                      // the link's goroutine has looked whether receivers still come
	readResumed                      // the link's goroutine reads again
)

func (q *inbox) handoffStep(l *link, e handoffEvent) {
	if q.onHandoff != nil {
		q.onHandoff(l, e)
	}
}

// hotInterval is the time between two reads above which the link's goroutine does not park: its timeout would wake it
// about as often as the peer does.
const hotInterval = time.Millisecond

// parkTimeout is how often the goroutine of a link, while it is parked, looks whether receivers still come, and about
// how long a connection is not read once they do not. Each look wakes another thread, and round trips are slower for a
// while after it: over ipc they take 33 µs with a look every 10 ms, 30 with one every 100 ms, 28 with one every 5 s.
// So there are fewer looks in sockets where each message waits for an answer; in others a burst would meet a queue
// that seems full meanwhile.
const (
	parkTimeout             = 10 * time.Millisecond
	parkTimeoutRequestReply = 100 * time.Millisecond
)

// parkTimeout is the time between two looks: less where this side or the peer cannot bear a silence of that length.
func (l *link) parkTimeout() time.Duration {
	tick := parkTimeout
	if l.core.out.requestReply {
		tick = parkTimeoutRequestReply
	}
	if every := l.keepaliveInterval(); every > 0 {
		tick = min(tick, every/2)
	}
	if limit := l.allowed(); limit > 0 {
		tick = min(tick, limit/4)
	}
	return tick
}

var longAgo = time.Unix(1, 0)

// park leaves the reading to receivers if one had to wait for what was read last, or if there is no room for the rest
// of that. It returns when the link's goroutine owns the reading again, with what is left of the rest and the error
// that a receiver's read has ended with.
func (l *link) park(rest [][][]byte) ([][][]byte, error) {
	q, h := &l.core.in, &l.in.handoff
	now := time.Duration(l.life.read.Load())
	cold := now-l.reading.last > hotInterval
	l.reading.last = now
	q.mu.Lock()
	waited := q.receiverWaited && !cold
	q.receiverWaited = false
	if h.err != nil { // the reader is of no use any more
		q.mu.Unlock()
		return rest, h.err
	}
	if q.parked != nil || // its goroutine has been woken, and has yet to take the reading back: it clears parked then
		l.in.leaving || !waited && len(rest) == 0 || l.canceler == nil || q.mixed || q.closed || !q.isOnlySource(l, now) ||
		q.unread.Len() > 1 {
		q.mu.Unlock()
		return rest, nil
	}
	if h.wake == nil {
		h.wake, h.timer = make(chan struct{}, 1), time.NewTimer(parkTimeout)
	}
	h.owner, h.rest = readByNobody, rest
	q.parked = l
	q.handoffStep(l, readParked)
	q.unread.Wake() // who waits again already may read
	seen := h.handoffs
	q.mu.Unlock()

	l.awaitOwnership(seen)
	h.timer.Stop()
	if h.unwatch != nil {
		h.unwatch()
	}
	rest, err := h.rest, h.err
	h.owner, h.sleeping, h.reclaimed, h.rest, h.unwatch, h.watched = readByGoroutine, false, false, nil, nil, nil
	q.parked = nil
	q.handoffStep(l, readResumed)
	q.mu.Unlock()
	return rest, err
}

// noteSource notes which link has brought messages, and ends a hand-off of another. in.mu is held.
func (q *inbox) noteSource(l *link) {
	if q.activeLink != l {
		q.activeLink, q.activeSince = l, time.Duration(l.life.read.Load())
		q.revokeRead()
	}
}

// isOnlySource reports whether l is the only link or, with one message at a time, the only one that has brought any
// for a while. A stream beside other links is read by the link's goroutine: a receiver that never waits would notice
// late that they have become readable. in.mu is held.
func (q *inbox) isOnlySource(l *link, now time.Duration) bool {
	return q.members.Load() == 1 || !l.reading.stream && q.activeLink == l && now-q.activeSince >= hotInterval
}

// awaitOwnership waits until the link's goroutine is to read again, seen being the hand-offs so far, and returns with
// in.mu held.
func (l *link) awaitOwnership(seen uint64) {
	q, h := &l.core.in, &l.in.handoff
	for sleeping := false; ; {
		woken := true
		if sleeping {
			<-h.wake // a receiver that is freed unparks in any case
		} else {
			h.timer.Reset(l.parkTimeout())
			select {
			case <-h.wake:
			case <-l.gone:
			case <-h.timer.C:
				woken = false
			}
		}
		q.mu.Lock()
		q.handoffStep(l, readChecked)
		idle := h.handoffs == seen
		seen = h.handoffs
		if h.owner == readByNobody && (woken || idle) {
			return
		}
		sleeping = h.owner == readByReceiver && (woken || idle)
		h.sleeping, h.reclaimed = sleeping, h.reclaimed || woken
		if woken {
			q.cancelRead()
		}
		q.mu.Unlock()
	}
}

// acquireRead makes the caller, a receiver who found nothing, the owner of the reading of the parked link, if there is
// one. It then calls readInline. in.mu is held.
func (q *inbox) acquireRead(ctx context.Context) *link {
	l := q.parked
	if l == nil || len(q.round.links) > 0 || ctx.Err() != nil {
		return nil
	}
	h := &l.in.handoff
	if h.owner != readByNobody || h.reclaimed || l.in.full.Load() {
		return nil
	}
	q.polledInVain = false
	h.owner = readByReceiver
	h.handoffs++
	q.handoffStep(l, readAcquired)
	if done := ctx.Done(); done != h.watched { // who comes again with the same context finds it watched
		if h.unwatch != nil {
			h.unwatch()
			h.unwatch = nil
		}
		if h.watched = done; done != nil {
			h.unwatch = context.AfterFunc(ctx, func() {
				q.mu.Lock()
				defer q.mu.Unlock()
				q.cancelRead()
			})
		}
	}
	return l
}

// polled notes that a receiver has looked for messages and does not wait. Who only looks reads nothing, so the second
// in a row ends a hand-off; the first may come before a wait. in.mu is held.
func (q *inbox) polled() {
	if l := q.parked; q.polledInVain && l != nil && l.in.handoff.owner == readByNobody {
		l.in.handoff.unpark()
	}
	q.polledInVain = true
}

// readInline reads for a receiver that owns the reading until messages come, and gives the ownership up. It returns
// early when the context given to acquireRead ends or anybody calls cancelRead.
func (l *link) readInline() {
	q, h, r := &l.core.in, &l.in.handoff, &l.reading
	msgs := h.rest
	var err error
	for len(msgs) == 0 && err == nil { // commands bring no messages
		msgs, err = r.reader.Next(l)
		l.updateBallast()
		if len(msgs) == 0 {
			l.answer()
		}
		l.keepAliveRead()
		if l.throttled() { // the link's goroutine waits
			break
		}
	}
	starved := noRoom(err)
	if starved {
		err = nil
	}
	l.yield()
	r.stream = len(msgs) > 1
	n := 0
	if len(msgs) > 0 {
		n = q.put(l, msgs)
		l.answer()
		if r.superseded {
			err = ErrSuperseded
		}
	}
	if r.nextSaid && n == len(msgs) && (err == nil || errors.Is(err, zmtp.ErrPause)) {
		err = l.enterNext()
	} else if errors.Is(err, zmtp.ErrPause) {
		err = nil // it is entered behind the rest
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	h.owner = readByNobody
	q.handoffStep(l, readReleased)
	if h.cancelled {
		h.cancelled = false
		l.readAgain()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	h.rest, h.err = msgs[n:], err
	if err != nil || starved || r.throttle > 0 || h.sleeping || q.closed || r.stream && q.members.Load() > 1 ||
		q.unread.Len() > 0 {
		h.unpark()
	}
}

// unpark has the link's goroutine take the reading back.
func (h *handoff) unpark() {
	h.reclaimed = true
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// cancelRead has the receiver that reads return, to look at the inbox again. in.mu is held; CancelRead waits for
// nothing.
func (q *inbox) cancelRead() {
	if l := q.parked; l != nil && l.in.handoff.owner == readByReceiver && !l.in.handoff.cancelled {
		l.in.handoff.cancelled = true
		_ = l.canceler.CancelRead() // of a closed connection, at worst
	}
}

// revokeRead ends a hand-off. in.mu is held.
func (q *inbox) revokeRead() {
	if q.parked != nil {
		q.cancelRead()
		q.parked.in.handoff.unpark()
	}
}

// stopReceiverOf is revokeRead of a given link. in.mu is held.
func (q *inbox) stopReceiverOf(l *link) {
	if q.parked == l {
		q.revokeRead()
	}
}
