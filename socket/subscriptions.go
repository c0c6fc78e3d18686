package socket

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket/internal/prefix"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// subscriptions is what a Sub or XSub wants.
type subscriptions struct {
	core *core

	// changes orders what is told to the peers; it is held while telling them.
	changes sync.Mutex
	counts  map[string]int
	links   map[*link]struct{}

	// wanted is the same for look-ups, under a lock of its own: keep runs under the inbox's lock, and a publisher in this
	// process takes that lock while it holds the one that telling it takes.
	mu     sync.RWMutex
	wanted prefix.Tree[struct{}]
	all    atomic.Bool // "" is among them, as it often is: nothing to look up
}

// init makes c the core of a socket that subscribes.
func (s *subscriptions) init(c *core) {
	c.receives = true
	s.core = c
	s.counts = make(map[string]int)
	s.links = make(map[*link]struct{})
	for _, t := range c.cfg.topics {
		s.add(t)
	}
	c.role = subscriber{plain{c}, s}
	c.in.keep = s.keep
}

func (s *subscriptions) subscribe(topic string) error {
	if limit := s.core.cfg.limits.MaxTopic; limit > 0 && len(topic) > limit {
		return opError("subscribe", topicTooLarge(len(topic), limit))
	}
	s.add(topic)
	return nil
}

func topicTooLarge(size, limit int) error {
	return fmt.Errorf("%w: a topic of %d bytes, the limit is %d", ErrTooLarge, size, limit)
}

func (s *subscriptions) unsubscribe(topic string) error {
	if !s.remove(topic) {
		return opError("unsubscribe", fmt.Errorf("%w: %.64q was not subscribed", ErrState, topic))
	}
	return nil
}

func (s *subscriptions) topics() []string {
	s.changes.Lock()
	defer s.changes.Unlock()
	return slices.Collect(maps.Keys(s.counts))
}

func (s *subscriptions) add(topic string) {
	s.changes.Lock()
	defer s.changes.Unlock()
	s.counts[topic]++
	if s.counts[topic] > 1 {
		return
	}
	s.mu.Lock()
	s.wanted.Add(topic, struct{}{})
	if topic == "" {
		s.all.Store(true)
	}
	s.mu.Unlock()
	s.tell(true, topic)
}

func (s *subscriptions) remove(topic string) bool {
	s.changes.Lock()
	defer s.changes.Unlock()
	switch s.counts[topic] {
	case 0:
		return false
	case 1:
		delete(s.counts, topic)
		s.mu.Lock()
		s.wanted.Remove(topic, struct{}{})
		if topic == "" {
			s.all.Store(false)
		}
		s.mu.Unlock()
		s.tell(false, topic)
	default:
		s.counts[topic]--
	}
	return true
}

func (s *subscriptions) tell(add bool, topic string) {
	for l := range s.links {
		l.subscribe(add, topic)
	}
}

// keep discards what nobody here has subscribed to.
func (s *subscriptions) keep(_ *link, m Msg) (Msg, Reason) {
	if s.all.Load() {
		return m, ""
	}
	why := NotSubscribed
	s.mu.RLock()
	s.wanted.Match(m.Frames[0], func([]struct{}) bool {
		why = ""
		return false
	})
	s.mu.RUnlock()
	return m, why
}

// subscriber is the role of a Sub and an XSub.
type subscriber struct {
	plain
	subs *subscriptions
}

// joined tells a new peer all subscriptions.
func (r subscriber) joined(l *link) {
	r.plain.joined(l)
	if l.direct != nil {
		<-l.direct.twin.direct.joined // a publisher greets before it hears of subscriptions
	}
	s := r.subs
	s.changes.Lock()
	defer s.changes.Unlock()
	s.links[l] = struct{}{}
	if l.direct != nil {
		for t := range s.counts {
			l.subscribe(true, t)
		}
		return
	}
	if len(s.counts) == 0 {
		return
	}
	l.sendCommand(false, func(b []byte) []byte {
		for t := range s.counts {
			b = zmtp.AppendSubscribe(b, l.sess.Version, []byte(t))
		}
		return b
	})
}

func (r subscriber) left(l *link) {
	r.subs.changes.Lock()
	defer r.subs.changes.Unlock()
	delete(r.subs.links, l)
}

// subscribe tells one peer of a change.
func (l *link) subscribe(add bool, topic string) {
	switch {
	case l.direct != nil:
		l.direct.subscribe(add, topic)
	case add:
		l.sendCommand(false, func(b []byte) []byte { return zmtp.AppendSubscribe(b, l.sess.Version, []byte(topic)) })
	default:
		l.sendCommand(false, func(b []byte) []byte { return zmtp.AppendCancel(b, l.sess.Version, []byte(topic)) })
	}
}
