package socket

import "container/list"

// What a reliable socket keeps of receivers that are lost is bounded, for whoever connects under a new name each time
// leaves a session behind each time:
//
//   - A session that holds no message ends with its link: there is nothing to go on with. But where messages are for
//     given peers (outBehaviour.addressed) one that is lost is there until it is given up on, and its session stays.
//   - Of those and of sessions that do hold something there are maxLostSessions at most. One more, and the one whose
//     receiver has been lost for longest is given up on before its time, those that hold nothing first.
//   - A session that was opened over a link that never became a member counts as lost from the beginning.

// maxLostSessions is how many lost receivers a socket waits for, and how many more that have nothing to come.
const maxLostSessions = 16 << 10

// lostSessions lists the sessions without a link, in the order in which that was lost. It is guarded by outbox.mu.
type lostSessions struct {
	empty   list.List // hold nothing
	holding list.List
}

// A lostPlace is where a session without a link stands among them; zero for one that has a link.
type lostPlace struct {
	in *list.List
	at *list.Element
}

// enter has a session stand where it belongs. One that holds something now, or nothing any more, is the last there.
func (w *lostSessions) enter(s *session) {
	in := &w.holding
	if s.isEmpty() {
		in = &w.empty
	}
	if s.lost.in != in {
		w.leave(s)
		s.lost = lostPlace{in, in.PushBack(s)}
	}
}

// leave takes a session out that has a link again, or has ended.
func (w *lostSessions) leave(s *session) {
	if s.lost.in != nil {
		s.lost.in.Remove(s.lost.at)
		s.lost = lostPlace{}
	}
}

// isEmpty reports whether the session holds no message.
func (s *session) isEmpty() bool {
	return s.unacked.Messages == 0 && s.waiting.empty() && len(s.again) == 0
}

// remain has a session without a link wait for its receiver, or ends it if there is nothing to wait for.
func (s *session) remain() {
	o := s.box
	switch {
	case s.isEmpty() && !o.addressed:
		s.end()
		return
	case s.expired && (!o.keeps || o.hasLive()): // that was noted while the link was being opened
		s.giveUp(true)
		return
	case s.expiry == nil && !s.expired:
		s.startExpiry()
	}
	o.lost.enter(s)
	o.boundLost()
}

// boundLost gives up on the receivers that have been lost for longest, of more than a socket waits for.
func (o *outbox) boundLost() {
	for o.lost.empty.Len() > maxLostSessions {
		o.lost.empty.Front().Value.(*session).end()
	}
	for o.lost.holding.Len() > maxLostSessions {
		s := o.lost.holding.Front().Value.(*session)
		if o.keeps && !o.hasLive() { // the first other peer that comes has it
			s.stopExpiry()
			s.expired = true
			return
		}
		s.giveUp(true)
	}
}

// loseUnjoined notes that a link has ended before it became a member: a stream may be its own all the same, and a
// session have been about to go on over it.
func (c *core) loseUnjoined(l *link) {
	c.in.loseUnjoined(l)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.loseOpened(l)
}

func (o *outbox) loseOpened(l *link) {
	s := l.out.session
	if s == nil || l.out.joined || s.opened != l || s.link != nil || o.sessions[s.key] != s {
		return
	}
	s.opening = false
	s.remain()
}
