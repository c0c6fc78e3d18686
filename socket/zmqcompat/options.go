package zmqcompat

import (
	"log"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// An Option configures a socket as it is made. It is this package's own type, since the original's cannot be made or
// read by any other package; a nil Option is left out.
type Option func(*config)

// config is what the options of a socket come to.
type config struct {
	id         SocketIdentity
	security   Security
	retry      time.Duration
	maxRetries int
	attempt    time.Duration // bounds one attempt to connect; 0 leaves it to the transport
	timeout    time.Duration
	once       bool // WithAutomaticReconnect(false)
	logger     *log.Logger
}

// Defaults; see the options. The original waits five minutes for one attempt to connect.
const (
	defaultRetry      = 250 * time.Millisecond
	defaultMaxRetries = 10
	defaultAttempt    = 10 * time.Second
	defaultTimeout    = 5 * time.Minute
)

func newConfig(opts []Option) config {
	c := config{retry: defaultRetry, maxRetries: defaultMaxRetries, attempt: defaultAttempt, timeout: defaultTimeout}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	return c
}

// engine translates the options for the socket underneath.
func (c *config) engine() []socket.Option {
	opts := []socket.Option{
		socket.WithConnectTimeout(c.attempt),
		// The engine draws each pause between half and all of this, so that it is never shorter than asked for.
		socket.WithReconnect(2*c.retry, 2*c.retry),
		// Send has returned before all is in the kernel, unlike the original's; what is left gets the most there is.
		socket.WithLinger(time.Second),
	}
	if c.once {
		opts = append(opts, socket.WithoutReconnect())
	}
	if len(c.id) > 0 {
		opts = append(opts, socket.WithIdentity(string(c.id)))
	}
	if c.logger != nil {
		opts = append(opts, socket.WithLogger(toLog(c.logger)))
	}
	for _, t := range registered() {
		opts = append(opts, socket.WithTransport(t))
	}
	return opts
}

// WithID sets the name the socket shows to its peers, 1 to 255 bytes of which the first is not zero; Dial and Listen
// return an error for any other. The default is none, where the original makes up a random one. Only REQ, DEALER and
// ROUTER show it (RFC 37; libzmq ZMQ_ROUTING_ID).
func WithID(id SocketIdentity) Option {
	return func(c *config) { c.id = id }
}

// WithSecurity sets the security mechanism. nil and mechanisms of the type NULL, the default, mean none. With any
// other Dial and Listen return an error that matches errors.ErrUnsupported, rather than leave a connection open to
// all: no other mechanism is supported yet. (The original's PLAIN accepts any password.)
func WithSecurity(sec Security) Option {
	return func(c *config) { c.security = sec }
}

// WithDialerRetry sets the least pause between two attempts to connect to an endpoint; each is drawn at random up to
// twice as long, so that many sockets do not come at once. It holds within Dial and for reconnecting later. The
// default is 250 ms; zero or less means a millisecond.
func WithDialerRetry(retry time.Duration) Option {
	return func(c *config) {
		if retry <= 0 {
			retry = time.Millisecond
		}
		c.retry = retry
	}
}

// WithDialerTimeout bounds one attempt to connect, name look-up included. The default is 10 s (5 min in the
// original); zero or less leaves it to the transport.
func WithDialerTimeout(timeout time.Duration) Option {
	return func(c *config) { c.attempt = max(0, timeout) }
}

// WithTimeout bounds each Send and SendMulti; the error then matches context.DeadlineExceeded and the message was not
// taken, in whole or in part. The default is 5 min; zero or less means that Send never waits. As in the original it
// does not concern Recv.
func WithTimeout(timeout time.Duration) Option {
	return func(c *config) { c.timeout = max(0, timeout) }
}

// WithLogger writes what goes wrong with connections (refused handshakes, protocol errors, limits, dropped messages)
// to a logger, one line each, from a goroutine of its own. The default, and nil, is not to log; the original's is
// stderr.
func WithLogger(logger *log.Logger) Option {
	return func(c *config) { c.logger = logger }
}

// WithDialerMaxRetries sets how many times Dial tries again before it gives up and returns the last error. The
// default is 10; 0 means a single attempt; less means that Dial returns at once and the socket keeps trying for ever,
// as with libzmq.
func WithDialerMaxRetries(maxRetries int) Option {
	return func(c *config) { c.maxRetries = max(-1, maxRetries) }
}

// WithAutomaticReconnect(false) ends an endpoint that was dialled with its connection, as in the original: what is
// queued for the peer is dropped, a Recv of PAIR, SUB, DEALER, PULL and XSUB returns io.EOF once for each connection
// that has ended, accepted ones included, when all that was received has been handed out, and that of a REQ if it waits
// for the reply. Send returns an error that matches ErrClosedConn while no connection is left of those that were
// dialled, and Dial makes a new one. With true, and by default (the original's is false), the socket connects again, to
// every endpoint it has dialled, and Recv goes on.
func WithAutomaticReconnect(on bool) Option {
	return func(c *config) { c.once = !on }
}
