package socket

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// An XSub is a [Sub] that can also send: subscriptions as messages, which is how a proxy passes them on, and other
// messages upstream to its PUB and XPUB peers (RFC 29).
//
//   - Out: a message of one frame that starts with the byte 1 or 0 subscribes to, or cancels, the rest of the frame;
//     cancelling what was not subscribed does nothing. Peers are told of each such subscription, also of one to what
//     is subscribed already, as a cache behind a forwarder needs it, and of the last cancellation. Subscriptions are
//     counted; but those that an [XPub] has handed over, passed on as they are, are taken back as [Verbosity] says.
//     Any other message goes to every peer; one whose queue is full misses it, which is counted, unless
//     [WithOverflow] says otherwise, and without a peer it is dropped, and counted.
//   - In: everything that its peers send, unlike a Sub, which discards what it has not subscribed to.
//   - A peer that does not read is told, once it reads again, what is subscribed by then: when 64 KiB of
//     subscriptions wait to be written, those that are cancelled before their turn comes are not told to it.
//   - Order: each peer gets messages in the order they were sent, and subscriptions too, but a subscription may
//     overtake messages.
//
// All methods may be called by any number of goroutines.
type XSub struct {
	*core
	subs  subscriptions
	peers []*link // for everyPeer
}

// NewXSub returns an XSub that is neither bound nor connected. It does no I/O.
func NewXSub(opts ...XSubOption) *XSub {
	s := new(XSub)
	s.core = newCore(configure(defaultsDropping(), opts), behaviour{
		typ:  zmtp.XSub,
		role: subRole{subs: &s.subs},
		in:   inBehaviour{receives: true},
	})
	s.subs.init(s.core, false)
	return s
}

// Subscribe asks every peer, now and later, for messages whose topic starts with topic; "" is everything. It does not
// wait for them to hear of it; see [Pub.WaitSubscribers]. The error matches ErrTooLarge for a topic over
// [Limits.MaxTopic].
func (s *XSub) Subscribe(topic string) error { return s.subs.subscribe(topic) }

// Unsubscribe takes back one Subscribe of exactly this topic. The error matches ErrState if the topic is not
// subscribed.
func (s *XSub) Unsubscribe(topic string) error { return s.subs.unsubscribe(topic) }

// Topics lists what is subscribed to, each once, in no particular order.
func (s *XSub) Topics() []string { return s.subs.topics() }

// Send subscribes, cancels, or sends a message upstream; see [XSub]. It waits, until ctx ends, only under the policy
// [Block], and never to subscribe or cancel. The frames must not be changed afterwards.
func (s *XSub) Send(ctx context.Context, m Msg) error { return s.send(ctx, true, m) }

// TrySend is like Send and never waits: under [Block] it returns ErrWouldBlock instead.
func (s *XSub) TrySend(m Msg) error { return s.send(context.Background(), false, m) }

func (s *XSub) send(ctx context.Context, wait bool, m Msg) error {
	if err := s.sendable(m); err != nil {
		return opError("send", err)
	}
	if topic, add, ok := subscriptionMessage(m.Frames); ok {
		if add {
			return s.subs.pass(m.From.subscriber(), string(topic), true)
		}
		s.subs.remove(m.From.subscriber(), string(topic))
		return nil
	}
	return s.ended(ctx, "send", s.out.fanOut(ctx, wait, m, false, s.everyPeer, nil))
}

// everyPeer lists the live links; it is called with out.mu held, and the list is valid until the next call.
func (s *XSub) everyPeer() []*link {
	clear(s.peers)
	s.peers = s.peers[:0]
	for _, l := range s.out.links {
		if !l.out.dead {
			s.peers = append(s.peers, l)
		}
	}
	return s.peers
}

// Recv returns the next message, waiting for one until ctx ends or the socket closes; with a context that has ended it
// returns what is there already. The message is the caller's for good.
func (s *XSub) Recv(ctx context.Context) (Msg, error) { return s.recv(ctx) }

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *XSub) TryRecv() (Msg, error) { return s.tryRecv() }

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *XSub) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.recv) }
