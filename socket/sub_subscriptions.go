package socket

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/socket/internal/prefix"
)

// subscriptions is what a Sub or XSub wants.
type subscriptions struct {
	core    *core
	filters bool // discards what nobody here has subscribed to

	// changes orders what peers are sent about subscriptions; it is held while that is sent.
	changes   lockorder.Mutex[lockorder.Subscriptions]
	wants     map[string]want
	forwarded map[subscriptionKey]struct{} // what others have subscribed to, passed on by the application
	forwarder map[string]any               // of the subscribers that want a topic, the one that came last
	links     map[*link]struct{}
	log       commandLog

	// wanted is the same for look-ups, under a lock of its own: filter runs under the inbox's lock, and a publisher in
	// this process takes that lock while it holds the one that subscribing at it takes.
	mu     lockorder.RWMutex[lockorder.Wanted]
	wanted prefix.Tree[struct{}]
	all    atomic.Bool // "" is among them, as it often is: nothing to look up
}

// A want is one topic: how often the application has subscribed to it on its own, and for how many subscribers it
// forwards that (see origin). There may be very many of them, so it holds no pointers for the garbage collector.
type want struct {
	own, forwarded uint32
	at             logged
}

// A subscriptionKey is one topic of one subscriber, or of all together if by is nil.
type subscriptionKey struct {
	by    any
	topic string
}

// An origin says how the subscriptions that an XPub hands over, and an XSub is then given to pass on, belong
// together: with perPeer each peer has its own, and a cancellation takes back what that peer subscribed to, however
// often it did so; otherwise the last cancellation takes back everything that was subscribed to its topic.
type origin struct{ perPeer bool }

// subscriber is on whose behalf a message with a subscription is forwarded, nil for the application's own.
func (p *Peer) subscriber() any {
	switch {
	case p == nil || p.origin == nil:
		return nil
	case p.origin.perPeer:
		return p
	}
	return p.origin
}

// init subscribes to what the options say.
func (s *subscriptions) init(c *core, filters bool) {
	s.core, s.filters = c, filters
	lockorder.Own(c, &s.changes, &s.mu, &s.log.mu)
	s.wants = make(map[string]want)
	s.forwarded = make(map[subscriptionKey]struct{})
	s.forwarder = make(map[string]any)
	s.links = make(map[*link]struct{})
	for _, t := range c.cfg.topics {
		s.add(nil, t, false)
	}
}

func (s *subscriptions) subscribe(topic string) error { return s.pass(nil, topic, false) }

// pass subscribes on behalf of a subscriber, or of the application if by is nil; with repeat the peers are sent also
// what they have been sent already.
func (s *subscriptions) pass(by any, topic string, repeat bool) error {
	if limit := s.core.cfg.limits.MaxTopic; limit > 0 && len(topic) > limit {
		return opError("subscribe", topicTooLarge(len(topic), limit))
	}
	s.add(by, topic, repeat)
	return nil
}

func topicTooLarge(size, limit int) error {
	return fmt.Errorf("%w: a topic of %d bytes, the limit is %d", ErrTooLarge, size, limit)
}

func (s *subscriptions) unsubscribe(topic string) error {
	if !s.remove(nil, topic) {
		return opError("unsubscribe", fmt.Errorf("%w: %.64q was not subscribed", ErrState, topic))
	}
	return nil
}

func (s *subscriptions) topics() []string {
	s.changes.Lock()
	defer s.changes.Unlock()
	return slices.Collect(maps.Keys(s.wants))
}

func (s *subscriptions) add(by any, topic string, repeat bool) {
	s.changes.Lock()
	defer s.changes.Unlock()
	w, known := s.wants[topic]
	if by == nil {
		w.own++
	} else if key := (subscriptionKey{by, topic}); !s.forwards(key) {
		s.forwarded[key] = struct{}{}
		w.forwarded++
		s.forwarder[topic] = by
	}
	switch {
	case !known:
		s.want(topic, true)
		s.log.add(topic, &w.at)
	case repeat:
		s.log.repeat(topic, &w.at)
	}
	s.wants[topic] = w
	if !known || repeat {
		s.broadcast(true, topic)
	}
}

func (s *subscriptions) forwards(key subscriptionKey) bool {
	_, ok := s.forwarded[key]
	return ok
}

// remove takes one subscription back. An application may pass on what others subscribe to and cancel on its own, or
// the other way round.
func (s *subscriptions) remove(by any, topic string) bool {
	s.changes.Lock()
	defer s.changes.Unlock()
	w, known := s.wants[topic]
	if !known {
		return false
	}
	if by == nil && w.own == 0 {
		by = s.forwarder[topic]
	}
	key := subscriptionKey{by, topic}
	switch {
	case by != nil && s.forwards(key):
		delete(s.forwarded, key)
		if w.forwarded--; w.forwarded == 0 {
			delete(s.forwarder, topic)
		}
	case w.own > 0:
		w.own--
	default:
		return false
	}
	if w.own+w.forwarded > 0 {
		s.wants[topic] = w
	} else {
		delete(s.wants, topic)
		s.want(topic, false)
		s.log.cancel(topic, w.at, s.links)
		s.broadcast(false, topic)
	}
	return true
}

// complete notes that the application has begun to receive: of a durable subscription it has listed all topics by then.
// It is small so that it is inlined in Recv.
func (s *subscriptions) complete() {
	if s.core.cfg.subscriber != "" {
		s.completeDurable()
	}
}

func (s *subscriptions) completeDurable() {
	if s.log.complete.Load() {
		return
	}
	s.changes.Lock()
	defer s.changes.Unlock()
	s.log.complete.Store(true)
	o := &s.core.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for l := range s.links {
		l.sendSubscriptions()
	}
}

// want keeps what filter looks up.
func (s *subscriptions) want(topic string, add bool) {
	if !s.filters {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if add {
		s.wanted.Add(topic, struct{}{})
	} else {
		s.wanted.Remove(topic, struct{}{})
	}
	if topic == "" {
		s.all.Store(add)
	}
}

// broadcast sends a change to all peers: to one in this process at once, to others as fast as they read.
func (s *subscriptions) broadcast(add bool, topic string) {
	for l := range s.links {
		l.carrier.subscribe(add, topic)
	}
}

// filter discards what nobody here has subscribed to.
func (s *subscriptions) filter(_ *link, m Msg) (Msg, Reason) {
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

// subRole is that of a Sub and an XSub: peers are sent what is subscribed to.
type subRole struct {
	baseRole
	subs *subscriptions
}

// joined sends a new peer all subscriptions, in the order in which they were made: of a peer that has a limit all
// connections get the same ones.
func (r subRole) joined(l *link) {
	r.baseRole.joined(l)
	l.carrier.subscribeAll(r.subs)
}

func (s *subscriptions) inOrder() []string {
	return slices.SortedFunc(maps.Keys(s.wants), func(a, b string) int {
		return cmp.Compare(s.wants[a].at.first, s.wants[b].at.first)
	})
}

func (r subRole) left(l *link) {
	r.subs.changes.Lock()
	defer r.subs.changes.Unlock()
	delete(r.subs.links, l)
}
