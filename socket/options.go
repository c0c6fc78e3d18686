package socket

import (
	"log/slog"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Options are sealed and come by role; the package's documentation says what holds for all of them.
type (
	// A PushOption configures a [Push].
	PushOption interface {
		setter
		push()
	}
	// A PullOption configures a [Pull].
	PullOption interface {
		setter
		pull()
	}
	// A PubOption configures a [Pub].
	PubOption interface {
		setter
		pub()
	}
	// A SubOption configures a [Sub].
	SubOption interface {
		setter
		sub()
	}
	// A ReqOption configures a [Req].
	ReqOption interface {
		setter
		req()
	}
	// A RepOption configures a [Rep].
	RepOption interface {
		setter
		rep()
	}
	// A DealerOption configures a [Dealer].
	DealerOption interface {
		setter
		dealer()
	}
	// A RouterOption configures a [Router].
	RouterOption interface {
		setter
		router()
	}
	// A PairOption configures a [Pair].
	PairOption interface {
		setter
		pair()
	}
	// An XPubOption configures an [XPub].
	XPubOption interface {
		setter
		xpub()
	}
	// An XSubOption configures an [XSub].
	XSubOption interface {
		setter
		xsub()
	}

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
	// A SendOption configures a socket that sends what the application likes, replies and messages upstream included:
	// not subscriptions or requests.
	SendOption interface {
		PushOption
		PubOption
		RepOption
		DealerOption
		RouterOption
		PairOption
		XPubOption
		XSubOption
	}
)

// WithIdentity sets the name by which a ROUTER peer knows this socket, 1 to 255 bytes of which the first is not zero.
// The default, and "", is none; the ROUTER then makes one up for each connection. Only Req, Dealer and Router send it
// (RFC 37; libzmq ZMQ_ROUTING_ID). Bind and Connect return an error that matches ErrInvalidOption for any
// other.
func WithIdentity(id string) Option {
	return optionForAll{setting: func(c *config) { c.identity = []byte(id) }}
}

// WithMetadata adds a property to what peers learn about this socket, readable as [Peer.Metadata] (libzmq
// ZMQ_METADATA). The name must start with "X-", as RFC 37 asks of applications, and go on with letters, digits and
// "-_.+", 255 bytes in all; "X-Yodel" is taken. The value is any bytes. Bind and Connect return an error that matches
// ErrInvalidOption for any other name. Keep names, values and identity together below 150 bytes for the sake of old
// libzmq peers. The option may be given several times.
func WithMetadata(name, value string) Option {
	return optionForAll{setting: func(c *config) {
		c.metadata = append(c.metadata, zmtp.Property{Name: name, Value: []byte(value)})
	}}
}

// WithSendHWM sets the high-water mark of the way out: the number of messages that may wait for one peer, or for a
// first peer to appear, before the queue is full; [WithOverflow] says what happens then. What the kernel holds is not
// counted. Over inproc the peer's [WithRecvHWM] adds to it. A full queue opens again at half. The default is 1,000;
// zero or less means no limit (libzmq ZMQ_SNDHWM).
func WithSendHWM(messages int) Option {
	return optionForAll{setting: func(c *config) { c.sendMark.messages = atLeastZero(messages) }}
}

// WithSendHWMBytes is like [WithSendHWM] in bytes; whichever is reached first counts. A message counts with its
// payload and with what its frames cost beside: 2 bytes each once it waits for one peer, 32 each before there is one
// and over inproc. ([Ledger] has the payload alone.) A message may go over the mark, the next one then finds the
// queue full. The default is 64 MiB; zero or less means no limit.
func WithSendHWMBytes(bytes int64) Option {
	return optionForAll{setting: func(c *config) { c.sendMark.bytes = atLeastZero(bytes) }}
}

// WithRecvHWM sets the high-water mark of the way in: the number of messages from one peer that may wait for Recv. At
// the mark the socket stops reading from that peer, and goes on at half. Over inproc the peer's [WithSendHWM] adds to
// it. The default is 1,000; zero or less means no limit (libzmq ZMQ_RCVHWM).
func WithRecvHWM(messages int) Option {
	return optionForAll{setting: func(c *config) { c.recvMark.messages = atLeastZero(messages) }}
}

// WithRecvHWMBytes is like [WithRecvHWM] in bytes; whichever is reached first counts. A message counts with its
// payload and 32 bytes for each frame, which is about what that costs in a queue. The default is 64 MiB; zero or less
// means no limit.
//
// All peers that have gone share one such mark for what they have left unread, in which each counts for another 2
// KiB. While they are at it the socket reads from the peers that it has, but not from new ones, until that is down to
// half. Nothing is dropped: new peers feel it as backpressure.
func WithRecvHWMBytes(bytes int64) Option {
	return optionForAll{setting: func(c *config) { c.recvMark.bytes = atLeastZero(bytes) }}
}

func atLeastZero[T int | int64](n T) uint64 { return uint64(max(0, n)) }

// WithReconnect sets the pause before another attempt to connect: it starts at interval, doubles with each failure up
// to limit, and starts over after a connection that has lasted for as long as limit, or for 5 s if limit is more.
// After one that is lost sooner, though its handshake succeeded, it starts over too, but not if the one before was
// lost as soon. Each pause is drawn at random between half of that and all of it, so that many peers do not come at
// once. The defaults are 100 ms and 2 s. An interval of zero or less keeps the default; a limit below the interval
// means the interval (libzmq ZMQ_RECONNECT_IVL, ZMQ_RECONNECT_IVL_MAX).
func WithReconnect(interval, limit time.Duration) Option {
	return optionForAll{setting: func(c *config) {
		if interval <= 0 {
			interval = defaultReconnect
		}
		c.reconnect, c.reconnectMax = interval, max(interval, limit)
	}}
}

// WithoutReconnect makes Connect last for one connection: when that is lost, the socket stops connecting to the
// endpoint as Disconnect would, with a [Disconnected] event after PeerDown, until Connect is called again. Until there
// is a connection it keeps trying all the same. What was queued for the peer is dropped, and counted as [PeerGone]. The
// default is to connect again for ever (libzmq ZMQ_RECONNECT_IVL of -1, which also gives up after a first attempt that
// fails).
func WithoutReconnect() Option {
	return optionForAll{setting: func(c *config) { c.connectOnce = true }}
}

// WithConnectTimeout bounds one attempt to connect, name look-up included. The default is 10 s; zero or less leaves it
// to the transport (libzmq ZMQ_CONNECT_TIMEOUT). Of a name that has several addresses each is tried within the
// time, however short that is; see [transport.TCP].
func WithConnectTimeout(d time.Duration) Option {
	return optionForAll{setting: func(c *config) { c.connectTimeout = max(0, d) }}
}

// WithHandshakeTimeout bounds the handshake with one peer, from the connection to the peer's READY. The default is 10
// s, which zero or less keeps (libzmq ZMQ_HANDSHAKE_IVL).
func WithHandshakeTimeout(d time.Duration) Option {
	return optionForAll{setting: func(c *config) {
		if d > 0 {
			c.handshakeTimeout = d
		}
	}}
}

// WithHeartbeat sets the signs of life (libzmq ZMQ_HEARTBEAT_IVL, ZMQ_HEARTBEAT_TIMEOUT and ZMQ_HEARTBEAT_TTL, there
// off by default):
//
//   - A PING is sent after each interval in which nothing came from the peer, or up to an eighth of one sooner, so
//     that many peers get theirs at once. The default is 5 s; zero or less turns heartbeats off, but PINGs of the
//     peer are answered, and its TTL obeyed, all the same.
//   - A peer from which nothing came for timeout is dropped, with ErrHeartbeat. What it sends after that, because it
//     only stood still and has not learned of it, is received for 10 s more. The default is 15 s; zero or less means
//     three intervals.
//   - ttl asks the peer to drop us after as long. The default is 15 s; zero or less means the timeout. It is sent in
//     tenths of a second, rounded up, and clipped to 65.5 s.
//
// Any byte is a sign of life, and backpressure is not death. Peers that speak ZMTP 3.0 are never sent a PING, nor
// dropped for silence; nor is, after the first time, one that says it speaks 3.1 and hangs up on PING
// ([HeartbeatOff]). Over inproc there are no heartbeats, nor any need of them.
func WithHeartbeat(interval, timeout, ttl time.Duration) Option {
	return optionForAll{setting: func(c *config) {
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
	}}
}

// WithSlowPeer sets when a peer that takes nothing is named and, if asked for, cut off. A queue that has been full
// for notice, without coming down to half of its high-water mark, is told by a [SlowPeer] event, once until it does:
// under [Block], too, where nothing is dropped. One that has been full for disconnect costs the peer its connection,
// with ErrSlow; it may come back, and what was queued goes where the role sends it (another peer, or dropped as
// [PeerGone]). The defaults are 5 s and never; for notice zero keeps the default and less than zero is never, for
// disconnect zero or less is never. (libzmq has no such option; ZMQ_TCP_MAXRT comes near.)
func WithSlowPeer(notice, disconnect time.Duration) Option {
	return optionForAll{setting: func(c *config) {
		if notice != 0 {
			c.slowAfter = max(0, notice)
		}
		c.slowLimit = max(0, disconnect)
	}}
}

// WithLimits sets the bounds on what a peer can make the socket hold; see [Limits] for their defaults.
func WithLimits(l Limits) Option {
	return optionForAll{setting: func(c *config) {
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
		if l.MaxAuthentications > 0 {
			c.limits.MaxAuthentications = l.MaxAuthentications
		}
		set(&c.limits.MaxPeers, l.MaxPeers)
		set(&c.limits.MaxPerAddress, l.MaxPerAddress)
		set(&c.limits.MaxHandshakeRate, l.MaxHandshakeRate)
		c.limits.CountLocal = c.limits.CountLocal || l.CountLocal
		set(&c.limits.MinRate, l.MinRate)
		if l.MaxBuffered != 0 { // less than zero stays: zero follows MaxMessage
			c.limits.MaxBuffered = max(-1, l.MaxBuffered)
		}
	}}
}

// set takes over a limit: zero keeps what there is, a negative one becomes zero, no limit.
func set[T int | int64](to *T, n T) {
	if n != 0 {
		*to = max(0, n)
	}
}

// WithLinger sets how long Close waits for queued messages to leave. The default is 500 ms; zero or less means not at
// all, and more than 700 ms means 700 ms, since Close returns within a second. [Push.Shutdown] waits as long as its
// context says (libzmq ZMQ_LINGER, there for ever by default).
func WithLinger(d time.Duration) Option {
	return optionForAll{setting: func(c *config) { c.linger = min(max(0, d), maxLinger) }}
}

// WithoutBallast has the connections of this socket not count among the busy ones for which the process keeps a GC
// ballast, which is described in the package's documentation under "Where the memory goes". To do without it altogether
// set GOGC or call [runtime/debug.SetGCPercent], or give this option to every socket. By default they count.
func WithoutBallast() Option {
	return optionForAll{setting: func(c *config) { c.withoutBallast = true }}
}

// WithLabel gives the socket a label for people, by which they tell it from the others of a program: it is in its Stats
// and, as the attribute "socket", in each line of its log. It never leaves the process, need not be unique, and changes
// nothing else; the name of a reliable receiver is [WithName], that which a Router's peers see is [WithIdentity]. The
// default, and "", is none.
func WithLabel(label string) Option {
	return optionForAll{setting: func(c *config) { c.label = label }}
}

// WithLogger logs every event of the socket, from a goroutine of its own that ends with Close: trouble as a warning,
// peers that come and go as information, the rest for debugging. Of an endpoint that cannot be reached the first
// failure is a warning, each change of its cause is another, and one a minute says how many attempts have failed since;
// the attempts themselves are for debugging. The same holds for connections that come in and fail, by the host they
// come from. A socket that drops messages as it closes warns of that. The default, and nil, is not to log.
func WithLogger(l *slog.Logger) Option {
	return optionForAll{setting: func(c *config) { c.logger = l }}
}

// WithTransport adds a transport, or replaces the one for the same scheme. The default has tcp, ipc and inproc; give a
// [transport.TCP] of your own to set kernel buffers, keep-alive or how to dial, a [transport.IPC] to set who may
// connect to the socket files that Bind makes. For tls:// give that of package transport/mtls, which keeps crypto/tls
// out of programs that do without. nil is none.
func WithTransport(t transport.Transport) Option {
	return optionForAll{setting: func(c *config) {
		if t != nil {
			c.transports[t.Scheme()] = t
		}
	}}
}
