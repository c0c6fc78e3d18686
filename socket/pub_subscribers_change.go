package socket

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// request handles what a peer asks for. What is over our limits is refused, by name, and nothing but that: a peer
// that passes on what others subscribe to (a proxy) must not lose all they have because one of them wants too much,
// only to come back and tell everything again. An error ends the connection.
func (s *subscribers) request(l *link, add bool, topic []byte) error {
	limit := s.core.cfg.limits.MaxTopic
	if limit > 0 && len(topic) > limit {
		if add { // else it cannot have it
			s.refuse(l, topic, fmt.Errorf("%w: a topic of %d bytes, the limit is %d", ErrLimit, len(topic), limit))
		}
		return nil
	}
	err := s.apply(l, add, string(topic))
	if over, ok := errors.AsType[*tooMany](err); ok {
		s.refuse(l, topic, over)
		err = nil
	}
	if !add {
		s.tidy()
	}
	if l.requests++; l.requests%yieldAfter == 0 {
		runtime.Gosched() // the publisher must not wait until all that one read has brought is done
	}
	return err
}

// apply does what a peer asks for, or has the application decide on it.
func (s *subscribers) apply(l *link, add bool, topic string) error {
	if l.durable() != nil {
		return s.core.out.durables.change(l, add, topic)
	}
	if s.core.cfg.manual {
		return s.ask(l, add, topic)
	}
	return s.set(l, add, topic, false)
}

// yieldAfter is how many requests of one peer are handled in a row.
const yieldAfter = 128

// tooMany is the error of a subscription that is one too many.
type tooMany struct{ limit int }

func (e *tooMany) Error() string {
	return fmt.Sprintf("%v: more than %d subscriptions", ErrLimit, e.limit)
}
func (e *tooMany) Is(target error) bool { return target == ErrLimit }

// room returns an error if a peer that has so many topics may not have another.
func (s *subscribers) room(have map[string]struct{}) error {
	if limit := s.core.cfg.limits.MaxSubscriptions; limit > 0 && len(have) >= limit {
		return &tooMany{limit}
	}
	return nil
}

// set adds or removes a subscription; both may be repeated. ours says that the application does it on the peer's
// behalf.
func (s *subscribers) set(l *link, add bool, topic string, ours bool) error {
	more, err := s.change(l, add, topic, ours)
	if more != nil {
		more.run()
	}
	return err
}

// change is set but for a part of the replay of last values, if there are many.
func (s *subscribers) change(l *link, add bool, topic string, ours bool) (more *replay, err error) {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	_, have := l.out.topics[topic]
	edge := false // for all peers together
	switch {
	case l.out.dead:
		return nil, nil
	case !add && !have:
		l.out.refusals.remove(topic)
		return nil, nil
	case add && have:
		if ours || s.notices == nil || s.core.cfg.manual || !s.notices.repeats {
			return nil, nil
		}
		return nil, s.core.in.notify(s.notices, l, topicChange{topic: topic, add: true})
	case add:
		if err := s.room(l.out.topics); err != nil {
			if !ours {
				l.refusals().topics.add(topic)
			}
			return nil, err
		}
		l.out.refusals.remove(topic)
		if l.out.topics == nil {
			l.out.topics = make(map[string]struct{})
		}
		l.out.topics[topic] = struct{}{}
		s.enter(topic, l)
		edge = s.tree.Count(topic) == 1
		more = s.replay(l, topic)
		s.core.out.spaceWaiters.WakeAll() // for WaitSubscribers
	default:
		delete(l.out.topics, topic)
		edge = s.remove(topic, l)
		s.cancelled(l)
	}
	if s.notices == nil || s.core.cfg.manual {
		return more, nil
	}
	edge = edge || s.notices.perPeer
	if !edge && (ours || !add || !s.notices.repeats) {
		return more, nil
	}
	return more, s.core.in.notify(s.notices, l, topicChange{topic, add, edge, ours})
}

func (s *subscribers) enter(topic string, l *link) {
	s.tree.Add(topic, l)
	if m := s.core.cfg.matcher; m != nil {
		m.Add(topic, l.peer)
	}
	if s.tidied != nil {
		s.tidied.Add(topic, l)
	}
}

// remove reports whether nobody has the topic any more.
func (s *subscribers) remove(topic string, l *link) (edge bool) {
	s.tree.Drop(topic, l)
	if m := s.core.cfg.matcher; m != nil {
		m.Remove(topic, l.peer)
	}
	if s.tidied != nil {
		s.tidied.Drop(topic, l)
	}
	return s.tree.Count(topic) == 0
}

// ask notes what a peer asks for, where the application decides what it gets. To cancel what it has not asked for is
// no change: who passed that on would take the topic from others.
func (s *subscribers) ask(l *link, add bool, topic string) error {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	topics := s.asked[l]
	_, have := topics[topic]
	switch {
	case l.out.dead:
		return nil
	case !add && !have:
		l.out.refusals.remove(topic)
		return nil
	case !add:
		delete(topics, topic)
		s.cancelled(l)
	case !have:
		if err := s.room(topics); err != nil {
			l.refusals().topics.add(topic)
			return err
		}
		l.out.refusals.remove(topic)
		if topics == nil {
			topics = make(map[string]struct{})
			if s.asked == nil {
				s.asked = make(map[*link]map[string]struct{})
			}
			s.asked[l] = topics
		}
		topics[topic] = struct{}{}
	}
	return s.core.in.notify(s.notices, l, topicChange{topic: topic, add: add, edge: add != have})
}

// refusalsEvery is how often at most an event tells of what a peer is refused.
const refusalsEvery = time.Second

// refuse counts a subscription that a peer does not get, and tells of it.
func (s *subscribers) refuse(l *link, topic []byte, why error) {
	s.core.in.reject(l, Refused, len(topic))
	now := s.core.now()
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	r := l.refusals()
	r.unreported++
	if r.event > 0 && now-r.event < refusalsEvery {
		return
	}
	why = fmt.Errorf("%w: %.64q is refused", why, topic)
	s.core.events.add(Event{
		Kind: SubscriptionRefused, Endpoint: l.ep.name, Peer: l.peer, Reason: Refused, Count: r.unreported, Err: why,
	})
	r.unreported, r.event = 0, max(1, now)
}
