package socket

import "time"

// An InboxOption configures how a socket settles what it receives over reliable links; see [WithManualAck].
type InboxOption interface {
	PullOption
	SubOption
	RepOption
	DealerOption
	RouterOption
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
