package socket

import (
	"context"
	"sync"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A Receipt tells what has become of one message that SendReceipt has stored. All methods may be called by any number
// of goroutines.
type Receipt struct {
	id   MessageID
	done chan struct{}
	err  error // once done is closed
}

// ID names the message; it is that of the receiver's [Delivery].
func (r *Receipt) ID() MessageID { return r.id }

// Done is closed once it is known what has become of the message: with Err nil it was received by a peer's application
// or, where that acknowledges by itself, done with.
func (r *Receipt) Done() <-chan struct{} { return r.done }

// Err is nil until Done is closed, and after that if the message was received. It matches ErrLost if it will not be
// received, as one that has expired or is among the dead letters, and ErrClosed if the socket was closed first: then
// the message is in the spool still.
func (r *Receipt) Err() error {
	select {
	case <-r.done:
		return r.err
	default:
		return nil
	}
}

// Wait waits for Done, and returns Err, or the error of ctx if that ends first.
func (r *Receipt) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// receipts are those that somebody waits for, by number. Guarded by outbox.mu.
type receipts struct {
	waiting map[uint64]*Receipt
	pending int              // calls of SendReceipt that have not been told the number yet
	early   map[uint64]error // what became of messages meanwhile
	closed  bool
}

// settle tells what has become of messages.
func (r *receipts) settle(n numberRange, err error) {
	if r.pending > 0 {
		for number := n.From; number < n.To; number++ {
			r.early[number] = err
		}
	}
	switch {
	case len(r.waiting) == 0:
	case n.Len() < uint64(len(r.waiting)):
		for number := n.From; number < n.To; number++ {
			r.tell(number, err)
		}
	default:
		for number := range r.waiting {
			if n.Contains(number) {
				r.tell(number, err)
			}
		}
	}
}

func (r *receipts) tell(number uint64, err error) {
	if w := r.waiting[number]; w != nil {
		delete(r.waiting, number)
		w.err = err
		close(w.done)
	}
}

// abandon tells all who wait that nothing more will be known.
func (r *receipts) abandon() {
	r.closed = true
	for number := range r.waiting {
		r.tell(number, ErrClosed)
	}
}

// sendReceipt is send that tells what becomes of the message.
func (sp *spooled) sendReceipt(ctx context.Context, m Msg) (*Receipt, error) {
	o, r := sp.box, &sp.receipts
	o.mu.Lock()
	if r.pending++; r.early == nil {
		r.early, r.waiting = make(map[uint64]error), make(map[uint64]*Receipt)
	}
	o.mu.Unlock()
	over := sync.OnceFunc(func() {
		if r.pending--; r.pending == 0 {
			clear(r.early)
		}
	})
	number, err := sp.sendNumbered(ctx, true, m)
	o.mu.Lock()
	defer o.mu.Unlock()
	defer over()
	if err != nil {
		return nil, err
	}
	w := &Receipt{id: MessageID{Stream: spool.ID(sp.stream), Seq: number}, done: make(chan struct{})}
	r.waiting[number] = w
	switch err, known := r.early[number]; {
	case known:
		r.tell(number, err)
	case r.closed:
		r.tell(number, ErrClosed)
	}
	return w, nil
}

// sendReceipt is SendReceipt of the roles that send from a spool.
func (c *core) sendReceipt(ctx context.Context, m Msg) (*Receipt, error) {
	if err := c.sendable(m); err != nil {
		return nil, opError("send", err)
	}
	if c.out.spooled == nil {
		return nil, opError("send", errNoReceipts)
	}
	r, err := c.out.spooled.sendReceipt(ctx, m)
	return r, opError("send", err)
}
