package socket

import "time"

// A ReliableOption configures a socket whose messages are acknowledged; see [WithReliable].
type ReliableOption interface {
	PushOption
	PullOption
	PubOption
	SubOption
	ReqOption
	RepOption
	DealerOption
	RouterOption
}

// WithReliable has what the socket sends acknowledged by its peers, and sent again when a connection is lost before
// that: nothing is lost or doubled, and the order stays, through any number of lost connections, as long as both
// processes live. It is kept in memory only. A message is acknowledged once the peer's application has received it;
// only then it counts as Delivered in the ledger, and Shutdown waits for it. The receiving side needs no option.
//
//   - A peer that is lost is waited for (see [WithReassign]). What it has not acknowledged then goes to another peer of
//     a Push, Dealer or Req, which may be the second to receive it (a [Redelivered] event tells how much), or waits on
//     while there is none; on a Pub, Router and Rep it is dropped as [PeerGone]. Until then the peer is there as
//     before: a Router and a Rep take messages for it, up to the high-water mark, and a Req waits for its reply.
//   - Disconnect, Unbind and DisconnectPeer first have the peer receive what is queued for it, and the application what
//     it has of the peer's, and both acknowledged, for up to 10 s. What is not by then the peer is not waited for any
//     more to acknowledge; what the peer sends meanwhile stays with it.
//   - A peer that does not acknowledge, such as one of another implementation, is sent each message once and is named
//     by a [PeerForeign] event; [Ledger.AtMostOnce] counts them. [WithYodelOnly] refuses such peers.
//   - What goes to another peer, or to the same one that has given it back, says so ([Delivery.Redelivered]) and how
//     often its delivery was begun.
//   - A subscriber gets what was published while it was connected and subscribed; what is published while it is away is
//     not for it.
//   - Between sockets of one process it is the same: if one of the two sends reliably, messages go from one to the
//     other as bytes, through a buffer in memory, and not as values.
//   - How much may be unacknowledged says [WithWindow]. It is memory beside the high-water mark.
//
// On a Pull or Sub, which send nothing, it is the peers that do not ask for acknowledgements that are told as foreign.
// The default is not to.
func WithReliable() ReliableOption {
	return optionForReliable{setting: func(c *config) { c.reliable = true }}
}

// WithWindow bounds what a reliable socket has sent each peer and is not acknowledged, in messages and in bytes of
// payload; beyond it Send waits, or does what [WithOverflow] says, as at the high-water mark. What is being written
// when it is reached comes on top. The default, and less than 1, is 1,048,576 messages and 8 MiB; small windows cost
// speed, for acknowledgements are sent together.
func WithWindow(messages int, bytes int64) ReliableOption {
	return optionForReliable{setting: func(c *config) {
		c.window = defaultWindow
		if messages > 0 {
			c.window.messages = uint64(messages)
		}
		if bytes > 0 {
			c.window.bytes = uint64(bytes)
		}
	}}
}

// WithReassign sets how long a reliable socket waits for a peer that is lost before what that has not acknowledged goes
// elsewhere. The default, and 0, is 30 s; less than 0 is for ever. Of more than 16,384 lost peers those that were lost
// first are given up on before that.
func WithReassign(grace time.Duration) ReliableOption {
	return optionForReliable{setting: func(c *config) {
		if grace != 0 {
			c.grace = grace
		}
	}}
}

// WithYodelOnly has a reliable socket refuse peers that do not acknowledge messages, with a [HandshakeFailed] event and
// an error that matches [ErrForeign]. The default is to serve them at most once. Without [WithReliable] it does
// nothing.
func WithYodelOnly() ReliableOption {
	return optionForReliable{setting: func(c *config) { c.yodelOnly = true }}
}

type optionForReliable struct {
	setting
	forPush
	forPull
	forPub
	forSub
	forReq
	forRep
	forDealer
	forRouter
}
