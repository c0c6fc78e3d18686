package socket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A Taker tells what an application has noted of the messages it has done with, by their [MessageID]: of a stream all
// below floor, and the ranges above. A stream that it knows nothing of has neither. It is called once for each stream
// that a peer opens, by any goroutine; while it returns an error the peer is refused and tries again.
type Taker interface {
	Taken(stream spool.ID) (floor uint64, above []spool.Range, err error)
}

// taken is the spool that keeps what was taken of streams; nil if there is none.
func (c *config) taken() *spool.Spool {
	if c.inbox != nil {
		return c.inbox
	}
	return c.takenIn
}

// named reports whether the socket is the same receiver by whatever endpoint, and in its next life.
func (c *config) named() bool { return c.receiverName != "" || c.taken() != nil }

// receiverID is by what peers know this socket.
func (c *config) receiverID() endID {
	switch {
	case c.receiverName != "":
		return receiverID(c.receiverName)
	case c.taken() != nil:
		return endID(c.taken().ID())
	}
	return newEndID()
}

// remembered is what an earlier life of the receiver has taken of a stream; nil for nothing.
func (c *core) remembered(id reliable.ID) (*reliable.Memory, error) {
	var m reliable.Memory
	switch q, t := c.cfg.taken(), c.cfg.taker; {
	case q != nil:
		floor, above, known := q.Taken(spool.ID(id))
		if !known {
			return nil, nil
		}
		from, _ := q.Heard(spool.ID(id))
		m.Epoch, m.Nonce, m.Settled = from.Epoch, from.Nonce, settledSet(floor, above)
	case t != nil && !c.in.knows(id):
		floor, above, err := t.Taken(spool.ID(id))
		if err != nil {
			return nil, fmt.Errorf("what was taken of stream %v: %w", spool.ID(id), err)
		}
		if floor <= 1 && len(above) == 0 {
			return nil, nil
		}
		m.Settled = settledSet(floor, above)
	default:
		return nil, nil
	}
	return &m, nil
}

func settledSet(floor uint64, above []spool.Range) ranges.Set {
	set := ranges.From(floor)
	for _, r := range above {
		set.AddRange(r.From, r.To)
	}
	return set
}

// A takenNotes has the spool of WithTakenIn note what was taken, before it is acknowledged.
type takenNotes struct {
	in    *inbox
	spool *spool.Spool
	kick  chan struct{}
	turn  chan struct{} // held by whoever commits

	begin sync.Once
	err   error // why it could not begin
	stop  context.CancelFunc

	streams []*stream // that have something to be noted; guarded by in.mu
}

// A note is a message that is settled once that is on disk.
type note struct{ number, size uint64 }

func newTakenNotes(c *core) *takenNotes {
	return &takenNotes{in: &c.in, spool: c.cfg.takenIn, kick: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
}

// start begins to note, once.
func (t *takenNotes) start(c *core) error {
	t.begin.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closing {
			t.err = ErrClosed
			return
		}
		ctx, cancel := context.WithCancel(context.Background())
		t.stop = cancel
		c.wg.Go(func() { t.run(ctx) })
		c.wg.Go(func() { c.forget(ctx) })
	})
	return t.err
}

// end notes what is left. The socket is closing.
func (t *takenNotes) end() {
	t.begin.Do(func() { t.err = ErrClosed })
	if t.stop == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), halfCloseTimeout)
	defer cancel()
	_ = t.commit(ctx) // what is not noted comes again
	t.stop()
}

func (t *takenNotes) run(ctx context.Context) {
	for {
		select {
		case <-t.kick:
		case <-ctx.Done():
			return
		}
		for t.commit(ctx) != nil && ctx.Err() == nil {
			select {
			case <-time.After(keepAgainAfter):
			case <-ctx.Done():
			}
		}
	}
}

// add has a message be noted. in.mu is held.
func (t *takenNotes) add(s *stream, n note) {
	if len(s.notes) == 0 {
		t.streams = append(t.streams, s)
	}
	s.notes = append(s.notes, n)
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

// commit notes all that is to be noted, and settles it.
func (t *takenNotes) commit(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-t.turn }()
	t.in.mu.Lock()
	streams := t.streams
	t.streams = nil
	t.in.mu.Unlock()
	errs := make([]error, len(streams))
	var all sync.WaitGroup
	for i, s := range streams {
		all.Go(func() { errs[i] = t.commitOf(ctx, s) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (t *takenNotes) commitOf(ctx context.Context, s *stream) error {
	t.in.mu.Lock()
	notes, from, low := s.notes, s.from, s.low
	t.in.mu.Unlock()
	ms := make([]spool.Message, len(notes))
	for i, n := range notes {
		ms[i].Origin.Seq = n.number
	}
	err := t.spool.Take(ctx, from, low, ms, false)
	t.in.mu.Lock()
	defer t.in.mu.Unlock()
	if err == nil {
		for _, n := range notes {
			s.receiver.SettleNumber(t.in.env.now(), n.number, n.size)
		}
		s.notes = s.notes[len(notes):]
		s.tell(true)
	}
	if len(s.notes) > 0 { // again, or what came meanwhile
		t.streams = append(t.streams, s)
		select {
		case t.kick <- struct{}{}:
		default:
		}
	}
	return err
}
