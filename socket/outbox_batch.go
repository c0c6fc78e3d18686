package socket

import "context"

// Several messages that one call sends: they are queued under the lock once, for as many as there is room for, and each
// link is written to once for all of them. One for which there is no room, or that cannot be sent, goes the way of a
// message that is sent alone, which waits or says what is wrong.

// SendBatch is Send for several messages, in order: they are queued together and, as a rule, leave by one write for
// each peer, where as many calls of Send on a Dealer that is idle make one each. It returns how many were accepted: all
// of them with a nil error, and otherwise the first n, those behind not at all. It waits as Send does, until ctx ends,
// and the error is that of the message at which it came to its end.
func (s *Dealer) SendBatch(ctx context.Context, ms []Msg) (n int, err error) {
	one := func(m Msg) error { return s.Send(ctx, m) }
	if s.out.spooled != nil {
		return eachOf(ms, one)
	}
	return s.out.sendBatch(ms, func(m Msg) *link {
		out := outgoing{frames: m.Frames, size: m.Size()}
		if s.sendable(m) != nil {
			return nil
		}
		return s.out.place(&out)
	}, one)
}

// SendBatch is Send for several messages, in order, which may be for several peers: they are queued together and, as a
// rule, leave by one write for each peer. It returns how many were accepted: all of them with a nil error, and
// otherwise the first n, those behind not at all. It waits as Send does, until ctx ends, and the error is that of the
// message at which it came to its end: one for a peer that is not there ends it, unless [WithDropUnroutable] drops
// such.
func (s *Router) SendBatch(ctx context.Context, ms []Msg) (n int, err error) {
	return s.out.sendBatch(ms, func(m Msg) *link {
		if s.sendable(m) != nil || len(m.Frames) < 2 {
			return nil
		}
		out := outgoing{frames: m.Frames[1:]}
		out.size = Msg{Frames: out.frames}.Size()
		l := s.out.follow(s.byID[string(m.Frames[0])])
		if l == nil || !l.out.joined || l.out.draining || !s.out.takeRouted(l, &out) {
			return nil
		}
		return l
	}, func(m Msg) error { return s.Send(ctx, m) })
}

// atOnce is how many messages are queued while everybody else waits, and before the first are written.
const atOnce = 256

// sendBatch sends messages until one cannot be sent. take, called with the lock held, gives one to a link, if that goes
// without further ado, and leaves it to sendBatch to have it written; one sends it in any other case.
func (o *outbox) sendBatch(ms []Msg, take func(m Msg) *link, one func(m Msg) error) (n int, err error) {
	var idle unstarted
	for n < len(ms) {
		stuck := false
		o.mu.Lock()
		for end := min(n+atOnce, len(ms)); n < end && !stuck; {
			var l *link
			if !o.shut {
				l = take(ms[n])
			}
			if stuck = l == nil; !stuck {
				idle.add(l)
				n++
			}
		}
		caller := idle.start()
		o.mu.Unlock()
		if caller != nil {
			caller.writeNow()
		}
		if stuck {
			if err := one(ms[n]); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// eachOf sends messages one by one, up to the first that cannot be sent.
func eachOf(ms []Msg, send func(m Msg) error) (n int, err error) {
	for n < len(ms) {
		if err := send(ms[n]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// unstarted are links that have got messages and that nobody writes to yet. One may be there twice.
type unstarted []*link

func (u *unstarted) add(l *link) {
	if n := len(*u); !l.out.writing && (n == 0 || (*u)[n-1] != l) {
		*u = append(*u, l)
	}
}

// start has all of them written to. If it returns one the caller must unlock and call writeNow for that: it is the only
// one. core.out.mu is held.
func (u *unstarted) start() (byCaller *link) {
	for _, l := range *u {
		if l.start(len(*u) == 1) {
			byCaller = l
		}
	}
	clear(*u)
	*u = (*u)[:0]
	return byCaller
}
