package socket

import (
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// An InboxOption configures how a socket settles what it receives over reliable links; see [WithManualAck].
type InboxOption interface {
	PullOption
	SubOption
	RepOption
	DealerOption
	RouterOption
}

// WithInbox keeps what the socket receives in a spool until it is settled: what a peer has sent reliably is
// acknowledged once it is on disk here, and is handed out from there, in this life of the process or a later one. So
// nothing that was acknowledged is lost, and nothing is there twice, whatever becomes of either side; what was handed
// out and not settled when the process ended is handed out again, with [Delivery.Redelivered]. Messages are received in
// the order in which they were kept. What Recv returns is settled within some milliseconds by that; what Next returns
// is so too, or, with [WithManualAck], by its verbs.
//
//   - Messages of peers that do not send reliably are kept likewise, and may be lost before that.
//   - While the spool is full, peers are not read from: they feel it as backpressure. Under [spool.DropOldest] it
//     drops.
//   - A Rep replies to a request of an earlier life if its peer is connected again; a Router names the peer as it did.
//   - [Msg.From] is nil for what came in an earlier life, from a peer that has not come again.
//   - The spool has to be open as long as the socket is, and is for this socket alone: it is received by its cursor "".
//   - What was taken of a sender is remembered in the spool; see [WithForget].
//
// The receiver is known to its peers by [WithName] or else as long as there is this spool. A nil spool is none, which
// is the default.
func WithInbox(q *spool.Spool) InboxOption {
	return optionForInbox{setting: func(c *config) { c.inbox = q }}
}

// WithTakenIn has a spool keep which messages were taken, but not the messages: each is acknowledged once it is
// settled, by being received or, with [WithManualAck], by a verb, and that is on disk. So none is handed out again that
// was settled, whatever becomes of either side, but for those that the process was about to note when it ended. A nil
// spool is none, which is the default. Beside WithInbox it does nothing.
func WithTakenIn(q *spool.Spool) InboxOption {
	return optionForInbox{setting: func(c *config) { c.takenIn = q }}
}

// WithTaken has the application keep which messages were taken, with its own data: what it says when a stream begins
// is not handed out again. It notes the [MessageID] in the transaction in which it does what the message is about, and
// calls [Delivery.Ack] after that: so each message takes effect once. Use it with [WithManualAck] and [WithName]. A nil
// Taker is none, which is the default. Beside WithInbox and WithTakenIn it does nothing.
func WithTaken(t Taker) InboxOption {
	return optionForInbox{setting: func(c *config) { c.taker = t }}
}

// WithForget sets for how long a socket with [WithInbox] or [WithTakenIn] remembers what was taken of a sender that is
// not connected. A sender that comes back later is told that this side knows nothing of it, and what it sends again may
// be taken twice. The default, and 0, is seven days; less than 0 is for ever.
func WithForget(after time.Duration) InboxOption {
	return optionForInbox{setting: func(c *config) {
		if c.forget = after; after == 0 {
			c.forget = defaultForget
		}
	}}
}

// WithName names the receiver for its peers, so that it is the same one after a restart: a sender with a spool goes on
// where it was. No two may have one name, nor one of them be connected twice to a peer: of two connections of receivers
// that have it the sender serves the one that came last, and refuses the other while that is there, with a
// [HandshakeFailed] event on both sides that matches [ErrTakenOver] at the sender. Where senders have an authenticator
// a name belongs to a user (see [WithAuthenticator]). The default, and "", is a name that is drawn for each socket or,
// with [WithInbox] and [WithTakenIn], that of the spool.
func WithName(name string) InboxOption {
	return optionForInbox{setting: func(c *config) { c.receiverName = name }}
}

// WithManualAck leaves it to the application when a message is settled: by a verb on its [Delivery], as [Pull.Next]
// returns it, rather than by being received. Until then the sender keeps it, and the socket hands out no more than
// [WithMaxUnsettled]. What Recv and Messages return is settled at once nevertheless. It is for messages of peers that
// send reliably (see [WithReliable]); those of others are handed out likewise, and there is nothing to settle. Beside
// it, [WithLatest] does nothing. The default is that to receive a message settles it.
func WithManualAck() InboxOption {
	return optionForInbox{setting: func(c *config) { c.manualAck = true }}
}

// WithMaxUnsettled bounds how many messages may be handed out and wait for a verb; while there are as many, Next waits.
// The default, and less than 1, is 1,000. It does nothing without [WithManualAck].
func WithMaxUnsettled(n int) InboxOption {
	return optionForInbox{setting: func(c *config) {
		if c.maxUnsettled = defaultMaxUnsettled; n > 0 {
			c.maxUnsettled = uint64(n)
		}
	}}
}

// WithAckWait sets how long a message may wait for a verb: then it is given back, as by Nak, and the verbs return
// [ErrExpired]. [Delivery.InProgress] begins the time anew. The default, and 0, is 30 s for messages that the sender
// shares out among several receivers, and none for others; less than 0 is none for all. It does nothing without
// [WithManualAck].
func WithAckWait(d time.Duration) InboxOption {
	return optionForInbox{setting: func(c *config) { c.ackWait = d }}
}

const (
	defaultMaxUnsettled = 1000
	defaultAckWait      = 30 * time.Second
)

type optionForInbox struct {
	setting
	forPull
	forSub
	forRep
	forDealer
	forRouter
}
