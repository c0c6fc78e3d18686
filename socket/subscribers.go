package socket

import (
	"container/list"
	"context"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/socket/internal/prefix"
)

// subscribers is what the peers of a publisher are subscribed to, guarded by core.out.mu.
type subscribers struct {
	core    *core
	tree    prefix.Tree[*link]
	matched []*link
	last    lastValues
	asked   map[*link]map[string]struct{} // what each peer asked for, under WithManual
	origin  *origin                       // of an XPub
}

// match returns the links subscribed to a prefix of topic, each once. The list is valid until the next call.
func (s *subscribers) match(topic []byte) []*link {
	o := &s.core.out
	o.marks++
	clear(s.matched)
	s.matched = s.matched[:0]
	s.tree.Match(topic, func(links []*link) bool {
		for _, l := range links {
			if l.out.mark != o.marks && !l.out.dead {
				l.out.mark = o.marks
				s.matched = append(s.matched, l)
			}
		}
		return true
	})
	return s.matched
}

// publish sends a message to all whose subscriptions match.
func (s *subscribers) publish(ctx context.Context, wait bool, m Msg) error {
	if err := s.core.sendable(m); err != nil {
		return opError("send", err)
	}
	return opError("send", s.core.out.fanOut(ctx, wait, m, func() []*link {
		links := s.match(m.Frames[0])
		if most := s.core.cfg.lastValues; most > 0 && held(links) == nil { // else it is not accepted
			s.last.keep(m, most)
		}
		return links
	}))
}

// A change is what a SUBSCRIBE or CANCEL came to.
type change struct {
	new  bool // this peer's subscriptions changed
	edge bool // so did those of all peers together: the first for this topic, or the last
}

// allowed checks a topic against the limits.
func (s *subscribers) allowed(topic []byte) error {
	if limit := s.core.cfg.limits.MaxTopic; limit > 0 && len(topic) > limit {
		return fmt.Errorf("%w: a topic of %d bytes, the limit is %d", ErrLimit, len(topic), limit)
	}
	return nil
}

// set adds or removes a subscription; both may be repeated. An error names the limit the peer went over.
func (s *subscribers) set(l *link, add bool, topic []byte) (change, error) {
	if err := s.allowed(topic); err != nil {
		return change{}, err
	}
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	t := string(topic)
	_, have := l.out.topics[t]
	switch {
	case l.out.dead || add == have:
		return change{}, nil
	case add:
		if limit := s.core.cfg.limits.MaxSubscriptions; limit > 0 && len(l.out.topics) >= limit {
			return change{}, fmt.Errorf("%w: more than %d subscriptions", ErrLimit, limit)
		}
		if l.out.topics == nil {
			l.out.topics = make(map[string]struct{})
		}
		l.out.topics[t] = struct{}{}
		s.tree.Add(t, l)
		s.last.replay(l, t)
		s.core.out.room.wakeAll() // for WaitSubscribers
		return change{true, s.tree.Count(t) == 1}, nil
	default:
		delete(l.out.topics, t)
		s.tree.Remove(t, l)
		return change{true, s.tree.Count(t) == 0}, nil
	}
}

// ask notes what a peer asks for, where the application decides what it gets.
func (s *subscribers) ask(l *link, add bool, topic []byte) error {
	if err := s.allowed(topic); err != nil {
		return err
	}
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	topics := s.asked[l]
	if !add {
		delete(topics, string(topic))
		return nil
	}
	if limit := s.core.cfg.limits.MaxSubscriptions; limit > 0 && len(topics) >= limit {
		return fmt.Errorf("%w: more than %d subscriptions", ErrLimit, limit)
	}
	if topics == nil {
		topics = make(map[string]struct{})
		if s.asked == nil {
			s.asked = make(map[*link]map[string]struct{})
		}
		s.asked[l] = topics
	}
	topics[string(topic)] = struct{}{}
	return nil
}

// unask ends what ask began and returns what the peer had asked for.
func (s *subscribers) unask(l *link) map[string]struct{} {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	topics := s.asked[l]
	delete(s.asked, l)
	return topics
}

// forget removes all subscriptions of a link and returns them, with what each came to.
func (s *subscribers) forget(l *link) map[string]change {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	gone := make(map[string]change, len(l.out.topics))
	for t := range l.out.topics {
		s.tree.Remove(t, l)
		gone[t] = change{true, s.tree.Count(t) == 0}
	}
	l.out.topics = nil
	return gone
}

// wait waits until a message with the given topic would reach n peers.
func (s *subscribers) wait(ctx context.Context, topic string, n int) error {
	o := &s.core.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		have := len(s.match([]byte(topic)))
		if have >= n {
			return nil
		}
		if o.shut {
			return opError("wait for subscribers", ErrClosed)
		}
		w := o.room.join()
		o.mu.Unlock()
		err := w.wait(ctx)
		o.mu.Lock()
		o.room.leave(w, err)
		if err != nil {
			return fmt.Errorf("socket: wait for %d subscribers to %q, have %d: %w", n, topic, have, err)
		}
	}
}

// topics lists what any peer is subscribed to.
func (s *subscribers) topics() (topics []string) {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	s.tree.All(func(topic string, _ []*link) { topics = append(topics, topic) })
	return topics
}

// setOverflow gives one peer a policy of its own.
func (s *subscribers) setOverflow(p *Peer, policy Overflow) error {
	l := s.core.linkTo(p)
	if l == nil {
		return &PeerError{Op: "set overflow of", Peer: p, Err: ErrPeerLost}
	}
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	l.out.overflow = policy
	if l.direct != nil && policy.dropsOldest() {
		l.direct.exact()
	}
	s.core.out.room.wakeAll() // those who wait for this peer may not have to any more
	return nil
}

// linkTo finds the link to a peer.
func (c *core) linkTo(p *Peer) *link {
	for _, l := range c.snapshot() {
		if l.peer == p {
			return l
		}
	}
	return nil
}

// lastValues keeps the last message of each topic, guarded by core.out.mu.
type lastValues struct {
	byTopic map[string]*list.Element
	order   list.List // of Msg, the one published last at the back
}

func (v *lastValues) keep(m Msg, most int) {
	if v.byTopic == nil {
		v.byTopic = make(map[string]*list.Element)
	}
	m = Msg{Frames: m.Frames}.clone() // a receiver in this process may change its own
	topic := string(m.Frames[0])
	if e := v.byTopic[topic]; e != nil {
		e.Value = m
		v.order.MoveToBack(e)
		return
	}
	if v.order.Len() >= most {
		oldest := v.order.Front()
		delete(v.byTopic, string(v.order.Remove(oldest).(Msg).Frames[0]))
	}
	v.byTopic[topic] = v.order.PushBack(m)
}

// replay sends what is kept and matches to a new subscriber, in the order it was published.
func (v *lastValues) replay(l *link, topic string) {
	for e := v.order.Front(); e != nil; e = e.Next() {
		if m := e.Value.(Msg); strings.HasPrefix(string(m.Frames[0]), topic) {
			l.core.out.give(l, m)
		}
	}
}
