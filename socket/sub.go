package socket

import (
	"context"
	"iter"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Sub receives the messages of its PUB and XPUB peers whose topic, the first frame, starts with one of its
// subscriptions (RFC 29). Without a subscription it receives nothing.
//
//   - Out: subscriptions only. They are counted: what was subscribed twice ends with the second Unsubscribe. After a
//     reconnect they are sent again, all of them.
//   - In: fairly among peers, and only what it is subscribed to, whatever a peer sends; the rest is discarded, and
//     counted. While as many as the high-water mark of one peer's wait, nothing more is read from it; the PUB then
//     drops, and counts, what it cannot send.
//   - Order: that of each connection, as with a [Pull]; none between publishers.
//
// All methods may be called by any number of goroutines.
type Sub struct {
	*core
	subs subscriptions
}

// NewSub returns a Sub that is neither bound nor connected. It does no I/O.
func NewSub(opts ...SubOption) *Sub {
	s := new(Sub)
	s.core = newCore(configure(defaults(), opts), behaviour{
		typ:  zmtp.Sub,
		role: subRole{subs: &s.subs},
		in:   inBehaviour{receives: true, filter: s.subs.filter, store: s.subs.filter, load: s.subs.filter},
	})
	s.subs.init(s.core, true)
	return s
}

// Subscribe asks every peer, now and later, for messages whose topic starts with topic; "" is everything. It does not
// wait for them to hear of it; see [Pub.WaitSubscribers]. The error matches ErrTooLarge for a topic over
// [Limits.MaxTopic].
func (s *Sub) Subscribe(topic string) error { return s.subs.subscribe(topic) }

// Unsubscribe takes back one Subscribe of exactly this topic. Messages that only it asked for and that have not been
// received yet are discarded, and counted. The error matches ErrState if the topic is not subscribed.
func (s *Sub) Unsubscribe(topic string) error { return s.subs.unsubscribe(topic) }

// Topics lists what is subscribed to, each once, in no particular order.
func (s *Sub) Topics() []string { return s.subs.topics() }

// Recv returns the next message, waiting for one until ctx ends or the socket closes; with a context that has ended it
// returns what is there already. The message is the caller's for good.
func (s *Sub) Recv(ctx context.Context) (Msg, error) {
	s.subs.complete()
	return s.recv(ctx)
}

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *Sub) TryRecv() (Msg, error) {
	s.subs.complete()
	return s.tryRecv()
}

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *Sub) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.Recv) }

// Next is Recv that returns a [Delivery]; see [Pull.Next].
func (s *Sub) Next(ctx context.Context) (*Delivery, error) {
	s.subs.complete()
	return s.next(ctx)
}

// Deliveries yields messages as Next returns them; see Messages.
func (s *Sub) Deliveries(ctx context.Context) iter.Seq2[*Delivery, error] { return each(ctx, s.Next) }
