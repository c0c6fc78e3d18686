package socket

import "time"

// What Stats tells of a peer beside its ledger.

// shape is what is told of the way out, with core.out.mu held.
func (o *linkOut) shape(s *PeerStats) {
	s.Subscriptions = len(o.topics)
	if o.listing != nil {
		s.Subscriptions += len(o.listing.topics)
	}
	s.SendFill, s.Full = o.limit.fill(o.load()), o.full
}

// shape is what is told of the way in, with core.in.mu held.
func (in *linkIn) shape(s *PeerStats) { s.RecvFill = in.limit.fill(in.load()) }

// shape is what is told of the connection.
func (l *link) shape(s *PeerStats) {
	born := l.core.born
	if !l.peer.inproc {
		s.Heard = born.Add(time.Duration(l.life.read.Load()))
	}
	if p := l.peer.conn; p != nil {
		s.Since, s.RTT = born.Add(p.since), time.Duration(p.rtt.Load())
	}
}

// fill is how much of the mark is used, from 0 to 1; 0 without a mark.
func (m mark) fill(c Count) (part float64) {
	if m.messages > 0 {
		part = float64(c.Messages) / float64(m.messages)
	}
	if m.bytes > 0 {
		part = max(part, float64(c.Bytes)/float64(m.bytes))
	}
	return min(part, 1)
}

// timePing notes that a PING leaves, unless one is to be answered yet.
func (l *link) timePing(now int64) {
	if p := l.peer.conn; p != nil {
		p.asked.CompareAndSwap(0, now)
	}
}

// timePong notes how long the peer took to answer. A PONG that answers nothing, sent as a sign of life, passes for the
// answer if it crosses a PING: both are without a context, which not every peer would send back.
func (l *link) timePong() {
	if p := l.peer.conn; p != nil && p.asked.Load() > 0 {
		p.rtt.Store(int64(l.core.now()) - p.asked.Swap(0))
	}
}
