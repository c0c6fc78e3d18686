package group

import (
	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// An Option configures a [Member]. A nil one is none.
type Option interface{ apply(c *config) }

type option func(c *config)

func (o option) apply(c *config) { o(c) }

type config struct {
	codec  patterns.Codec
	router []socket.RouterOption
}

// WithCodec sets how values are encoded; the default is [patterns.Msgpack]. What comes in another encoding that package
// patterns has is decoded as well.
func WithCodec(c patterns.Codec) Option {
	return option(func(cfg *config) {
		if c != nil {
			cfg.codec = c
		}
	})
}

// WithRouter sets options of the socket that a member has, such as those for limits, heartbeats and transports. It may
// be given several times.
func WithRouter(opts ...socket.RouterOption) Option {
	return option(func(c *config) { c.router = append(c.router, opts...) })
}
