package socket

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Who reads a link is a matter of turns. As a rule it is a goroutine of the link's own. To hand what it has read to a
// receiver that waits costs more than all the rest, for the scheduler wakes another thread to look for work. So while
// only one link of a socket brings messages, briskly, and receivers are faster than its peer, whoever waits for a
// message reads the connection itself, and the link's goroutine stands by:
//
//   - It takes the turn back when no receiver has come for a standTick or two: the connection must be read, for PINGs
//     and for its end, also while the application is busy.
//   - While a receiver waits for longer than that, nothing ticks. The receiver tells the goroutine when it leaves.
//   - Another link that is new or brings something, or a second receiver that waits, ends it at once. A receiver
//     inside a read is freed by a read deadline in the past.
//
// A turn is guarded by core.in.mu, but for reader, which belongs to whoever has the turn, and tick.
type turn struct {
	reader *zmtp.Reader
	holder holder
	lends  uint64        // how often receivers have had the turn
	last   time.Duration // when the link's goroutine read the time before
	yields time.Duration // when the reader last waited, or let others run
	stream bool          // the last read brought several messages
	deep   bool          // the link's goroutine sleeps until it is told
	wanted bool          // it is to have the turn next
	told   chan struct{} // tells it to take the turn back
	tick   *time.Timer   // of the link's goroutine
	cut    bool          // the read deadline is in the past
	err    error         // that a receiver met; it stands
	rest   [][][]byte    // read, and not in the queue yet

	// Of whoever has the turn, like reader.
	pinged   bool          // PINGs have come that were not answered yet
	ttl      time.Duration // of the last of them
	pongs    []byte        // the answers
	useless  uint64        // commands that came since throttle looked last, but those that a publisher needs
	allowed  time.Duration // up to when what was useless is paid for; see link_throttle.go
	throttle time.Duration // nothing is to be read before that
	named    bool          // there was a Throttled event

	done <-chan struct{} // of the context that a receiver came with last
	stop func() bool     // ends the watch for it
}

// A holder is who has the turn.
type holder uint8

const (
	linkReads   holder = iota // the link's goroutine
	nobodyReads               // it stands by, and a receiver may read
	receiverReads
)

// brisk is the time between two reads above which the link's goroutine does not stand by: it would be woken by its
// tick about as often as by the peer.
const brisk = time.Millisecond

// standTick is how often a link's goroutine that stands by looks whether receivers still come, and about how long a
// connection is not read once they do not. Each look wakes another thread, and round trips are slower for a while
// after it: over ipc they take 33 µs with a look every 10 ms, 30 with one every 100 ms, 28 with one every 5 s. So
// there are fewer where each message waits for an answer; in other sockets a burst would meet a queue that seems full
// meanwhile.
const (
	standTick     = 10 * time.Millisecond
	lockstepStand = 100 * time.Millisecond
)

// standTick is the time between two looks, less where somebody cannot bear a silence of that length.
func (l *link) standTick() time.Duration {
	tick := standTick
	if l.core.out.requestReply {
		tick = lockstepStand
	}
	if every := l.signEvery(); every > 0 {
		tick = min(tick, every/2)
	}
	if limit := l.allowed(); limit > 0 {
		tick = min(tick, limit/4)
	}
	return tick
}

var longAgo = time.Unix(1, 0)

// standBy leaves the reading to receivers if one had to wait for what was read last, or if there is no room for the
// rest of that. It returns when the turn is the link's own again, with what is left of the rest and the error that a
// receiver met.
func (l *link) standBy(rest [][][]byte) ([][][]byte, error) {
	q, t := &l.core.in, &l.in.turn
	now := time.Duration(l.life.read.Load())
	lone := now-t.last > brisk
	t.last = now
	q.mu.Lock()
	met := q.met && !lone
	q.met = false
	if t.err != nil { // the reader is of no use any more
		q.mu.Unlock()
		return rest, t.err
	}
	if !met && len(rest) == 0 || l.try == nil || q.mixed || q.closed || !q.alone(l, now) || q.unread.Len() > 1 {
		q.mu.Unlock()
		return rest, nil
	}
	if t.told == nil {
		t.told, t.tick = make(chan struct{}, 1), time.NewTimer(standTick)
	}
	t.holder, t.rest = nobodyReads, rest
	q.standing = l
	q.unread.Wake() // who waits again already may read
	seen := t.lends
	q.mu.Unlock()

	l.await(seen)
	t.tick.Stop()
	if t.stop != nil {
		t.stop()
	}
	rest, err := t.rest, t.err
	t.holder, t.deep, t.wanted, t.rest, t.stop, t.done = linkReads, false, false, nil, nil, nil
	q.standing = nil
	q.mu.Unlock()
	return rest, err
}

// brought notes that a link has brought messages, in front of everybody or over inproc. in.mu is held.
func (q *inbox) brought(l *link) {
	if q.last != l {
		q.last, q.since = l, time.Duration(l.life.read.Load())
		q.recall()
	}
}

// alone reports whether l is the only link or, with one message at a time, the only one that has brought any for a
// while. A stream beside other links is read by the link's goroutine: a receiver that never waits would make it late
// that they have become readable. in.mu is held.
func (q *inbox) alone(l *link, now time.Duration) bool {
	return q.members.Load() == 1 || !l.in.turn.stream && q.last == l && now-q.since >= brisk
}

// await waits until the link's goroutine is to have the turn, seen being the lends so far, and returns with in.mu held.
func (l *link) await(seen uint64) {
	q, t := &l.core.in, &l.in.turn
	for deep := false; ; {
		told := true
		if deep {
			<-t.told // a receiver that is freed tells in any case
		} else {
			t.tick.Reset(l.standTick())
			select {
			case <-t.told:
			case <-l.gone:
			case <-t.tick.C:
				told = false
			}
		}
		q.mu.Lock()
		idle := t.lends == seen
		seen = t.lends
		if t.holder == nobodyReads && (told || idle) {
			return
		}
		deep = t.holder == receiverReads && (told || idle)
		t.deep, t.wanted = deep, t.wanted || told
		if told {
			q.interrupt()
		}
		q.mu.Unlock()
	}
}

// takeTurn gives the caller, who found nothing to receive, the turn to read, if there is one to have. in.mu is held.
func (q *inbox) takeTurn(ctx context.Context) *link {
	l := q.standing
	if l == nil || len(q.round) > 0 || ctx.Err() != nil {
		return nil
	}
	t := &l.in.turn
	if t.holder != nobodyReads || t.wanted || l.in.full.Load() {
		return nil
	}
	t.holder = receiverReads
	t.lends++
	if done := ctx.Done(); done != t.done { // who comes again with the same context finds it watched
		if t.stop != nil {
			t.stop()
			t.stop = nil
		}
		if t.done = done; done != nil {
			t.stop = context.AfterFunc(ctx, func() {
				q.mu.Lock()
				defer q.mu.Unlock()
				q.interrupt()
			})
		}
	}
	return l
}

// readOnce reads for a receiver that has the turn until messages come, and gives the turn back. It returns early when
// ctx of takeTurn ends or anybody calls interrupt.
func (l *link) readOnce() {
	q, t := &l.core.in, &l.in.turn
	msgs := t.rest
	var err error
	for len(msgs) == 0 && err == nil { // commands bring no messages
		msgs, err = t.reader.Next(l)
		if len(msgs) == 0 {
			l.answer()
		}
		l.sign()
		if l.throttled() { // the link's goroutine waits
			break
		}
	}
	starved := noRoom(err)
	if starved {
		err = nil
	}
	l.yield()
	t.stream = len(msgs) > 1
	n := 0
	if len(msgs) > 0 {
		n = q.put(l, msgs)
		l.answer()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	t.holder = nobodyReads
	if t.cut {
		t.cut = false
		_ = l.conn.SetReadDeadline(time.Time{}) // of a closed connection, at worst
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	t.rest, t.err = msgs[n:], err
	if err != nil || starved || t.throttle > 0 || t.deep || q.closed || t.stream && q.members.Load() > 1 ||
		q.unread.Len() > 0 {
		t.tell()
	}
}

// tell has the link's goroutine take the turn back.
func (t *turn) tell() {
	t.wanted = true
	select {
	case t.told <- struct{}{}:
	default:
	}
}

// interrupt frees the receiver that reads, to look at the inbox again. in.mu is held; to set a deadline waits for
// nothing.
func (q *inbox) interrupt() {
	if l := q.standing; l != nil && l.in.turn.holder == receiverReads && !l.in.turn.cut {
		l.in.turn.cut = true
		_ = l.conn.SetReadDeadline(longAgo) // of a closed connection, at worst
	}
}

// recall ends the time in which receivers read. in.mu is held.
func (q *inbox) recall() {
	if q.standing != nil {
		q.interrupt()
		q.standing.in.turn.tell()
	}
}
