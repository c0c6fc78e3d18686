package socket

import "context"

// RecvBatch is Recv of several messages: it waits for one, until ctx ends or the socket closes, and returns it with
// those behind it that are there already, in the order and with the turns of Recv, len(ms) at most. It returns how many
// were put into ms: one at least with a nil error, none with any other. With an empty ms it does nothing.
func (s *Dealer) RecvBatch(ctx context.Context, ms []Msg) (n int, err error) {
	return s.recvBatch(ctx, ms)
}

// RecvBatch is Recv of several messages: it waits for one, until ctx ends or the socket closes, and returns it with
// those behind it that are there already, in the order and with the turns of Recv, len(ms) at most. It returns how many
// were put into ms: one at least with a nil error, none with any other. With an empty ms it does nothing.
func (s *Router) RecvBatch(ctx context.Context, ms []Msg) (n int, err error) {
	return s.recvBatch(ctx, ms)
}

func (c *core) recvBatch(ctx context.Context, ms []Msg) (n int, err error) {
	if len(ms) == 0 {
		return 0, nil
	}
	if ms[0], err = c.recv(ctx); err != nil {
		return 0, err
	}
	n = 1
	for more := true; more && n < len(ms); {
		var k int
		k, more = c.reads.takeSome(ms[n:])
		n += k
	}
	return n, nil
}

// takeSome takes messages that are there, up to len(ms), and returns how many. more says that there may be some that it
// has not looked at.
func (q *inbox) takeSome(ms []Msg) (n int, more bool) {
	q.recv.Lock()
	if m, ok := q.nextPrefetched(); ok { // which has unlocked recv
		ms[0] = m
		return 1, true
	}
	q.mu.Lock()
	q.giveBack()
	var reopened *link
	for n < len(ms) && reopened == nil && len(q.round.links) > 0 {
		m, l, why := q.pop(nil)
		if why == "" {
			ms[n] = m
			n++
		}
		if q.reopen(l) {
			reopened = l
		}
	}
	q.mu.Unlock()
	q.recv.Unlock()
	if reopened != nil {
		reopened.carrier.resume()
	}
	return n, reopened != nil
}
