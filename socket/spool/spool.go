package spool

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A Spool keeps messages in a directory. All its methods may be called by any number of goroutines.
type Spool struct {
	dir  string
	opts Options
	fs   FS
	env  env
	lock io.Closer

	mu         sync.Mutex // guards what follows; never held during I/O
	st         *state
	segs       []*segment // ascending; the last one is written to
	handles    map[uint16]*Cursor
	queue      []*request
	queued     int       // bytes in queue
	owedSince  time.Time // of what is to be written and does not ask for a commit; zero: nothing is
	owed       owed
	flying     int // commits under way that carry what was owed
	used       int64
	unlinked   []*segment // out of segs, still on disk
	full       error      // why there is no room; nil: there is, as far as is known
	fullUntil  time.Time  // when to look again
	stuck      error      // why the last commit was not made; nil: it was
	mayExpire  bool       // some message may have a time to expire
	lastTry    bool       // at Close
	lastCommit time.Time
	asyncErr   error // of commits that nobody waited for
	closing    bool
	ended      bool
	moved      chan struct{} // closed when something has changed that somebody waits for
	stats      counters
	burying    []burial
	looked     int  // commits since it was looked whether what is dead takes too much room
	lookedAt   int  // and how many segments there were
	compact    bool // what is dead takes too much room
	turns      turns

	making   sync.Mutex // of cursors
	removing sync.Mutex // of files

	kick   chan struct{} // to the committer
	chore  chan struct{} // to the janitor
	events eventQueue
	work   sync.WaitGroup

	// The committer's own.
	newest  *segment
	header  ID     // in every segment
	written uint64 // the next seq to be written: what is below has been, or never will be
	safe    uint64 // the seqs below are on disk as given: none of them is given again, whatever happens
	begun   uint64 // the highest number of a checkpoint ever tried
	spare   bool
	buf     []byte
}

// owed is what changed in memory and is to be on disk.
type owed struct {
	settled  map[uint16][]ranges.Range // by cursor
	attempts map[attemptKey]bool
	void     []voided
}

type voided struct {
	ranges.Range
	damaged bool
}

func (o *owed) empty() bool { return len(o.settled) == 0 && len(o.attempts) == 0 && len(o.void) == 0 }

// ID is the stream's name: a message is identified by it and its seq.
func (s *Spool) ID() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.id
}

// Dir is the directory.
func (s *Spool) Dir() string { return s.dir }

// Incarnation tells a number that is higher each time the spool is opened, and one that only this time has: a receiver
// that sees one epoch with two nonces is looking at copies. Mostly an epoch is the one before plus 1; behind damage,
// which may hide epochs, it is higher.
func (s *Spool) Incarnation() (epoch, nonce uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.st.epoch, s.st.nonce
}

// Append stores a message: when it returns nil, the message is on disk and synced (see Options.SyncEvery for the
// exception), under the seq it returns. The Spool takes the frames over. Without room it does what Options.Overflow
// says; ctx bounds that wait, not a commit that is under way.
//
// Errors: ErrFull, ErrUncertain (with the seq that it has if it is on disk), ErrTooLarge, ErrClosed, the context's
// own.
func (s *Spool) Append(ctx context.Context, m Message) (seq uint64, err error) {
	return s.append(ctx, m, s.opts.Overflow == Reject)
}

// TryAppend is Append that returns ErrFull instead of waiting for room.
func (s *Spool) TryAppend(m Message) (seq uint64, err error) {
	return s.append(context.Background(), m, true)
}

func (s *Spool) append(ctx context.Context, m Message, try bool) (seq uint64, err error) {
	r := s.newRequest(forMessages)
	r.try = try
	r.later = s.opts.SyncEvery > 0
	r.message(&m)
	if err := s.submit(ctx, r); err != nil {
		if errors.Is(err, ErrUncertain) {
			seq = r.first
		}
		return seq, s.wrap("append to", err)
	}
	return r.first, nil
}

// Sync returns when all that was appended before is on disk and synced; where that has to wait for room, so does Sync,
// until ctx ends. Its error is also that of what was appended since the last Sync, when nobody waited for it.
func (s *Spool) Sync(ctx context.Context) error {
	r := s.newRequest(forState)
	r.urgent, r.behind = true, true
	err := s.submit(ctx, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err, s.asyncErr = s.asyncErr, nil
	}
	return s.wrap("sync", err)
}

// flush commits what is owed.
func (s *Spool) flush(ctx context.Context) error {
	r := s.newRequest(forState)
	r.urgent = true
	return s.submit(ctx, r)
}

// Close writes what was settled and not yet written, and gives the directory back. Calls that wait return ErrClosed. It
// never waits for room. Its error says that something could not be written: what was settled may come again.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		s.work.Wait()
		return nil
	}
	s.closing = true
	s.move()
	s.mu.Unlock()
	s.wake(s.kick)
	s.work.Wait()
	s.releaseGone()
	s.mu.Lock()
	for _, seg := range append(s.segs, s.unlinked...) {
		seg.readers = 0
		seg.shut()
	}
	err := s.asyncErr
	s.mu.Unlock()
	s.events.close()
	if e := s.lock.Close(); err == nil {
		err = e
	}
	return s.wrap("close", err)
}

// wake makes one more round of a goroutine certain.
func (s *Spool) wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// move tells those who wait that something has changed. The caller holds the lock.
func (s *Spool) move() {
	if s.env.takesTurns() {
		s.turns.unmoved = true
		s.wake(s.kick)
		return
	}
	s.moveNow()
}

func (s *Spool) moveNow() {
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// change returns a channel that is closed at the next change. The caller holds the lock.
func (s *Spool) change() <-chan struct{} {
	if s.moved == nil {
		s.moved = make(chan struct{})
	}
	return s.moved
}
