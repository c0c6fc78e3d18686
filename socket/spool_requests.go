package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// requests are those of a Req with a store. A request is stored before it goes out, and settled once its reply has been
// returned to the application: until then it goes out again whenever the connection is lost by which it was sent, and
// in the next life of the requester. Links have no part in that: to them a request is a message like any other.
//
// Three goroutines run from the first Bind or Connect until the socket closes: read takes what an earlier life has left
// from the store, send gives requests to links, receive takes replies from the inbox.
type requests struct {
	req   *Req
	store store

	sending context.Context //nolint:containedctx // ends when no more requests are accepted
	shut    context.CancelCauseFunc
	feeding context.Context //nolint:containedctx // ends when the socket closes
	stop    context.CancelCauseFunc

	opening sync.Once
	err     error // why it cannot be used
	stream  reliable.ID
	found   uint64 // the number of the first request of this life

	// Guarded by Req.mu.
	cur       cursor // nil before it is opened
	running   bool
	stopped   bool
	changed   chan struct{}       // closed, and made anew, whenever something is different
	open      map[uint64]*request // all that are in hand
	due       []*request          // to be sent
	answered  []*request          // for which nobody waits but Pending
	current   *request            // the one that Recv is to return the reply to
	asking    bool                // a Send is storing one
	done      ranges.Set          // settled in this life, or lost
	resent    Count               // of those that were found in the store, what the outbox has accepted
	delivered Count               // answered, and not sent in this life
	dropped   reasons             // ended before they were sent
	ownEnded  Count               // the part of delivered and dropped that Send has stored
}

// A request is one that waits for its reply.
type request struct {
	number  uint64
	frames  [][]byte
	expires time.Time // zero: never
	own     bool      // Send of this life has stored it
	caller  bool      // a call waits for the reply, or is to come
	isDue   bool
	given   bool            // the outbox has accepted it
	to      *link           // that has it; nil while it waits for one
	sent    int             // how often it went to a link that was lost
	ctx     context.Context //nolint:containedctx // ends when it need not be sent any more
	cancel  context.CancelFunc

	answered bool
	reply    Msg
	err      error // why there will be no reply
}

// size is that of what is sent.
func (q *request) size() int { return Msg{Frames: q.frames}.Size() + requestIDSize }

func (q *request) over() bool { return q.answered || q.err != nil }

// requestWindow is how many requests that no call waits for are in hand at a time, answered or not.
const requestWindow = 256

func newRequests(s *Req, st store) *requests {
	r := &requests{req: s, store: st, changed: make(chan struct{}), open: make(map[uint64]*request)}
	r.sending, r.shut = context.WithCancelCause(context.Background())
	r.feeding, r.stop = context.WithCancelCause(context.Background())
	return r
}

// begin takes the store for this socket, the first time that is needed.
func (r *requests) begin() error {
	r.opening.Do(func() {
		r.found = r.store.next()
		r.stream, _, _ = r.store.incarnation()
		cur, _, err := r.store.cursor("", nil, r.lost)
		if err != nil {
			r.err = err
			return
		}
		r.req.mu.Lock()
		defer r.req.mu.Unlock()
		if r.stopped {
			cur.leave()
			r.err = ErrClosed
			return
		}
		r.cur = cur
	})
	return r.err
}

// run starts the goroutines, once.
func (r *requests) run() {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	if r.running || r.stopped {
		return
	}
	r.running = true
	r.req.wg.Go(r.read)
	r.req.wg.Go(r.send)
	r.req.wg.Go(r.receive)
}

// end stops the goroutines.
func (r *requests) end() {
	r.req.mu.Lock()
	r.stopped = true
	r.change()
	r.req.mu.Unlock()
	r.stop(ErrClosed)
}

// leave gives the store free for another socket.
func (r *requests) leave() {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	if r.cur == nil {
		return
	}
	for number := range r.open {
		r.cur.release(only(number))
	}
	r.cur.leave()
}

// change wakes all who wait for something to be different; mu is held.
func (r *requests) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// read takes from the store what is not of this socket's own making, as there is room for it.
func (r *requests) read() {
	for {
		room, ok := r.awaitRoom()
		if !ok {
			return
		}
		ms, err := r.cur.next(r.feeding, room, soleRunBytes)
		for _, m := range ms {
			r.take(m)
		}
		if err != nil && !r.pause(err) {
			return
		}
	}
}

// awaitRoom waits until more may be read, and returns how much.
func (r *requests) awaitRoom() (room int, ok bool) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	for {
		room = requestWindow
		for _, q := range r.open {
			if !q.caller {
				room--
			}
		}
		if room > 0 {
			return room, !r.stopped
		}
		if !r.await(nil) {
			return 0, false
		}
	}
}

// await waits for a change, a moment at most if until is not nil, and reports whether the socket is open still. mu is
// held before and after.
func (r *requests) await(until <-chan time.Time) bool {
	changed := r.changed
	r.req.mu.Unlock()
	select {
	case <-changed:
	case <-until:
	case <-r.feeding.Done():
	}
	r.req.mu.Lock()
	return !r.stopped
}

// pause waits after an error for the next attempt, and reports whether there is to be one.
func (r *requests) pause(err error) bool {
	if r.feeding.Err() != nil {
		return false
	}
	r.req.events.add(Event{Kind: SpoolFailing, Err: err})
	t := time.NewTimer(retryEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return !errors.Is(err, errStoreClosed)
	case <-r.feeding.Done():
		return false
	}
}

// take takes a request that was read in hand. One that a Send is about to make its own is waited for.
func (r *requests) take(m stored) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	for m.number >= r.found && r.asking && r.await(nil) {
	}
	if r.open[m.number] == nil && !r.done.Contains(m.number) {
		r.keep(&request{number: m.number, frames: m.frames, expires: m.expires})
	}
}

// keep takes a request in hand, to be sent; mu is held.
func (r *requests) keep(q *request) {
	q.ctx, q.cancel = context.WithCancel(r.feeding)
	r.open[q.number] = q
	r.makeDue(q)
}

// makeDue has a request be sent: ahead of others if somebody waits for it. mu is held.
func (r *requests) makeDue(q *request) {
	if q.isDue || q.over() {
		return
	}
	if q.to != nil { // which may have got it
		q.sent++
	}
	q.isDue, q.to = true, nil
	if q.caller {
		r.due = slices.Insert(r.due, 0, q)
	} else {
		r.due = append(r.due, q)
	}
	r.change()
}

// ask stores a request. expires may be zero.
func (r *requests) ask(ctx context.Context, wait bool, m Msg, expires time.Time) (*request, error) {
	if err := r.begin(); err != nil {
		return nil, err
	}
	if err := r.takeTurn(); err != nil {
		return nil, err
	}
	number, err := r.append(ctx, wait, m, expires)
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	r.asking = false
	r.change()
	if err != nil {
		return nil, err
	}
	q := &request{number: number, frames: m.Frames, expires: expires, own: true, caller: true}
	r.keep(q)
	r.current = q
	return q, nil
}

// takeTurn begins a request, unless there is another one whose reply is to be received.
func (r *requests) takeTurn() error {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	if r.sending.Err() != nil {
		return ErrClosed
	}
	if r.current != nil && r.req.cfg.relaxed {
		r.setAside(r.current)
	}
	if r.asking || r.current != nil {
		return errUnreceived
	}
	r.asking = true
	return nil
}

var errUnreceived = fmt.Errorf("%w: receive the reply to the last request first", ErrState)

func (r *requests) append(ctx context.Context, wait bool, m Msg, expires time.Time) (number uint64, err error) {
	number, err = r.store.append(ctx, false, m, expires)
	if !errors.Is(err, ErrSpoolFull) || !wait {
		return number, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.sending, func() { cancel(ErrClosed) })()
	number, err = r.store.append(ctx, true, m, expires)
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrClosed) {
		err = spoolFullError{err}
	}
	return number, err
}

// setAside leaves a request to Pending; mu is held.
func (r *requests) setAside(q *request) {
	q.caller = false
	if r.current == q {
		r.current = nil
	}
	if q.answered {
		r.answered = append(r.answered, q)
	}
	r.change()
}

// settle ends a request whose reply the application has.
func (r *requests) settle(q *request) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	r.forget(q)
}

// forget takes a request out of the store; mu is held.
func (r *requests) forget(q *request) {
	if r.open[q.number] != q {
		return
	}
	delete(r.open, q.number)
	r.done.Add(q.number)
	r.cur.settle(only(q.number))
	q.cancel()
	if r.current == q {
		r.current = nil
	}
	r.change()
}

// giveUp ends a request without a reply; mu is held.
func (r *requests) giveUp(q *request, why Reason, err error) {
	if r.open[q.number] != q || q.over() {
		return
	}
	current := r.current == q
	r.forget(q)
	q.err = err
	if current { // Recv returns the error
		r.current = q
	}
	if !q.given {
		n := Count{1, uint64(q.size())}
		r.dropped.add(why, n)
		if q.own {
			r.ownEnded.increase(n)
		}
	}
}

// lost is called when the store has lost requests. Req.mu is not held.
func (r *requests) lost(n numberRange, why Reason) {
	if lost := r.loseOpen(n, why); lost > 0 {
		r.req.events.add(Event{Kind: lossEvent(why), Reason: why, Count: lost})
	}
}

// loseOpen ends the requests that the store has lost and that were open, and returns how many those are.
func (r *requests) loseOpen(n numberRange, why Reason) (lost uint64) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	for _, p := range parts(&r.done, n) {
		if p.in {
			continue
		}
		unseen := p.Len()
		for number, q := range r.open {
			if p.Contains(number) {
				unseen--
				r.giveUp(q, why, fmt.Errorf("%w: %s", ErrLost, why))
			}
		}
		r.dropped.add(why, Count{Messages: unseen})
		r.done.AddRange(p.From, p.To)
		lost += p.Len()
	}
	return lost
}
