package socket

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/yodel-mq/yodel/socket/internal/prefix"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Sub receives the messages of its PUB peers whose topic, the first frame, starts with one of its subscriptions
// (RFC 29). Without a subscription it receives nothing.
//
//   - Out: subscriptions only. They are counted: what was subscribed twice ends with the second Unsubscribe. After a
//     reconnect they are sent again, all of them.
//   - In: fairly among peers. From a peer with more than the high-water mark waiting nothing more is read; the PUB then
//     drops, and counts, what it cannot send.
//
// All methods may be called by any number of goroutines.
type Sub struct {
	*core
	subs subscriptions
}

// NewSub returns a Sub that is neither bound nor connected. It does no I/O.
func NewSub(opts ...SubOption) *Sub {
	cfg := defaults()
	for _, o := range opts {
		o.sub(&cfg)
	}
	c := newCore(zmtp.Sub, cfg)
	c.receives = true
	s := &Sub{core: c}
	s.subs.core = c
	s.subs.counts = make(map[string]int)
	s.subs.links = make(map[*link]struct{})
	for _, t := range cfg.topics {
		s.subs.add(t)
	}
	c.role = subscriber{plain{c}, &s.subs}
	c.in.keep = s.subs.keep
	return s
}

// Subscribe asks every peer, now and later, for messages whose topic starts with topic; "" is everything. It does not
// wait for them to hear of it; see [Pub.WaitSubscribers].
func (s *Sub) Subscribe(topic string) error {
	if lim := s.cfg.limits.MaxTopic; lim > 0 && len(topic) > lim {
		return opError("subscribe", fmt.Errorf("%w: a topic of %d bytes, the limit is %d", ErrTooLarge, len(topic), lim))
	}
	s.subs.add(topic)
	return nil
}

// Unsubscribe takes back one Subscribe of exactly this topic. Messages that only it asked for and that have not been
// received yet are discarded, and counted.
func (s *Sub) Unsubscribe(topic string) error {
	if !s.subs.remove(topic) {
		return opError("unsubscribe", fmt.Errorf("%w: %.64q was not subscribed", ErrState, topic))
	}
	return nil
}

// Recv returns the next message, waiting for one until ctx ends or the socket closes. The message is the caller's for
// good.
func (s *Sub) Recv(ctx context.Context) (Msg, error) { return s.recv(ctx) }

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *Sub) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.recv) }

// subscriptions is what a Sub wants.
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
	why := NotSubscribed
	s.mu.RLock()
	s.wanted.Match(m.Frames[0], func([]struct{}) bool {
		why = ""
		return false
	})
	s.mu.RUnlock()
	return m, why
}

// subscriber is the role of a Sub.
type subscriber struct {
	plain
	subs *subscriptions
}

// joined tells a new peer all subscriptions.
func (r subscriber) joined(l *link) {
	r.plain.joined(l)
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
	l.sendCommand(func(b []byte) []byte {
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
		if err := l.direct.twin.core.role.subscription(l.direct.twin, add, []byte(topic)); err != nil {
			l.direct.twin.fail(err)
		}
	case add:
		l.sendCommand(func(b []byte) []byte { return zmtp.AppendSubscribe(b, l.sess.Version, []byte(topic)) })
	default:
		l.sendCommand(func(b []byte) []byte { return zmtp.AppendCancel(b, l.sess.Version, []byte(topic)) })
	}
}
