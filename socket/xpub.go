package socket

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// An XPub is a [Pub] that shows the application what its peers subscribe to, and receives messages they send upstream
// (RFC 29). It is what a proxy or a cache is built with.
//
//   - Out: as a Pub.
//   - In: a message for each subscription, one frame of the byte 1 (subscribe) or 0 (cancel) and the topic, of which
//     [ParseSubscription] makes a value; [WithVerbosity] says which. When a peer leaves, its subscriptions are
//     cancelled. What XSUB peers send upstream is received too; of one frame, it cannot begin with the byte 0 or 1.
//   - [WithManual] leaves it to the application which topics a peer gets.
//   - An application need not call Recv. Changes of subscriptions wait for it beyond any high-water mark, but no more
//     than it takes for the application to know in the end what is subscribed to: when more than twice
//     [Limits.MaxSubscriptions] and 1,000 wait, or 64 MiB, or 1,000 of peers that have gone, those that cancel each
//     other out are discarded as [Replaced]. Only a peer that makes as many changes while the application takes none
//     of its is cut off. That a peer has left is never kept from the application.
//   - Receiving is fair among peers, so that what two of them did to one topic may be handed over in another order.
//     What would then mislead is not handed over, and counted as [Replaced].
//
// All methods may be called by any number of goroutines.
type XPub struct {
	*core
	subs subscribers
}

// NewXPub returns an XPub that is neither bound nor connected. It does no I/O.
func NewXPub(opts ...XPubOption) *XPub {
	s := new(XPub)
	s.core = newCore(configure(defaultsDropping(), opts), behaviour{
		typ:  zmtp.XPub,
		role: xpubRole{pubRole{subs: &s.subs}},
		out:  outBehaviour{sharedRate: true},
		in:   inBehaviour{receives: true, mixed: true, notifies: true},
	})
	s.subs.init(s.core)
	s.subs.origin = &origin{perPeer: s.subs.notices.perPeer}
	return s
}

// Send gives the message to every peer subscribed to its topic, the first frame. It waits, until ctx ends, only under
// the policy [Block]. The frames must not be changed afterwards.
func (s *XPub) Send(ctx context.Context, m Msg) error { return s.subs.publish(ctx, true, m) }

// TrySend is like Send and never waits: under [Block] it returns ErrWouldBlock instead.
func (s *XPub) TrySend(m Msg) error { return s.subs.publish(context.Background(), false, m) }

// Recv returns the next subscription or upstream message, waiting for one until ctx ends or the socket closes; with a
// context that has ended it returns what is there already. The message is the caller's for good.
func (s *XPub) Recv(ctx context.Context) (Msg, error) { return s.recv(ctx) }

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *XPub) TryRecv() (Msg, error) { return s.tryRecv() }

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *XPub) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.recv) }

// WaitSubscribers waits until messages with the given topic would reach at least n peers; it returns an error if ctx
// ends or the socket closes first. The next message with that topic then reaches them: there is no need to sleep.
func (s *XPub) WaitSubscribers(ctx context.Context, topic string, n int) error {
	return s.subs.wait(ctx, topic, n)
}

// Subscribers lists the peers that a message with the given topic would reach now, in no particular order; len tells
// how many they are. Those whose queue is full are among them.
func (s *XPub) Subscribers(topic string) []*Peer { return s.subs.peers(topic) }

// Topics lists what peers are subscribed to, each once, in no particular order.
func (s *XPub) Topics() []string { return s.subs.topics() }

// SetOverflow sets what Send does when the queue of this one peer, found in an [Event] or in [Stats], is full; a peer
// that comes back is a new one. Use the constants of [Overflow] only. The error matches ErrPeerLost if the peer is
// not connected.
func (s *XPub) SetOverflow(p *Peer, policy Overflow) error { return s.subs.setOverflow(p, policy) }

// Subscribe subscribes a peer, found in the From of a subscription, to a topic, whatever the peer asked for. With
// [WithManual] this is the only way to. The error matches ErrPeerLost if the peer is not connected, ErrTooLarge if the
// topic is, and ErrLimit if the peer has more than [Limits] allow.
func (s *XPub) Subscribe(p *Peer, topic string) error { return s.change(p, true, topic) }

// Unsubscribe takes a peer's subscription to a topic back; without one it does nothing. The error matches ErrPeerLost
// if the peer is not connected.
func (s *XPub) Unsubscribe(p *Peer, topic string) error { return s.change(p, false, topic) }

func (s *XPub) change(p *Peer, add bool, topic string) error {
	op := "subscribe"
	if !add {
		op = "unsubscribe"
	}
	if limit := s.cfg.limits.MaxTopic; limit > 0 && len(topic) > limit {
		return opError(op, topicTooLarge(len(topic), limit))
	}
	l := s.linkTo(p)
	if l == nil {
		return &PeerError{Op: op, Peer: p, Err: ErrPeerLost}
	}
	return opError(op, s.subs.set(l, add, topic, true))
}

// A Subscription is what an [XPub] is told by a peer.
type Subscription struct {
	Topic string // the prefix that is subscribed; "" is everything
	Add   bool   // false: the subscription is cancelled
	Peer  *Peer  // whose it is, for XPub.Subscribe
}

// ParseSubscription makes a value of a message that an [XPub] received. ok is false for a message sent upstream by a
// peer.
func ParseSubscription(m Msg) (sub Subscription, ok bool) {
	topic, add, ok := subscriptionMessage(m.Frames)
	return Subscription{string(topic), add, m.From}, ok
}

// xpubRole is that of a Pub, but has the application told of subscriptions and passes on other messages.
type xpubRole struct{ pubRole }

func (r xpubRole) joined(l *link) {
	l.peer.origin = r.subs.origin // before it is the From of anything
	q := &l.core.in
	q.mu.Lock()
	l.in.notices = &noticeList{owner: l}
	q.mu.Unlock()
	r.pubRole.joined(l)
}

func (r xpubRole) intake(l *link, msgs [][][]byte) error {
	for i, frames := range msgs {
		var err error
		if topic, add, ok := subscriptionMessage(frames); ok {
			err = r.subscription(l, add, topic)
		} else {
			err = l.queueAll(msgs[i : i+1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
