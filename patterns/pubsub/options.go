package pubsub

import (
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
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
// [socket.WithManual], [socket.WithMatcher], [socket.WithLastValue] and [socket.WithSpool] are not for this package.
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
