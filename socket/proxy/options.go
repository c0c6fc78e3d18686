package proxy

import (
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// An Option configures [Run]. Nil stands for none.
type Option interface{ apply(c *config) }

type setter func(c *config)

func (set setter) apply(c *config) { set(c) }

type config struct {
	capture socket.Sender
	drain   time.Duration
	control *Control
}

func configure(opts []Option) config {
	c := config{drain: time.Second, control: new(Control)}
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	return c
}

// WithCapture sends a copy of every message that is forwarded, in either direction, to another socket, such as a
// [socket.Pub] or a [socket.Push]. When that socket is full the proxy waits for it, unless its own overflow policy says
// otherwise. The default, and nil, is none.
func WithCapture(s socket.Sender) Option {
	return setter(func(c *config) { c.capture = s })
}

// WithDrain sets how long the proxy forwards on, after its context has ended, what had been received by then. The
// default is one second; zero or less forwards at most the message in hand, if there is room for it.
func WithDrain(d time.Duration) Option {
	return setter(func(c *config) { c.drain = max(0, d) })
}

// WithControl makes the proxy obey a [Control] and report to it. One Control is for one Run. It takes the place of
// libzmq's zmq_proxy_steerable. The default, and nil, is none.
func WithControl(control *Control) Option {
	return setter(func(c *config) {
		if control != nil {
			c.control = control
		}
	})
}
