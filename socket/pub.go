package socket

import (
	"context"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Pub sends each message to every SUB or XSUB peer that is subscribed to a prefix of its first frame, the topic
// (RFC 29).
//
//   - Out: encoded once, to every matching peer. A message that nobody is subscribed to is dropped, and counted.
//   - In: subscriptions only. What else a peer sends is counted as discarded.
//   - Mute: never. A peer whose queue is full misses messages, counted for it alone, and no other peer is delayed;
//     see [WithOverflow] and [Pub.SetOverflow] for other policies.
//   - Order: each peer gets what it gets in the order it was sent. What was queued for a peer that is lost is
//     dropped, and counted; when it comes back it subscribes anew and has missed what was sent meanwhile (but see
//     [WithLastValue]).
//
// Subscriptions take a moment to arrive after a peer connects: wait for them with [Pub.WaitSubscribers]. All methods
// may be called by any number of goroutines.
type Pub struct {
	*core
	subs subscribers
}

// NewPub returns a Pub that is neither bound nor connected. It does no I/O.
func NewPub(opts ...PubOption) *Pub {
	s := new(Pub)
	s.core = newCore(configure(defaultsDropping(), opts), behaviour{
		typ:  zmtp.Pub,
		role: pubRole{subs: &s.subs},
		out:  outBehaviour{sharedRate: true},
	})
	s.subs.init(s.core)
	return s
}

// Send gives the message to every peer subscribed to its topic, the first frame. It waits, until ctx ends, only under
// the policy [Block]. The frames must not be changed afterwards.
func (s *Pub) Send(ctx context.Context, m Msg) error { return s.subs.publish(ctx, true, m) }

// TrySend is like Send and never waits: under [Block] it returns ErrWouldBlock instead.
func (s *Pub) TrySend(m Msg) error { return s.subs.publish(context.Background(), false, m) }

// WaitSubscribers waits until messages with the given topic would reach at least n peers; it returns an error if ctx
// ends or the socket closes first. The next message with that topic then reaches them: there is no need to sleep.
func (s *Pub) WaitSubscribers(ctx context.Context, topic string, n int) error {
	return s.subs.wait(ctx, topic, n)
}

// Subscribers lists the peers that a message with the given topic would reach now, in no particular order; len tells
// how many they are. Those whose queue is full are among them.
func (s *Pub) Subscribers(topic string) []*Peer { return s.subs.peers(topic) }

// Topics lists what peers are subscribed to, each once, in no particular order; of a Pub with a spool also what durable
// subscriptions are for (see [WithSubscriberName]), whether their subscribers are there or not.
func (s *Pub) Topics() []string { return s.subs.topics() }

// SetOverflow sets what Send does when the queue of this one peer, found in an [Event] or in [Stats], is full; a peer
// that comes back is a new one. Use the constants of [Overflow] only. The error matches ErrPeerLost if the peer is
// not connected.
func (s *Pub) SetOverflow(p *Peer, policy Overflow) error { return s.subs.setOverflow(p, policy) }

// pubRole knows what each peer is subscribed to.
type pubRole struct {
	baseRole
	subs *subscribers
}

func (p pubRole) joined(l *link) {
	p.baseRole.joined(l)
	p.subs.sendWelcome(l)
}

// sendWelcome sends the welcome message.
func (s *subscribers) sendWelcome(l *link) {
	if m := s.core.cfg.welcome; len(m.Frames) > 0 && l.durable() == nil {
		s.core.out.mu.Lock()
		defer s.core.out.mu.Unlock()
		s.core.out.give(l, m)
	}
}

func (p pubRole) left(l *link) {
	p.subs.forget(l)
	if l.durable() != nil {
		l.core.out.durables.left(l)
	}
}

func (p pubRole) subscription(l *link, add bool, topic []byte) error {
	return p.subs.request(l, add, topic)
}

// intake takes subscriptions in the form of messages: a ZMTP 3.0 peer sends them so, and others may.
func (p pubRole) intake(l *link, msgs [][][]byte) error {
	for _, frames := range msgs {
		if topic, add, ok := subscriptionMessage(frames); ok {
			if err := p.subs.request(l, add, topic); err != nil {
				return err
			}
			if add {
				l.awaitReplayDelay()
			}
			continue
		}
		l.core.in.reject(l, Unexpected, Msg{Frames: frames}.Size())
	}
	return nil
}

func subscriptionMessage(frames [][]byte) (topic []byte, add, ok bool) {
	if len(frames) != 1 {
		return nil, false, false
	}
	return zmtp.ParseSubscription(frames[0])
}
