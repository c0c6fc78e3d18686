package socket

import (
	"context"
	"fmt"

	"github.com/yodel-mq/yodel/socket/internal/prefix"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Pub sends each message to every SUB peer that is subscribed to a prefix of its first frame, the topic (RFC 29).
//
//   - Out: encoded once, to every matching peer. A message that nobody is subscribed to is dropped, and counted.
//   - In: subscriptions only. What else a peer sends is counted as discarded.
//   - Mute: never. A peer whose queue is full misses messages, counted for it alone, and no other peer is delayed; see
//     [WithOverflow] for other policies.
//
// Subscriptions take a moment to arrive after a peer connects: wait for them with [Pub.WaitSubscribers]. All methods
// may be called by any number of goroutines.
type Pub struct {
	*core
	subs subscribers
}

// NewPub returns a Pub that is neither bound nor connected. It does no I/O.
func NewPub(opts ...PubOption) *Pub {
	cfg := defaults()
	cfg.overflow = DropNewest
	for _, o := range opts {
		o.pub(&cfg)
	}
	c := newCore(zmtp.Pub, cfg)
	c.out.pace = new(pace)
	s := &Pub{core: c}
	s.subs.core = c
	c.role = publisher{plain{c}, &s.subs}
	return s
}

// Send gives the message to every peer subscribed to its topic. It waits, until ctx ends, only under the policy [Block].
// The frames must not be changed afterwards.
func (s *Pub) Send(ctx context.Context, m Msg) error { return s.send(ctx, true, m) }

// TrySend is like Send and never waits: under [Block] it returns ErrWouldBlock instead.
func (s *Pub) TrySend(m Msg) error { return s.send(context.Background(), false, m) }

func (s *Pub) send(ctx context.Context, wait bool, m Msg) error {
	if err := s.sendable(m); err != nil {
		return opError("send", err)
	}
	return opError("send", s.out.fanOut(ctx, wait, m, func() []*link { return s.subs.match(m.Frames[0]) }))
}

// WaitSubscribers waits until messages with the given topic would reach at least n peers, ctx ends or the socket
// closes. The next message with that topic then reaches them: there is no need to sleep.
func (s *Pub) WaitSubscribers(ctx context.Context, topic string, n int) error {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	for {
		have := len(s.subs.match([]byte(topic)))
		if have >= n {
			return nil
		}
		if s.out.shut {
			return opError("wait for subscribers", ErrClosed)
		}
		w := s.out.room.join()
		s.out.mu.Unlock()
		err := w.wait(ctx)
		s.out.mu.Lock()
		s.out.room.leave(w, err)
		if err != nil {
			return fmt.Errorf("socket: wait for %d subscribers to %q, have %d: %w", n, topic, have, err)
		}
	}
}

// subscribers is what the peers of a publisher are subscribed to, guarded by core.out.mu.
type subscribers struct {
	core    *core
	tree    prefix.Tree[*link]
	matched []*link
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

// set adds or removes a subscription; both may be repeated. An error names the limit the peer went over.
func (s *subscribers) set(l *link, add bool, topic []byte) error {
	lim := s.core.cfg.limits
	if lim.MaxTopic > 0 && len(topic) > lim.MaxTopic {
		return fmt.Errorf("%w: a topic of %d bytes, the limit is %d", ErrLimit, len(topic), lim.MaxTopic)
	}
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	if l.out.dead {
		return nil
	}
	t := string(topic)
	_, have := l.out.topics[t]
	switch {
	case add && !have:
		if lim.MaxSubscriptions > 0 && len(l.out.topics) >= lim.MaxSubscriptions {
			return fmt.Errorf("%w: more than %d subscriptions", ErrLimit, lim.MaxSubscriptions)
		}
		if l.out.topics == nil {
			l.out.topics = make(map[string]struct{})
		}
		l.out.topics[t] = struct{}{}
		s.tree.Add(t, l)
		s.core.out.room.wakeAll() // for WaitSubscribers
	case !add && have:
		delete(l.out.topics, t)
		s.tree.Remove(t, l)
	}
	return nil
}

// forget removes all subscriptions of a link.
func (s *subscribers) forget(l *link) {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	for t := range l.out.topics {
		s.tree.Remove(t, l)
	}
	l.out.topics = nil
}

// publisher is the role of a Pub.
type publisher struct {
	plain
	subs *subscribers
}

func (p publisher) left(l *link) { p.subs.forget(l) }

func (p publisher) subscription(l *link, add bool, topic []byte) error {
	return p.subs.set(l, add, topic)
}

// intake takes subscriptions in the form of messages: a ZMTP 3.0 peer sends them so, and others may.
func (p publisher) intake(l *link, msgs [][][]byte) error {
	for _, frames := range msgs {
		if len(frames) == 1 {
			if topic, add, ok := zmtp.ParseSubscription(frames[0]); ok {
				if err := p.subs.set(l, add, topic); err != nil {
					return err
				}
				continue
			}
		}
		p.core.in.reject(l, NotExpected, Msg{Frames: frames}.Size())
	}
	return nil
}
