package socket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// WithReplies keeps the replies to requests that come from a requester's spool (see [WithSpool]) in a spool here too:
// each is on disk before it leaves, until its requester has settled the request. So a request that was answered is
// answered again, and not handed out, across a restart of the replier. One that was handed out and not answered when
// the process ended comes again, for its requester has it. Replies to other requests are not kept.
//
// Send waits for room in the spool, until ctx ends, or returns an error that matches [ErrSpoolFull], as the spool's
// Options.Overflow says; the reply can be sent again then. An error that matches [ErrPeerLost] says that the reply is
// on disk, for the requester to ask again. No more than 16,384 replies and 16 MiB are kept, the newest; they are in
// memory too. A reply is for the user of whom the request was ([Peer].User), also after a restart. The spool has to be
// open as long as the socket is, and is for this socket alone, which reads it by its cursor "": it is not that of
// [WithInbox]. A nil spool is none, which is the default.
func WithReplies(q *spool.Spool) RepOption {
	return optionForRep{setting: func(c *config) { c.replies = q }}
}

// diskReplies are kept on disk beside memory.
type diskReplies struct {
	spool  *spool.Spool
	rep    *Rep
	ending context.Context //nolint:containedctx // ends when the socket closes
	end    context.CancelCauseFunc

	opening sync.Once
	err     error
	cursor  *spool.Cursor // guarded by Rep.mu until it is there
}

func newDiskReplies(s *Rep, q *spool.Spool) *diskReplies {
	d := &diskReplies{rep: s, spool: q}
	d.ending, d.end = context.WithCancelCause(context.Background())
	return d
}

// start reads what an earlier life has left, the first time that is needed: before there are peers.
func (d *diskReplies) start() error {
	d.opening.Do(func() {
		if err := d.load(); err != nil {
			d.err = fmt.Errorf("replies: %w", err)
		}
	})
	return d.err
}

func (d *diskReplies) load() error {
	c, err := d.spool.Cursor("", spool.CursorOptions{})
	if err != nil {
		return err
	}
	if _, err := c.Claim(nil); err != nil {
		return err
	}
	for e, err := range d.spool.Browse(d.ending, 0) {
		if err != nil {
			c.Unclaim()
			return err
		}
		d.take(c, e.Message)
	}
	d.rep.mu.Lock()
	defer d.rep.mu.Unlock()
	if d.ending.Err() != nil {
		c.Unclaim()
		return ErrClosed
	}
	d.cursor = c
	return nil
}

// take keeps a reply of an earlier life. What is none does not belong here.
func (d *diskReplies) take(c *spool.Cursor, m spool.Message) {
	r := &d.rep.replies
	d.rep.mu.Lock()
	defer d.rep.mu.Unlock()
	r.settle = func(seq uint64) { c.Settle(spool.Range{From: seq, To: seq + 1}) }
	if c.Settled(m.Seq) {
		return
	}
	id, low, ok := parseKeptFor(m.Frames[0])
	if !ok || len(m.Frames) < 2 || id.number < low {
		r.settle(m.Seq)
		return
	}
	r.repeated(id, low) // those below are settled
	r.keep(id, low, m.Frames[1:], m.Seq)
}

// store puts a reply on disk.
func (d *diskReplies) store(
	ctx context.Context, wait bool, id requestID, low uint64, body [][]byte,
) (seq uint64, err error) {
	if err := d.start(); err != nil {
		return 0, err
	}
	m := Msg{Frames: append([][]byte{appendKeptFor(nil, id, low)}, body...)}
	q := diskStore{d.spool}
	seq, err = q.append(ctx, false, m, time.Time{})
	if !errors.Is(err, ErrSpoolFull) || !wait {
		return seq, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ending, func() { cancel(ErrClosed) })()
	seq, err = q.append(ctx, true, m, time.Time{})
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrClosed) {
		err = spoolFullError{err}
	}
	return seq, err
}

// appendKeptFor appends the first frame of a reply in the spool: the id of its request, and the user behind it.
func appendKeptFor(b []byte, id requestID, low uint64) []byte {
	return append(appendRequestID(b, id, low), id.user...)
}

func parseKeptFor(frame []byte) (id requestID, low uint64, ok bool) {
	if len(frame) < requestIDSize {
		return requestID{}, 0, false
	}
	id, low, ok = parseRequestID(frame[:requestIDSize])
	id.user = string(frame[requestIDSize:])
	return id, low, ok
}

// leave gives the spool free for another socket. The replies stay there.
func (d *diskReplies) leave() {
	d.end(ErrClosed)
	d.rep.mu.Lock()
	defer d.rep.mu.Unlock()
	if d.cursor != nil {
		d.cursor.Unclaim()
	}
}
