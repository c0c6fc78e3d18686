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

	affinity  bool
	envelopes int
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

// WithAffinity has all messages of one envelope that come from the frontend go to one backend; see
// [socket.Msg.Envelope]. So what is said about a request after it, such as that it is cancelled, reaches whoever has
// it. The backend must be a DEALER without a spool.
//
// An envelope that is new is given to the next backend in turn that has room, and a message without one goes there too.
// When a backend has gone, what comes for its envelopes goes to others, but not what was queued for it, which is
// dropped and in the ledger of the DEALER under [socket.PeerGone]. While a backend has no room for a message of its
// own, the proxy waits for it, and nothing goes to the others meanwhile; what is to be done instead the DEALER's policy
// says ([socket.WithOverflow]).
//
// The proxy cannot see when a request is over, so that envelopes are forgotten in the order in which they were last
// used, once there are so many; at least the last half of that number are known. A REQ has the same envelope each time:
// all its requests go to one backend. The default is that each message goes to whichever backend is next; an
// envelopes of 0 or less is 65,536, which takes a few MB.
func WithAffinity(envelopes int) Option {
	return setter(func(c *config) {
		if c.affinity, c.envelopes = true, envelopes; envelopes <= 0 {
			c.envelopes = defaultEnvelopes
		}
	})
}
