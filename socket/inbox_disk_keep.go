package socket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/waitlist"
	"github.com/yodel-mq/yodel/socket/spool"
)

// How messages get from the links into the spool: those of each link in batches, those of several links side by side,
// so that they share commits. They stay in their link's queue until the commit is through, which is why a commit that
// fails is only tried again: meanwhile the queues fill, and the peers feel it.

// arrivals are messages at the front of a link's queue, all of which are kept, or left out for one reason.
type arrivals struct {
	link    *link
	stream  *stream // nil of a peer that acknowledges nothing
	from    spool.Sender
	low     uint64
	ms      []spool.Message
	why     Reason // "" for those that are kept
	count   Count
	further uint64
	err     error // of its commit
}

const (
	mostArrivals     = 1024
	mostArrivalBytes = 1 << 20
	keepAgainAfter   = 100 * time.Millisecond
)

// keep runs until the socket closes, or the spool is closed.
func (d *diskInbox) keep(ctx context.Context) {
	q := &d.core.in
	most := mostArrivals
	for {
		batches, w := d.gather(most)
		if w != nil {
			err := w.Wait(ctx)
			q.mu.Lock()
			q.unread.Leave(w, err)
			q.mu.Unlock()
			if err != nil {
				return
			}
			continue
		}
		switch err := d.commitAll(ctx, batches); {
		case err == nil:
			most = min(2*most, mostArrivals)
			continue
		case ctx.Err() != nil || errors.Is(err, spool.ErrClosed):
			return
		case errors.Is(err, spool.ErrTooLarge) && most > 1: // for one commit, maybe not for several
			most /= 2
			continue
		case errors.Is(err, spool.ErrTooLarge):
			d.leaveOut(batches)
			continue
		}
		select {
		case <-time.After(keepAgainAfter):
		case <-ctx.Done():
			return
		}
	}
}

// gather looks what has come, up to so many messages of each link. If nothing has it returns what to wait for.
func (d *diskInbox) gather(most int) (batches []*arrivals, w *waitlist.Waiter) {
	q := &d.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.round.links {
		if b := d.arrivalsOf(l, most); b != nil {
			batches = append(batches, b)
		}
	}
	if len(batches) == 0 {
		w = q.unread.Join()
	}
	return batches, w
}

func (d *diskInbox) arrivalsOf(l *link, most int) *arrivals {
	in := &l.in
	b := &arrivals{link: l}
	if in.labels != nil {
		b.stream, _ = in.labels.by.(*stream)
	}
	if b.stream != nil {
		b.from, b.low = b.stream.from, b.stream.low
	}
	for m := range in.queue.all() {
		var of label
		if in.labels != nil {
			of = in.labels.front(in.counts.unread.Messages - b.count.Messages)
		}
		kept, why := m, Reason("")
		switch {
		case b.stream != nil && of.key < b.low: // it went elsewhere
			why = Duplicate
		case of.expired():
			why = Expired
		case d.store != nil:
			kept, why = d.store(l, m)
		}
		if len(b.ms) == 0 {
			b.why = why
		} else if why != b.why {
			break
		}
		if of.redelivered {
			of.attempts = max(of.attempts, 1)
		}
		b.ms = append(b.ms, spool.Message{
			Frames: kept.Frames, Expires: of.expires, Attempts: of.attempts,
			Origin: spool.Origin{Stream: of.id.Stream, Seq: of.id.Seq},
		})
		b.count.add(m.Size())
		b.further += m.further()
		if len(b.ms) == most || b.count.Bytes >= mostArrivalBytes {
			break
		}
	}
	if len(b.ms) == 0 {
		return nil
	}
	return b
}

// commitAll keeps batches, and acknowledges those that are kept. Its error is that of any that is not.
func (d *diskInbox) commitAll(ctx context.Context, batches []*arrivals) (err error) {
	if len(batches) == 1 {
		batches[0].err = d.commit(ctx, batches[0])
		return batches[0].err
	}
	var all sync.WaitGroup
	for _, b := range batches {
		all.Go(func() { b.err = d.commit(ctx, b) })
	}
	all.Wait()
	for _, b := range batches {
		err = errors.Join(err, b.err)
	}
	return err
}

func (d *diskInbox) commit(ctx context.Context, b *arrivals) error {
	var err error
	switch {
	case b.stream != nil:
		err = d.spool.Take(ctx, b.from, b.low, b.ms, b.why == "")
	case b.why == "":
		t := d.spool.Begin()
		for _, m := range b.ms {
			_ = t.Append(m) // Commit has the error
		}
		_, err = t.Commit(ctx)
	}
	if err == nil {
		d.taken(b)
	}
	return err
}

// leaveOut gives up what the spool can never keep: single messages that are too large for it.
func (d *diskInbox) leaveOut(batches []*arrivals) {
	for _, b := range batches {
		if errors.Is(b.err, spool.ErrTooLarge) {
			b.why = TooLarge
			d.taken(b)
		}
	}
}

// taken takes messages off their queue that are on disk now, or are to be on none, and acknowledges them.
func (d *diskInbox) taken(b *arrivals) {
	q := &d.core.in
	q.mu.Lock()
	if q.closed { // which has discarded them: they will come again, and be known
		q.mu.Unlock()
		return
	}
	l := b.link // which may have left meanwhile, or its stream moved on
	var owner *link
	if b.stream != nil {
		l = b.stream.holding()
		if b.stream.joined() {
			owner = b.stream.owner
		}
	} else if l.in.orphan != nil {
		l = l.in.orphan
	}
	in := &l.in
	for range b.ms {
		in.queue.pop()
	}
	if in.empty() {
		q.leaveRound(l)
	}
	if b.why == "" {
		q.ledger(l).store(b.count, b.further)
	} else {
		q.discard(l, b.why, b.count, b.further)
	}
	q.queueShrank(l)
	reopened := q.reopen(l)
	q.mu.Unlock()
	if reopened {
		l.carrier.resume()
	}
	if owner != nil {
		owner.payAcks()
	}
}
