package socket

import (
	"log/slog"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Options are sealed and come by role, so that an option that means nothing to a role does not compile with it. They
// take effect in the constructor only; the last of two that contradict wins, and nil is none.
type (
	// A PushOption configures a [Push].
	PushOption interface{ push(*config) }
	// A PullOption configures a [Pull].
	PullOption interface{ pull(*config) }
	// A PubOption configures a [Pub].
	PubOption interface{ pub(*config) }
	// A SubOption configures a [Sub].
	SubOption interface{ sub(*config) }
	// A ReqOption configures a [Req].
	ReqOption interface{ req(*config) }
	// A RepOption configures a [Rep].
	RepOption interface{ rep(*config) }
	// A DealerOption configures a [Dealer].
	DealerOption interface{ dealer(*config) }
	// A RouterOption configures a [Router].
	RouterOption interface{ router(*config) }
	// A PairOption configures a [Pair].
	PairOption interface{ pair(*config) }
	// An XPubOption configures a [XPub].
	XPubOption interface{ xpub(*config) }
	// An XSubOption configures a [XSub].
	XSubOption interface{ xsub(*config) }

	// An Option configures a socket of any role.
	Option interface {
		PushOption
		PullOption
		PubOption
		SubOption
		ReqOption
		RepOption
		DealerOption
		RouterOption
		PairOption
		XPubOption
		XSubOption
	}
	// A SendOption configures a socket that sends of its own accord.
	SendOption interface {
		PushOption
		PubOption
		DealerOption
		RouterOption
		PairOption
		XPubOption
	}
)

type option func(*config)

func (o option) push(c *config)   { o(c) }
func (o option) pull(c *config)   { o(c) }
func (o option) pub(c *config)    { o(c) }
func (o option) sub(c *config)    { o(c) }
func (o option) req(c *config)    { o(c) }
func (o option) rep(c *config)    { o(c) }
func (o option) dealer(c *config) { o(c) }
func (o option) router(c *config) { o(c) }
func (o option) pair(c *config)   { o(c) }
func (o option) xpub(c *config)   { o(c) }
func (o option) xsub(c *config)   { o(c) }

// WithIdentity sets the name that the socket shows to its peers, 1 to 255 bytes of which the first is not zero; the
// default is none. Only REQ, DEALER and ROUTER send it (RFC 37; libzmq ZMQ_ROUTING_ID). Bind and Connect return an
// error for an identity that is out of range.
func WithIdentity(id string) Option {
	return option(func(c *config) { c.identity = []byte(id) })
}

// WithMetadata adds a property to what peers learn about this socket, readable as [Peer.Metadata]. The name must start
// with "X-", as RFC 37 asks of applications; Bind and Connect return an error for any other. Keep all properties
// together below 200 bytes for the sake of old peers (libzmq ZMQ_METADATA).
func WithMetadata(name, value string) Option {
	return option(func(c *config) {
		c.metadata = append(c.metadata, zmtp.Property{Name: name, Value: []byte(value)})
	})
}

// WithSendHWM sets the high-water mark of the way out: the number of messages that wait for one peer, or for a first
// peer to appear, before the socket is full. What the kernel holds is not counted. A full queue opens again at half.
// The default is 1,000; zero or less means no limit (libzmq ZMQ_SNDHWM).
func WithSendHWM(messages int) Option {
	return option(func(c *config) { c.sendMark.messages = atLeastZero(messages) })
}

// WithSendHWMBytes is like [WithSendHWM] in payload bytes; whichever is reached first counts. A message may go over
// it, the next one then finds the queue full. The default is 64 MiB; zero or less means no limit.
func WithSendHWMBytes(bytes int64) Option {
	return option(func(c *config) { c.sendMark.bytes = atLeastZero(bytes) })
}

// WithRecvHWM sets the high-water mark of the way in: the number of messages from one peer that wait for Recv. At the
// mark the socket stops reading from that peer, and goes on at half. The default is 1,000; zero or less means no limit
// (libzmq ZMQ_RCVHWM).
func WithRecvHWM(messages int) Option {
	return option(func(c *config) { c.recvMark.messages = atLeastZero(messages) })
}

// WithRecvHWMBytes is like [WithRecvHWM] in payload bytes; whichever is reached first counts. The default is 64 MiB;
// zero or less means no limit.
func WithRecvHWMBytes(bytes int64) Option {
	return option(func(c *config) { c.recvMark.bytes = atLeastZero(bytes) })
}

func atLeastZero[T int | int64](n T) uint64 { return uint64(max(0, n)) }

// WithReconnect sets the pause before another attempt to connect: it starts at interval, doubles with each failure up
// to limit, and starts over after a handshake has succeeded. Each pause is drawn at random between half of that and all of
// it, so that many peers do not come at once. The defaults are 100 ms and 2 s. An interval of zero or less keeps the
// default; a limit below the interval means the interval (libzmq ZMQ_RECONNECT_IVL, ZMQ_RECONNECT_IVL_MAX).
func WithReconnect(interval, limit time.Duration) Option {
	return option(func(c *config) {
		if interval <= 0 {
			interval = defaultReconnect
		}
		c.reconnect, c.reconnectMax = interval, max(interval, limit)
	})
}

// WithConnectTimeout bounds one attempt to connect, name look-up included. The default is 10 s; zero or less leaves it
// to the transport (libzmq ZMQ_CONNECT_TIMEOUT).
func WithConnectTimeout(d time.Duration) Option {
	return option(func(c *config) { c.connectTimeout = max(0, d) })
}

// WithHandshakeTimeout bounds the handshake with one peer, from the first byte to READY. The default is 10 s, which
// zero or less keeps (libzmq ZMQ_HANDSHAKE_IVL).
func WithHandshakeTimeout(d time.Duration) Option {
	return option(func(c *config) {
		if d > 0 {
			c.handshakeTimeout = d
		}
	})
}

// WithHeartbeat sets the signs of life: a PING is sent each interval in which the connection was idle; a peer that gave no
// sign for timeout is dropped; ttl asks the peer to drop us after as long. The defaults are 5 s, 15 s and 15 s. A
// timeout of zero means three intervals, a ttl of zero the timeout. The ttl is sent in tenths of a second and clipped
// to 65.5 s. An interval of zero or less turns heartbeats off; PINGs of the peer are answered all the same. Peers that
// speak ZMTP 3.0 are never sent a PING (libzmq ZMQ_HEARTBEAT_IVL, _TIMEOUT, _TTL).
func WithHeartbeat(interval, timeout, ttl time.Duration) Option {
	return option(func(c *config) {
		if interval <= 0 {
			c.heartbeat = heartbeat{}
			return
		}
		if timeout <= 0 {
			timeout = 3 * interval
		}
		if ttl <= 0 {
			ttl = timeout
		}
		c.heartbeat = heartbeat{interval, timeout, ttl}
	})
}

// WithLimits sets the bounds on what a peer may send; see [Limits].
func WithLimits(l Limits) Option {
	return option(func(c *config) {
		set(&c.limits.MaxMessage, l.MaxMessage)
		set(&c.limits.MaxFrames, l.MaxFrames)
		set(&c.limits.MaxTopic, l.MaxTopic)
		set(&c.limits.MaxSubscriptions, l.MaxSubscriptions)
		if l.MaxMetadata > 0 {
			c.limits.MaxMetadata = l.MaxMetadata
		}
		if l.MaxHandshakes > 0 {
			c.limits.MaxHandshakes = l.MaxHandshakes
		}
	})
}

// set takes over a limit: zero keeps what there is, a negative one becomes zero, no limit.
func set[T int | int64](to *T, n T) {
	if n != 0 {
		*to = max(0, n)
	}
}

// WithLinger sets how long Close waits for queued messages to leave. The default is 500 ms, the most 700 ms, since Close
// returns within a second; [Push.Shutdown] waits as long as its context says (libzmq ZMQ_LINGER).
func WithLinger(d time.Duration) Option {
	return option(func(c *config) { c.linger = min(max(0, d), maxLinger) })
}

// WithLogger logs every event of the socket, from a goroutine of its own. The default is not to log.
func WithLogger(l *slog.Logger) Option {
	return option(func(c *config) { c.logger = l })
}

// WithTransport adds a transport, or replaces the one for the same scheme. The default has tcp, ipc and inproc.
func WithTransport(t transport.Transport) Option {
	return option(func(c *config) {
		if t != nil {
			c.transports[t.Scheme()] = t
		}
	})
}
