package socket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// A spooled is the part of a socket whose messages go by way of a store. Send returns once the store has the message;
// a feeder takes it from there to a link (spool_feeder.go), and it is settled in the store once the peer has
// acknowledged it (spool_settle.go). A link holds the encoded message until it is written, and from then on its number:
// what has to be sent again is read again.
type spooled struct {
	box       *outbox
	store     store
	exclusive bool                // for one receiver at a time, whoever that is
	onGone    func()              // is told that the cursor is gone
	onSettled func(r numberRange) // is told what a receiver has acknowledged; nil for nobody
	onLoss    func(l loss)        // is told what the store has lost; nil for nobody
	only      func() []assignment // which cursors there are, and what is for each

	sending context.Context //nolint:containedctx // ends when no more messages are accepted
	shut    context.CancelCauseFunc
	feeding context.Context //nolint:containedctx // ends when the socket closes
	stop    context.CancelCauseFunc

	opening sync.Once
	err     error // why it cannot be used

	stream       reliable.ID
	epoch, nonce uint64
	numberLink   func() reliable.Link // in place of links
	links        uint64               // the number of the last link; see reliable.SenderConfig.Links

	// Guarded by outbox.mu.
	feeders   []*feeder                // one for each cursor, or none before it is opened
	found     uint64                   // the number of the first message that this life of the store has got
	running   bool                     // the feeders are
	stopped   bool                     // nothing more is fed
	forgotten bool                     // the ledger has nothing of it any more
	recovered Count                    // of messages that were found in the store; see Ledger
	onDisk    Count                    // on no link; see Ledger.Spooled
	entered   ranges.Set               // messages that the ledger has
	out       ranges.Set               // messages that are on a link or wait for an acknowledgement
	done      ranges.Set               // messages that the ledger has as delivered or dropped
	begun     uint64                   // messages with numbers below may have been sent, and have come back since
	confirmed ranges.Set               // of those out, settled by what another receiver said
	lostOut   []loss                   // of those out, lost by the store
	lossy     Reason                   // the last reason for which something was lost
	receivers map[reliable.ID]struct{} // that have had something
	receipts  receipts
}

// An assignment is one cursor's part of the messages: all of it for the receiver with the name, or for any.
type assignment struct {
	cursor   string
	receiver string
	only     func(number uint64, m Msg) bool
}

// A loss is messages that the store has lost.
type loss struct {
	numberRange
	why Reason
}

func newSpooled(box *outbox, s store, only func() []assignment) *spooled {
	sp := &spooled{box: box, store: s, only: only}
	sp.sending, sp.shut = context.WithCancelCause(context.Background())
	sp.feeding, sp.stop = context.WithCancelCause(context.Background())
	return sp
}

// open takes the store for this socket, the first time that is needed.
func (sp *spooled) open() error {
	sp.opening.Do(func() { sp.err = sp.claim() })
	return sp.err
}

func (sp *spooled) claim() error {
	found := sp.store.next()
	stream, epoch, nonce := sp.store.incarnation()
	var feeders []*feeder
	var links uint64
	for _, a := range sp.only() {
		f := &feeder{of: sp, assignment: a, wake: make(chan struct{}, 1)}
		c, nth, err := sp.store.cursor(a.cursor, a.only, f.lost)
		if err != nil {
			for _, f := range feeders {
				f.cur.leave()
			}
			return err
		}
		f.cur = c
		f.notes.restore(c.kept(), found)
		feeders = append(feeders, f)
		links = max(links, nth<<40)
	}
	sp.box.mu.Lock()
	defer sp.box.mu.Unlock()
	if sp.stopped {
		for _, f := range feeders {
			f.cur.leave()
		}
		return ErrClosed
	}
	sp.stream, sp.epoch, sp.nonce, sp.links = stream, epoch, nonce, links
	sp.found, sp.feeders = found, feeders
	return nil
}

// run starts the feeders, once.
func (sp *spooled) run() {
	o := sp.box
	o.mu.Lock()
	defer o.mu.Unlock()
	if sp.running || sp.stopped {
		return
	}
	sp.running = true
	for _, f := range sp.feeders {
		o.env.writers.Go(f.run)
	}
}

// send stores a message, and returns once that is safe.
func (sp *spooled) send(ctx context.Context, wait bool, m Msg) error {
	_, err := sp.sendNumbered(ctx, wait, m)
	return err
}

func (sp *spooled) sendNumbered(ctx context.Context, wait bool, m Msg) (number uint64, err error) {
	if err := sp.open(); err != nil {
		return 0, err
	}
	number, err = putStored(ctx, sp.sending, sp.store, wait, m)
	if err != nil {
		return number, err
	}
	sp.accepted(number, m.Size())
	return number, nil
}

// putStored stores a message of a socket that accepts messages as long as sending has not ended.
func putStored(ctx, sending context.Context, s store, wait bool, m Msg) (number uint64, err error) {
	if sending.Err() != nil {
		return 0, ErrClosed
	}
	number, err = s.append(ctx, false, m, time.Time{})
	if errors.Is(err, ErrSpoolFull) && wait {
		number, err = waitStored(ctx, sending, s, m)
	}
	return number, err
}

// waitStored stores a message for which there may be no room, which ends with ctx or the socket.
func waitStored(ctx, sending context.Context, s store, m Msg) (number uint64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(sending, func() { cancel(ErrClosed) })()
	number, err = s.append(ctx, true, m, time.Time{})
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrClosed) {
		err = spoolFullError{err}
	}
	return number, err
}

// accepted enters a message that Send has stored. It may have been read, and even settled, meanwhile.
func (sp *spooled) accepted(number uint64, size int) {
	sp.box.mu.Lock()
	defer sp.box.mu.Unlock()
	sp.enterStored(number, size)
}

func (sp *spooled) enterStored(number uint64, size int) {
	n := Count{1, uint64(size)}
	if sp.entered.Contains(number) {
		sp.sentAfterAll(n)
		return
	}
	sp.entered.Add(number)
	sp.enterSent(n)
}

// enter sees that the ledger has a message that is read for the first time, which may have been stored by others.
func (sp *spooled) enter(number uint64, n Count) {
	if !sp.entered.Contains(number) {
		sp.entered.Add(number)
		sp.recover(n)
	}
}

// unread is what the store has and the ledger does not: it was stored by others, or in an earlier life.
func (sp *spooled) unread() (n Count) {
	known := sp.onDisk
	all := sp.lag()
	for _, r := range sp.out.Above() {
		known.Messages += r.Len()
	}
	if all.Messages > known.Messages {
		n = Count{all.Messages - known.Messages, all.Bytes / all.Messages * (all.Messages - known.Messages)}
	}
	return n
}

// lag is what is not settled. With several cursors it is what the one has to do that is furthest behind.
func (sp *spooled) lag() (n Count) {
	for _, f := range sp.feeders {
		if l := f.cur.lag(); l.Messages > n.Messages {
			n = l
		}
	}
	return n
}

// idle reports whether all is settled.
func (sp *spooled) idle() bool { return sp.lag().Messages == 0 }

// end stops the feeders.
func (sp *spooled) end() {
	sp.box.mu.Lock()
	sp.stopped = true
	sp.box.mu.Unlock()
	sp.stop(ErrClosed)
}

// leave gives the store free for another socket, once nothing is on a link any more.
func (sp *spooled) leave() {
	sp.box.mu.Lock()
	defer sp.box.mu.Unlock()
	for _, f := range sp.feeders {
		for _, r := range sp.out.Above() {
			f.cur.release(r)
		}
		f.cur.leave()
	}
	sp.receipts.abandon()
}

// nextLink numbers the links of the stream.
func (sp *spooled) nextLink() reliable.Link {
	if sp.numberLink != nil {
		return sp.numberLink()
	}
	sp.links++
	return reliable.Link(sp.links)
}

// place says what OPEN has to say of the stream.
func (sp *spooled) place() (low, next uint64) {
	low, next = sp.feeders[0].cur.low(), max(sp.found, sp.begun, sp.out.End(), sp.done.End())
	for _, f := range sp.feeders[1:] {
		low = min(low, f.cur.low())
	}
	return low, max(low, next)
}

// retryEvery is how long a feeder waits that cannot read.
const retryEvery = time.Second

// fill adds what the ledger does not have to an account of the socket.
func (sp *spooled) fill(l *Ledger) {
	n := sp.unread()
	l.Recovered, l.Spooled = sp.recovered.plus(n), sp.onDisk.plus(n)
}

// untilNow is how long a message is still worth something.
func untilNow(expires time.Time) time.Duration { return time.Until(expires) }

// ready sees that the socket can be used.
func (c *core) ready() error {
	if err := c.cfg.valid(); err != nil {
		return err
	}
	if ds := c.out.durables; ds != nil {
		if err := ds.open(); err != nil {
			return err
		}
	}
	if sp := c.out.spooled; sp != nil {
		if err := sp.open(); err != nil {
			return err
		}
		sp.run()
	}
	if r := c.requests; r != nil {
		if err := r.begin(); err != nil {
			return err
		}
		r.run()
	}
	if c.diskReplies != nil {
		if err := c.diskReplies.start(); err != nil {
			return err
		}
	}
	return c.startStorage()
}
