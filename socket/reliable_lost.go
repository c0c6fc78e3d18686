package socket

import (
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// What becomes of the messages of a reliable link that is lost:
//
//   - Those that were written and are not acknowledged wait for the same receiver, which may have them. When it is back
//     it says what it has, and gets the rest. After the grace time they go to another peer, which may be the second to
//     get them, or are dropped, as the role says; while there is no other peer they go on waiting.
//   - Those that were not written go to another peer at once, in front of the backlog, where the role lets them; those
//     that are for this receiver alone wait for it.

// lose ends what a link has of the session. core.out.mu is held.
func (s *session) lose(l *link) {
	if s.feeder != nil {
		s.loseNumbers(l)
		return
	}
	o := s.box
	var landed batch
	again := s.resending
	s.resending = false
	_, unsent, begun := l.flight.undo(&landed)
	_, open, _ := l.out.open.undo(0, nil)
	l.out.control = nil
	n := landed.count
	if n.Messages > 0 {
		if !again {
			s.sent(l, n)
		}
		s.settled(s.sender.Wrote(s.on, n.Messages, n.Bytes, &landed))
		s.takeReplies(l)
	}
	s.replies = nil // of what was not written nothing was said, and what was written is asked about anew
	if again {
		s.flying.Number += n.Messages
		s.putBack(s.flying, unsent)
		unsent, begun = nil, false
	}
	s.sender.Lost(s.on, o.env.now())
	unsent = append(unsent, open...)
	retain(&l.out.counts, &o.unassigned, s.unacked)
	s.link = nil
	defer o.spaceWaiters.WakeAll() // messages for this peer may wait in the session now
	if o.closed || o.env.cfg.connectOnce && !l.ep.bound {
		s.drop(l.lostReason())
		l.dropped(l.lostReason(), countOf(unsent))
		o.drained()
		return
	}
	if begun && o.keeps {
		unsent = l.begun(unsent)
	}
	unsent = s.await(l, unsent)
	if len(unsent) > 0 {
		o.requeue(l, unsent)
	}
	switch {
	case s.left: // what it was sent goes ahead of that, to whichever peer
		s.giveUp(false)
	case s.leaving:
		s.giveUp(true)
	default:
		s.remain()
	}
	o.onRoom()
}

// endSession notes that the receiver at the other end of a link receives nothing more. The link ends, and what it has
// not received goes elsewhere.
func (o *outbox) endSession(l *link) {
	o.mu.Lock()
	s := l.out.session
	mine := s != nil && s.link == l
	if mine {
		s.left = true
	}
	o.mu.Unlock()
	if mine {
		l.endOut(errPeerClosed)
	}
}

// putBack has messages that were about to be sent again wait for the next link.
func (s *session) putBack(next reliable.Next, ms []Msg) {
	if len(ms) == 0 {
		return
	}
	b := s.empty()
	for _, m := range ms {
		b.append(m)
	}
	s.again = slices.Insert(s.again, 0, resend{b, next})
}

// await keeps those of the unsent messages that are for this receiver alone, and returns the others.
func (s *session) await(l *link, unsent []Msg) (others []Msg) {
	var n Count
	for _, m := range unsent {
		if s.box.keeps && m.From != pinned {
			others = append(others, m)
			continue
		}
		s.tried.add(int(s.waiting.count.Messages), 1, l.out.attempts.at(len(others)))
		l.out.attempts.remove(len(others), 1)
		s.waiting.append(m)
		n.add(m.Size())
	}
	requeue(&l.out.counts, &s.box.unassigned, n)
	return others
}

// startExpiry begins the time in which the receiver may come back.
func (s *session) startExpiry() {
	if grace := s.box.env.cfg.grace; grace > 0 {
		s.expiry = time.AfterFunc(grace, s.expire)
	}
}

func (s *session) stopExpiry() {
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
	s.expired = false
}

// expire ends the wait for the receiver.
func (s *session) expire() {
	o := s.box
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || s.link != nil || s.expiry == nil {
		return
	}
	s.stopExpiry()
	if s.opening { // the receiver is back, or about to be
		s.opening = false
		s.startExpiry()
		return
	}
	if s.unacked.Messages > 0 && o.keeps && !o.hasLive() {
		s.expired = true
		return
	}
	s.giveUp(true)
}

// giveUp ends the session: its messages go to another peer, or are dropped if they are for this one alone. reached says
// that the receiver may have some of them.
func (s *session) giveUp(reached bool) {
	o := s.box
	if s.feeder != nil {
		s.reassign(reached)
		return
	}
	if !o.keeps {
		s.drop(PeerGone)
		o.drained()
		return
	}
	var ms []Msg
	var tried attempts
	var pinnedOnes Count
	add := func(again []Msg, t tries) {
		for _, m := range again {
			if m.From == pinned {
				pinnedOnes.add(m.Size())
				continue
			}
			if o.expiry != nil {
				t.expires = o.expiry(m)
			}
			tried.add(len(ms), 1, t)
			ms = append(ms, m)
		}
	}
	r := s.sender.Abandon(reached)
	s.settled(r.Settled)
	for _, p := range r.Again {
		add(p.Payload.messages(p.Skip, p.Count), tries{n: int(p.Attempts), seen: p.Redelivered})
	}
	for _, a := range s.again {
		add(a.messages(0, a.count.Messages), tries{n: int(a.next.Attempts), seen: a.next.Redelivered})
	}
	a := o.ledger(nil)
	a.recall(s.unacked)
	a.drop(PeerGone, pinnedOnes.plus(s.waiting.count))
	n := s.unacked.minus(pinnedOnes)
	s.end()
	if n.Messages > 0 && reached {
		o.redelivered.increase(n)
		o.env.events.add(Event{Kind: Redelivered, Peer: s.peer, Count: n.Messages})
	}
	o.backlog.unshift(ms, tried)
	o.onRoom()
	o.drained()
}

// drop ends the session and drops all it has, which is on no link. What is in a store stays there.
func (s *session) drop(why Reason) {
	if s.feeder != nil {
		s.allToStore(false)
		return
	}
	a := s.box.ledger(nil)
	a.recall(s.unacked)
	a.drop(why, s.unacked.plus(s.waiting.count))
	s.end()
}

// writeOff drops all that the session has, though somebody may still write to its link.
func (s *session) writeOff(l *link) {
	if s.link == l {
		retain(&l.out.counts, &s.box.unassigned, s.unacked)
		s.link = nil
		s.drop(SocketClosed)
	}
}

// end forgets the session.
func (s *session) end() {
	s.stopExpiry()
	s.box.lost.leave(s)
	last := s.last
	s.unacked, s.waiting, s.tried, s.again, s.last = Count{}, batch{}, nil, nil, nil
	delete(s.box.sessions, s.key)
	if s.box.gone != nil && s.link == nil && last != nil {
		s.box.gone(last)
	}
}

// endExpired gives up sessions that have waited for another peer to come.
func (o *outbox) endExpired() {
	for at := o.lost.holding.Front(); at != nil; {
		s := at.Value.(*session)
		at = at.Next()
		if s.expired {
			s.giveUp(true)
		}
	}
}

// endSessions forgets all sessions of a socket that closes, whose messages have been dropped.
func (o *outbox) endSessions() {
	for _, s := range o.sessions {
		switch {
		case s.link != nil:
		case s.feeder != nil:
			s.allToStore(false)
		default:
			s.end()
		}
	}
}

// storedToDisk ends the sessions without a link whose messages stay in a store.
func (o *outbox) storedToDisk() {
	for _, s := range o.sessions {
		if s.link == nil && s.feeder != nil {
			s.allToStore(false)
		}
	}
}

func countOf(ms []Msg) (n Count) {
	for _, m := range ms {
		n.add(m.Size())
	}
	return n
}
