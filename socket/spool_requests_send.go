package socket

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// How the requests of a Req with a store leave, and how their replies come.

// behaviour is that of a Req with a store.
func (r *requests) behaviour() behaviour {
	return behaviour{
		typ:  zmtp.Req,
		role: requestRole{requests: r},
		out: outBehaviour{
			keeps: true, requestReply: true, assigned: r.assigned, abandoned: r.abandoned, expiry: r.expiry,
		},
		in: inBehaviour{receives: true, filter: r.takeReply},
	}
}

// send gives requests to links, until the socket closes.
func (r *requests) send() {
	for q := r.nextDue(); q != nil; q = r.nextDue() {
		r.transmit(q)
	}
}

// nextDue waits for a request that is to be sent, and ends meanwhile those that have expired. It returns nil once the
// socket closes.
func (r *requests) nextDue() *request {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	for !r.stopped {
		wait := r.expire(time.Now())
		for len(r.due) > 0 {
			q := r.due[0]
			r.due = slices.Delete(r.due, 0, 1)
			q.isDue = false
			if !q.over() && r.open[q.number] == q {
				return q
			}
		}
		var until <-chan time.Time
		var t *time.Timer
		if wait > 0 {
			t = time.NewTimer(wait)
			until = t.C
		}
		r.await(until)
		if t != nil {
			t.Stop()
		}
	}
	return nil
}

// expire ends requests whose time is over, and returns when the next one's is; 0 for never. mu is held.
func (r *requests) expire(now time.Time) (next time.Duration) {
	for _, q := range r.open {
		left := q.expires.Sub(now)
		switch {
		case q.expires.IsZero() || q.answered:
		case left > 0:
			if next == 0 || left < next {
				next = left
			}
		default:
			r.giveUp(q, Expired, errRequestExpired)
		}
	}
	return next
}

// errRequestExpired is what a call says whose request had the context's deadline.
var errRequestExpired = fmt.Errorf("%w: %s: %w", ErrLost, Expired, context.DeadlineExceeded)

// transmit gives a request to a peer, waiting for one that has room.
func (r *requests) transmit(q *request) {
	ctx := q.ctx
	if !q.expires.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, q.expires)
		defer cancel()
	}
	r.req.mu.Lock()
	first, m, tried := !q.given, r.wrap(q), r.tried(q)
	r.req.mu.Unlock()
	if err := r.req.out.balanceTried(ctx, m, tried); err == nil || !first {
		return
	}
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	if q.given { // a link was chosen, and did not take it after all
		r.noteGiven(q, false)
	}
}

// tried is what a reliable peer is told of a request; mu is held.
func (r *requests) tried(q *request) tries {
	if !r.req.cfg.reliable {
		return tries{}
	}
	return tries{asked: q.sent, seen: q.sent > 0 || q.number < r.found, expires: q.expires}
}

// expiry is when a request expires that the outbox has.
func (r *requests) expiry(m Msg) (at time.Time) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	if q := r.find(m); q != nil {
		at = q.expires
	}
	return at
}

// wrap puts the envelope in front. The frames are copied, for a peer in this process may change those it gets.
func (r *requests) wrap(q *request) Msg {
	frames := make([][]byte, 0, 2+len(q.frames))
	// What is settled and not yet on disk may be asked again by the next life: its reply must be kept.
	frames = append(frames, appendRequestID(nil, requestID{requester{stream: r.stream}, q.number}, r.cur.lowOnDisk()), nil)
	for _, f := range q.frames {
		frames = append(frames, slices.Clone(f))
	}
	return Msg{Frames: frames}
}

// find is the request that a message begins with the id of; mu is held.
func (r *requests) find(m Msg) *request {
	id, _, ok := parseRequestID(m.Frames[0])
	if !ok || id.stream != r.stream {
		return nil
	}
	return r.open[id.number]
}

// assigned notes which peer has a request.
func (r *requests) assigned(l *link, m Msg) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	q := r.find(m)
	if q == nil || q.over() {
		return
	}
	q.to = l
	if l != nil && !q.given {
		r.noteGiven(q, true)
	}
}

// abandoned makes a dead letter of a request that no peer takes.
func (r *requests) abandoned(m Msg, why error) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	q := r.find(m)
	if q == nil || q.over() || r.stopped {
		return
	}
	q.to = nil
	r.req.wg.Go(func() { r.bury(q, why) })
}

func (r *requests) bury(q *request, why error) {
	if err := r.cur.bury(context.WithoutCancel(r.feeding), q.number, why.Error()); err != nil {
		r.req.events.add(Event{Kind: SpoolFailing, Err: err})
		r.req.mu.Lock()
		defer r.req.mu.Unlock()
		r.makeDue(q)
		return
	}
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	r.giveUp(q, DeadLettered, why) // unless the store was faster to say so
}

// left has what a lost peer was asked be asked again.
func (r *requests) left(l *link) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	var again []*request
	for _, q := range r.open {
		if q.to == l {
			again = append(again, q)
		}
	}
	slices.SortFunc(again, func(a, b *request) int { return int(a.number) - int(b.number) })
	for _, q := range again {
		r.makeDue(q)
	}
}

// receive has replies taken from the inbox, which takeReply then hands to whoever waits for them.
func (r *requests) receive() {
	for {
		if _, err := r.req.recv(r.feeding); err != nil {
			return
		}
	}
}

// takeReply takes a reply out of its envelope. It may come from any peer that was ever asked.
func (r *requests) takeReply(_ *link, m Msg) (Msg, Reason) {
	r.req.mu.Lock()
	defer r.req.mu.Unlock()
	q := r.find(m)
	if q == nil || q.over() || !q.expires.IsZero() && !q.expires.After(time.Now()) {
		return m, StaleReply
	}
	if body := m.Frames[1:]; len(body) < 2 || len(body[0]) != 0 {
		return m, BadEnvelope
	}
	m.Frames = m.Frames[2:]
	q.answered, q.reply = true, m
	q.cancel()
	if !q.given { // an earlier life has sent it
		n := Count{1, uint64(q.size())}
		r.delivered.increase(n)
		if q.own {
			r.ownEnded.increase(n)
		}
	}
	if !q.caller {
		r.answered = append(r.answered, q)
	}
	r.change()
	return m, ""
}

// requestRole looks after requests whose peer is lost.
type requestRole struct {
	baseRole
	requests *requests
}

func (r requestRole) left(l *link) { r.requests.left(l) }
