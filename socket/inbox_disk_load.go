package socket

import (
	"context"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/spool"
)

// How messages get from the spool to the application, and what the spool is told of them.

var _ settler = (*diskInbox)(nil)

const (
	mostLoaded      = 256
	mostLoadedBytes = 1 << 20
	loadAgainAfter  = time.Second
)

// load runs until the socket closes, or the spool is closed.
func (d *diskInbox) load(ctx context.Context) {
	most := mostLoaded
	if mark := d.link.in.limit.messages; mark > 0 {
		most = int(min(uint64(most), mark))
	}
	for {
		for d.link.in.full.Load() {
			select {
			case <-d.room:
			case <-ctx.Done():
				return
			}
		}
		ms, err := d.cursor.Next(ctx, most, mostLoadedBytes)
		if len(ms) > 0 {
			d.push(ms)
		}
		if ctx.Err() != nil {
			return
		}
		d.fail(err)
		switch {
		case errors.Is(err, spool.ErrClosed), errors.Is(err, spool.ErrNoCursor):
			return
		case err != nil:
			select {
			case <-time.After(loadAgainAfter):
			case <-ctx.Done():
				return
			}
		}
	}
}

// push queues messages that were read.
func (d *diskInbox) push(ms []spool.Message) {
	peers := d.peersOf(ms)
	q, in := &d.app, &d.link.in
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return // it is in the spool
	}
	q.giveBack()
	d.enter() // the labels of what has left are forgotten
	for i := range ms {
		m := &ms[i]
		msg := Msg{Frames: m.Frames, From: peers[m.Origin.Stream]}
		in.queue.push(msg)
		q.ledger(d.link).load(Count{1, uint64(msg.Size())}, msg.further())
		d.labels.add(label{
			key: m.Seq, id: MessageID(m.Origin), attempts: m.Attempts, redelivered: m.Attempts > 0 || m.Seq < d.old,
			expires: m.Expires,
		}, 1, in.counts.unread.Messages)
		d.out.Add(m.Seq)
	}
	q.limit(d.link)
	q.announce(d.link, len(ms))
}

// peersOf finds out whom messages are from, of the peers that have been here.
func (d *diskInbox) peersOf(ms []spool.Message) map[spool.ID]*Peer {
	q := &d.core.in
	q.mu.Lock()
	defer q.mu.Unlock()
	peers := make(map[spool.ID]*Peer)
	for i := range ms {
		id := ms[i].Origin.Stream
		if s := q.streams[[16]byte(id)]; s != nil {
			peers[id] = s.peer
		}
	}
	return peers
}

// enter notes that what has left the queue is settled, where to be received is all that takes.
func (d *diskInbox) enter() {
	gone := d.labels.end - d.link.in.counts.unread.Messages
	if !d.app.byNumber {
		for keys := range d.labels.keys(d.entered, gone) {
			d.noteSettled(keys)
		}
	}
	d.entered = gone
}

// noteSettled has the spool be told soon that messages are settled.
func (d *diskInbox) noteSettled(keys ranges.Range) {
	d.out.RemoveRange(keys.From, keys.To)
	if i := len(d.settle) - 1; i >= 0 && d.settle[i].To == keys.From {
		d.settle[i].To = keys.To
	} else {
		d.settle = append(d.settle, spool.Range(keys))
	}
	d.arm()
}

func (d *diskInbox) arm() {
	if !d.armed && !d.app.closed {
		d.armed = true
		time.AfterFunc(ackDelay, d.flush)
	}
}

// flush tells the spool what is settled.
func (d *diskInbox) flush() {
	q := &d.app
	q.recv.Lock()
	q.mu.Lock()
	q.giveBack() // who receives next says so
	d.enter()
	settled := d.settle
	d.settle, d.armed = nil, false
	q.mu.Unlock()
	q.recv.Unlock()
	d.cursor.Settle(settled...)
}

// counted is called when a message has left the queue that is settled by that.
func (d *diskInbox) counted() { d.arm() }

func (d *diskInbox) received(seq, _ uint64) { d.noteSettled(ranges.Range{From: seq, To: seq + 1}) }

func (d *diskInbox) settled(h *handout) (then func() error) {
	d.received(h.key, h.size)
	return nil
}

// givenBack puts the message back into the spool, or among its dead letters.
func (d *diskInbox) givenBack(h *handout, delay time.Duration) (then func() error) {
	d.out.RemoveRange(h.key, h.key+1)
	var cause error
	if h.state == handoutExpired {
		cause = ErrExpired
	}
	return func() error {
		d.cursor.Return(h.key, delay, cause)
		return nil
	}
}

func (d *diskInbox) terminated(h *handout, reason string) (then func() error) {
	d.out.RemoveRange(h.key, h.key+1)
	return func() error { return d.cursor.Bury(context.Background(), h.key, reason) }
}

// sync commits that the message is settled. The sender was told when it came.
func (d *diskInbox) sync(ctx context.Context, h *handout) error {
	t := d.spool.Begin()
	t.Settle(d.cursor, spool.Range{From: h.key, To: h.key + 1})
	_, err := t.Commit(ctx)
	return err
}

func (d *diskInbox) lease() time.Duration { return max(0, d.app.ackWait) }
