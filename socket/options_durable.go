package socket

import (
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// DurableOptions say how a durable subscription begins; see [WithSubscriberName].
type DurableOptions struct {
	// Start is where a subscription begins that its publisher does not know: with what is published from then on (New,
	// the default), with the oldest message that is kept for any subscription (Earliest), with a number (AtSeq), or at a
	// time (AtTime), to the millisecond.
	Start spool.Start
}

// WithSubscriberName gives a Sub a durable subscription: of each publisher that has a spool (see [WithSpool]) it gets
// all that is published for it, once and in order, even what is published while it is away, and across the death of
// either process.
//
//   - The name is what the publisher knows it by, 1 to 200 bytes. A second subscriber that comes with the same name
//     takes over: the connection of the first ends, with ErrSuperseded in its PeerDown there. While the second is
//     connected the first is refused as it comes back, with a [HandshakeFailed] event on both sides that says where the
//     second is.
//   - Where the publisher has an authenticator the name belongs to the first user who has come with it, until the
//     subscription ends (see [WithAuthenticator]).
//   - What it is subscribed to is kept by the publisher, and is what it had subscribed to when it first received: until
//     Recv, or another method that receives, is called for the first time no message flows; topics of an earlier life
//     that it has not subscribed to by then are cancelled. A topic that is added later begins with what is published
//     from then on.
//   - A message counts as received as on any reliable link (see [WithReliable]), with [WithManualAck] once it is
//     acknowledged. A subscriber without a memory on disk that dies may get those again that it had received last,
//     flagged as redelivered.
//   - What the publisher has lost for it, or dropped because it was too far behind, is told by a [Gap] event, with the
//     exact number.
//   - From a publisher that keeps no durable subscriptions (without a spool, of an earlier version, or of another
//     implementation) it gets what is published while it is connected, and a [PeerForeign] event tells so;
//     [WithYodelOnly] refuses such a peer. In the same process messages go over inproc as bytes, as on any reliable
//     link.
//   - A publisher that has too many names refuses another, with a [HandshakeFailed] event on both sides.
//
// Bind and Connect return ErrInvalidOption for a name that is too long. The default, and "", is to have none.
func WithSubscriberName(name string, o DurableOptions) SubOption {
	return optionForNamed{setting: func(c *config) { c.subscriber, c.start = name, o.Start }}
}

// DurableSubscribers is how a Pub with a spool keeps durable subscriptions.
type DurableSubscribers struct {
	// Max is how many names there may be. Default (0 or less): 1,024.
	Max int
	// Expiry is after how long without its subscriber a subscription is dropped, and with it what is kept for it.
	// Default (0): 7 days; less than 0: never.
	Expiry time.Duration
	// MaxBytes is how much may be kept for one subscription, as the spool counts it. Default (0 or less): no bound but
	// the spool's own.
	MaxBytes int64
	// Laggard is what becomes of a subscription that is beyond MaxBytes. Default: LoseOldest.
	Laggard Laggard
}

// A Laggard is what becomes of a durable subscription that is too far behind.
type Laggard int

const (
	// LoseOldest drops its oldest messages. It is told how many by a [Gap] event.
	LoseOldest Laggard = iota
	// HoldPublisher has Send wait, until ctx ends, for what it has to get.
	HoldPublisher
	// DropSubscription drops the subscription, with a [SubscriptionEnded] event at the publisher. A subscriber that is
	// connected is disconnected; it begins anew when it comes back.
	DropSubscription
)

// WithDurableSubscribers says how a Pub with a spool keeps the subscriptions of those that have a name; see
// [WithSubscriberName].
func WithDurableSubscribers(o DurableSubscribers) PubOption {
	return optionForKeeper{setting: func(c *config) { c.durable = o }}
}

type (
	optionForNamed struct {
		setting
		forSub
	}
	optionForKeeper struct {
		setting
		forPub
	}
)

const (
	maxSubscriberName = 200
	defaultDurable    = 1024
	defaultExpiry     = 7 * 24 * time.Hour
)

func (o *DurableSubscribers) max() int {
	if o.Max <= 0 {
		return defaultDurable
	}
	return o.Max
}

// expiry is 0 for never.
func (o *DurableSubscribers) expiry() time.Duration {
	if o.Expiry == 0 {
		return defaultExpiry
	}
	return max(o.Expiry, 0)
}

// validDurable checks the options of this file.
func (c *config) validDurable() error {
	switch {
	case len(c.subscriber) > maxSubscriberName:
		return fmt.Errorf("a subscriber's name of %d bytes, the limit is %d", len(c.subscriber), maxSubscriberName)
	case c.store != nil && c.matcher != nil:
		return errors.New("a Pub with a spool matches by prefix: it cannot have a matcher")
	}
	return nil
}

// subscription is the command that names this socket's subscription.
func (c *core) subscription() zmtp.Command {
	d := zmtp.DurableSubscription{Name: c.cfg.subscriber}
	switch s := &c.cfg.start; s.At {
	case spool.Earliest:
		d.Start = zmtp.StartEarliest
	case spool.AtSeq:
		d.Start, d.At = zmtp.StartAtNumber, s.Seq
	case spool.AtTime:
		d.Start, d.At = zmtp.StartAtTime, uint64(max(s.Time.UnixMilli(), 0))
	case spool.New:
	}
	return d.Command()
}
