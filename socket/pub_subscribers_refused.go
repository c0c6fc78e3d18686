package socket

import (
	"errors"
	"runtime"
	"time"
)

// What a peer is refused because it holds as many subscriptions as it may is kept, and taken once it has cancelled
// others: a proxy asks on behalf of many, and has no way to learn that there is room for what one of them wants. For a
// second the room is for what the peer asks for in place of what it has cancelled.
const refusedAfter = time.Second

// A refusals is what there is to know of what one peer was refused. It is guarded by core.out.mu.
type refusals struct {
	topics     refusedTopics
	by         *subscribers  // that keep them
	due        time.Duration // when they are taken as far as there is room; 0 if that is not to be
	unreported uint64        // since the last event
	event      time.Duration // when that was
}

// refusals is for a peer that is refused something: few are.
func (l *link) refusals() *refusals {
	if l.out.refusals == nil {
		l.out.refusals = new(refusals)
	}
	return l.out.refusals
}

// remove forgets a topic that the peer does not want any more.
func (r *refusals) remove(topic string) {
	if r != nil {
		r.topics.remove(topic)
	}
}

// cancelled notes that the peer has cancelled something. core.out.mu is held.
func (s *subscribers) cancelled(l *link) {
	r := l.out.refusals
	if r != nil && len(r.topics.at) > 0 && r.due == 0 {
		r.by, r.due = s, l.core.now()+refusedAfter
		l.core.heartbeats.schedule(l, refusedAfter)
	}
}

// checkRefused has what was refused taken if it is time to, and returns when to look again.
func (l *link) checkRefused(now time.Duration) (next time.Duration) {
	l.core.out.mu.Lock()
	defer l.core.out.mu.Unlock()
	r := l.out.refusals
	switch {
	case r == nil || r.due == 0:
		return never
	case now < r.due:
		return r.due - now
	}
	r.due = 0
	by := r.by // which the next cancellation writes again
	l.core.heartbeats.running.Go(func() { by.takeRefused(l) })
	return never
}

// takeRefused takes what was refused as far as there is room.
func (s *subscribers) takeRefused(l *link) {
	for n := 1; ; n++ {
		topic, ok := s.nextRefused(l)
		if !ok {
			return
		}
		switch err := s.apply(l, true, topic); {
		case errors.Is(err, ErrLimit) && !errors.As(err, new(*tooMany)): // of changes that the application does not look at
			l.fail(err)
			return
		case err != nil: // somebody else has taken the room
			return
		}
		if n%yieldAfter == 0 {
			runtime.Gosched()
		}
	}
}

// nextRefused is the next topic for which there is room.
func (s *subscribers) nextRefused(l *link) (topic string, ok bool) {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	have := l.out.topics
	if s.core.cfg.manual {
		have = s.asked[l]
	}
	if s.room(have) != nil {
		return "", false
	}
	if l.out.refusals == nil {
		return "", false
	}
	return l.out.refusals.topics.next()
}

// refusedMost is what the topics that are kept of one peer may take, with refusedCost for each.
const (
	refusedMost = 4 << 20
	refusedCost = 64
)

// A refusedTopics is what one peer was refused for want of room, in the order in which it asked. The zero value is
// empty. It is guarded by core.out.mu.
type refusedTopics struct {
	order []refusedTopic // those taken back are left in it for a while
	first uint64         // the number of order[0]
	at    map[string]uint64
	bytes int
}

type refusedTopic struct {
	topic string
	gone  bool
}

// add keeps a topic, unless it has it or there are too many.
func (r *refusedTopics) add(topic string) {
	if _, have := r.at[topic]; have || r.bytes+len(topic)+refusedCost > refusedMost {
		return
	}
	if r.at == nil {
		r.at = make(map[string]uint64)
	}
	r.at[topic] = r.first + uint64(len(r.order))
	r.order = append(r.order, refusedTopic{topic: topic})
	r.bytes += len(topic) + refusedCost
}

// remove forgets a topic that the peer does not want any more.
func (r *refusedTopics) remove(topic string) {
	n, have := r.at[topic]
	if !have {
		return
	}
	delete(r.at, topic)
	r.bytes -= len(topic) + refusedCost
	r.order[n-r.first] = refusedTopic{gone: true}
	if len(r.order) > 2*len(r.at)+16 {
		r.compact()
	}
}

// compact gives up the places of topics that are gone.
func (r *refusedTopics) compact() {
	left := make([]refusedTopic, 0, len(r.at))
	r.first += uint64(len(r.order))
	for _, t := range r.order {
		if !t.gone {
			r.at[t.topic] = r.first + uint64(len(left))
			left = append(left, t)
		}
	}
	r.order = left
}

// next takes the topic that has waited longest.
func (r *refusedTopics) next() (topic string, ok bool) {
	for len(r.order) > 0 && r.order[0].gone {
		r.order = r.order[1:]
		r.first++
	}
	if len(r.order) == 0 {
		*r = refusedTopics{}
		return "", false
	}
	topic = r.order[0].topic
	r.remove(topic)
	return topic, true
}
