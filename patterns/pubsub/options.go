package pubsub

import (
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A PublisherOption configures a [Publisher]. One that is nil does nothing.
type PublisherOption interface{ publisher(c *publisherConfig) }

// A SubscriberOption configures a [Subscriber]. One that is nil does nothing.
type SubscriberOption interface{ subscriber(c *subscriberConfig) }

// A CommonOption configures either.
type CommonOption interface {
	PublisherOption
	SubscriberOption
}

// A SubscribeOption says what else a subscription is than a pattern. One that is nil does nothing.
type SubscribeOption interface{ subscribe(r *request) }

type publisherConfig struct {
	codec  patterns.Codec
	xpub   []socket.XPubOption
	beat   time.Duration
	time   bool
	origin bool

	history history // as it is to be
	unacked int
	lease   time.Duration
	spool   *spool.Spool
	refused func(error)
}

type subscriberConfig struct {
	codec patterns.Codec
	xsub  []socket.XSubOption
}

type (
	publisherOption  func(c *publisherConfig)
	subscriberOption func(c *subscriberConfig)
	codecOption      struct{ codec patterns.Codec }
)

func (o publisherOption) publisher(c *publisherConfig)    { o(c) }
func (o subscriberOption) subscriber(c *subscriberConfig) { o(c) }
func (o codecOption) publisher(c *publisherConfig)        { c.codec = o.or(c.codec) }
func (o codecOption) subscriber(c *subscriberConfig)      { c.codec = o.or(c.codec) }

func (o codecOption) or(other patterns.Codec) patterns.Codec {
	if o.codec == nil {
		return other
	}
	return o.codec
}

// WithCodec sets how values are encoded; the default, and nil, is [patterns.Msgpack]. A subscriber also decodes what
// says of itself that it is of another codec of package patterns; its own is for those of its type, and for messages of
// foreign publishers, which say nothing.
func WithCodec(c patterns.Codec) CommonOption { return codecOption{c} }

// WithXPub passes options to the publisher's socket, such as [socket.WithSendHWM] or [socket.WithOverflow].
// [socket.WithManual], [socket.WithLastValue] and [socket.WithSpool] are not for this package.
func WithXPub(opts ...socket.XPubOption) PublisherOption {
	return publisherOption(func(c *publisherConfig) { c.xpub = append(c.xpub, opts...) })
}

// WithXSub passes options to the subscriber's sockets, one for each endpoint.
func WithXSub(opts ...socket.XSubOption) SubscriberOption {
	return subscriberOption(func(c *subscriberConfig) { c.xsub = append(c.xsub, opts...) })
}

const (
	defaultBeat = time.Second
	slowestBeat = 64 // times as long as the first
)

// WithBeat sets after how long subscribers are told how many events were meant for them, so that they know what they
// have missed: the default, and 0 or less, is 1 s. While nothing is published it is told again ever more seldom, at
// last after 64 times as long.
func WithBeat(d time.Duration) PublisherOption {
	return publisherOption(func(c *publisherConfig) {
		if d > 0 {
			c.beat = d
		}
	})
}

// WithTime has each event carry when it was published, to the millisecond; see [Event.Time]. It takes 11 bytes.
func WithTime() PublisherOption {
	return publisherOption(func(c *publisherConfig) { c.time = true })
}

// WithOrigin has each event carry who published it, 16 bytes that are drawn for each Publisher, for those who read
// events behind a proxy. It takes 20 bytes.
func WithOrigin() PublisherOption {
	return publisherOption(func(c *publisherConfig) { c.origin = true })
}

// WithLastValue keeps the newest event of each subject, at most of so many: when one subject more comes, the one that
// was not published for longest is forgotten. Those get it that subscribe with [Last]. The default, and less than 0, is
// 0. The number bounds events, and not bytes: with large events choose it by what they may take in memory.
func WithLastValue(subjects int) PublisherOption {
	return publisherOption(func(c *publisherConfig) { c.history.subjects = max(subjects, 0) })
}

// WithReplay keeps the n newest events of all subjects together that are no older than age, of whatever age if that is
// 0 or less, for those who subscribe with [Replay]. The default, and less than 0, is 0. The number bounds events, and
// not bytes: with large events choose it by what they may take in memory.
func WithReplay(n int, age time.Duration) PublisherOption {
	return publisherOption(func(c *publisherConfig) { c.history.events, c.history.age = max(n, 0), max(age, 0) })
}

const (
	defaultUnacked = 10_000
	defaultLease   = 30 * time.Second
)

// WithUnacked sets how many events of one group may wait to be acknowledged, given to a member or not; then Publish
// waits. The default, and 0 or less, is 10,000.
func WithUnacked(n int) PublisherOption {
	return publisherOption(func(c *publisherConfig) {
		if n > 0 {
			c.unacked = n
		}
	})
}

// WithLease sets for how long a member of a group may say nothing while it has events; then others get them. The
// default, and 0 or less, is 30 s. Handle goes on saying something while a handler runs.
func WithLease(d time.Duration) PublisherOption {
	return publisherOption(func(c *publisherConfig) {
		if d > 0 {
			c.lease = d
		}
	})
}

type subscribeOption func(r *request)

func (o subscribeOption) subscribe(r *request) { o(r) }

// Group makes the subscriber a member of a group: of all members that have subscribed to the same pattern one gets each
// event, the one with the fewest at hand. Every publisher chooses for what it publishes. Without a [Publisher] at the
// other end there are no groups, nor through a proxy. A name has 1 to 200 bytes of UTF-8; "" is none.
//
// An event is acknowledged once it is done with: when Events is asked for the next, or Handle's handler has returned
// nil. What a member had that is lost, or says nothing for the time of [WithLease], goes to others, with
// [Event.Attempt]. Events keep their order as long as none comes again. While there is no member they are kept, up to
// [WithUnacked], for ten minutes; but Unsubscribe of the last one ends the group.
func Group(name string) SubscribeOption {
	return subscribeOption(func(r *request) { r.group = name })
}

// WithRefused has f told of each peer that says of itself that it is of another pattern than a subscriber, and was
// disconnected for that. The error names both, and matches ErrMismatch; a peer that connects again is told of again. f
// is called by the goroutine that receives: it must not wait, nor close the publisher. The default, and nil, is that
// nobody is told. A subscriber is told of such publishers by Events.
func WithRefused(f func(err error)) PublisherOption {
	return publisherOption(func(c *publisherConfig) { c.refused = f })
}

// WithSpool keeps durable subscriptions in a spool, which is for this publisher alone and is the caller's to close,
// after the publisher; see [Durable]. What is for one of them is on disk when Publish returns, and Publish waits for
// that. The default, and nil, is that there are none.
func WithSpool(q *spool.Spool) PublisherOption {
	return publisherOption(func(c *publisherConfig) { c.spool = q })
}

// Durable makes a subscription last: the publisher keeps, on disk, what is published for it while the subscriber is
// away, and across the death of either process. The name, of 1 to 200 bytes of UTF-8, and the pattern are what a
// publisher knows it by; "" is none.
//
//   - It begins with what is published once the publisher knows of it, and ends by [Publisher.DropSubscriber], or
//     with its spool. Unsubscribe and Close only go away.
//   - Events come once and in order. Each is acknowledged as that of a [Group] is. One that a handler gives back
//     comes again later, behind others, and after [spool.Options].MaxDeliveries times becomes a dead letter of the
//     spool. A process that dies, or goes away, gets again what it had and had not acknowledged: [Event.Seq] is then
//     that of the spool, the same each time, and [Event.Attempt] is above 0 if the publisher has lived on.
//   - What the spool has dropped, or lost, is in [Event.Missed] of the next event, exactly.
//   - One subscriber has it at a time: who comes later takes it over, and the one before is told so by Events, as an
//     error that matches ErrRefused. So is the subscriber of a publisher without [WithSpool], which gives it nothing.
func Durable(name string) SubscribeOption {
	return subscribeOption(func(r *request) { r.durable = name })
}

// Last asks for the newest event of each subject, from before the subscription; see [WithLastValue]. A publisher that
// keeps none has nothing to give.
func Last() SubscribeOption {
	return subscribeOption(func(r *request) { r.last = true })
}

// Replay asks for the n newest events from before the subscription; see [WithReplay]. When a connection was lost, it
// asks for what was published meanwhile, as far as the publisher has it still: [Event.Missed] is 0 then, where it
// would be -1.
func Replay(n int) SubscribeOption {
	return subscribeOption(func(r *request) {
		r.replay = uint64(max(n, 0))
		r.hold = r.replay > 0
	})
}

// Overflow sets what the publisher does with an event for which this subscriber's queue has no room: one of
// [socket.DropNewest], [socket.DropOldest], [socket.Conflate] and [socket.Disconnect]. It is for the connection, so
// that of several subscriptions the last one counts. What would have the publisher wait is for it to say; see
// [WithXPub].
func Overflow(policy socket.Overflow) SubscribeOption {
	return subscribeOption(func(r *request) { r.overflow = uint64(policy) + 1 })
}
