package socket

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// config is what the options of a socket come to.
type config struct {
	identity         []byte
	sendMark         mark
	recvMark         mark
	overflow         Overflow
	reconnect        time.Duration
	reconnectMax     time.Duration
	connectOnce      bool
	connectTimeout   time.Duration
	handshakeTimeout time.Duration
	heartbeat        heartbeat
	slowAfter        time.Duration // SlowPeer for a queue that has been full for as long; 0 for never
	slowLimit        time.Duration // the same, and the connection is ended
	limits           Limits
	linger           time.Duration
	logger           *slog.Logger
	label            string
	withoutBallast   bool
	transports       map[string]transport.Transport

	metadata  zmtp.Metadata
	mechanism zmtp.Mechanism // nil is NULL

	authenticator         Authenticator // nil lets in whom the mechanism does
	authenticationTimeout time.Duration
	binding               func(user, name string) bool // nil for any

	immediate        bool // queueing senders
	maxAttempts      int  // the same; 0 for the default
	leastOutstanding bool // Push, Dealer
	latest           bool // receivers
	received         bool // receivers but Req, Rep and XPub; see WithReceived
	notices          bool // Dealer, Router, XSub
	probe            bool // Req, Dealer, Router
	topics           []string
	retries          int          // Req
	uncorrelate      bool         // Req
	relaxed          bool         // Req
	relaxedReplies   bool         // Rep
	replies          *spool.Spool // Rep; see WithReplies
	dropUnroutable   bool         // Router
	handover         bool         // Router
	verbosity        Verbosity
	manual           bool    // XPub
	welcome          Msg     // Pub, XPub
	lastValues       int     // Pub, XPub
	matcher          Matcher // Pub, XPub

	reliable  bool // see WithReliable
	yodelOnly bool
	window    mark
	grace     time.Duration // less than 0 for ever

	manualAck    bool // see WithManualAck
	maxUnsettled uint64
	ackWait      time.Duration
	inbox        *spool.Spool // see WithInbox
	takenIn      *spool.Spool
	taker        Taker
	receiverName string
	forget       time.Duration // see WithForget

	store      store // see WithSpool; nil for none
	durable    DurableSubscribers
	subscriber string // see WithSubscriberName
	start      spool.Start
	noSpool    bool // the role cannot have one
	partitions []string
	key        func(Msg) []byte
}

// heartbeat holds the times of WithHeartbeat.
type heartbeat struct {
	interval, timeout, ttl time.Duration
}

// Limits bound what a peer can make a socket hold. Going over one ends that one connection, with a [LimitHit] event
// or, before the handshake is done, a [HandshakeFailed] one; but a subscription over MaxTopic or MaxSubscriptions is
// refused alone, with a [SubscriptionRefused] event, so that a peer that passes on what others subscribe to keeps all
// the rest. A zero field keeps its default, a negative one takes the limit away.
//
// Nothing waits for what is over a limit. Connections that come in and are turned away are counted (see
// Stats.Refused) and told one event a second for each limit, with the Count of those since the last.
type Limits struct {
	// MaxMessage is the size of a whole message in bytes, all frames together; the default is 64 MiB. Send returns
	// ErrTooLarge for a larger one. (libzmq ZMQ_MAXMSGSIZE bounds one received frame only.)
	MaxMessage int64
	// MaxFrames is the number of frames in a message; the default is 1,024. Send returns ErrTooLarge for more.
	MaxFrames int
	// MaxTopic is the length of a subscription in bytes; the default is 1,024. Subscribe returns ErrTooLarge for a
	// longer one.
	MaxTopic int
	// MaxSubscriptions is the number of subscriptions one peer may hold; the default is 100,000. One more is refused,
	// and taken a second after the peer has cancelled others, if there is room then: up to 4 MiB of topics wait for
	// that, counted with 64 bytes added to each. What is beyond that has to be subscribed again. The subscriptions of
	// all subscribers behind a proxy are its own at its publishers.
	MaxSubscriptions int
	// MaxMetadata is the size of a peer's READY command in bytes, which may have a property for each 64 of them; the
	// default is 4,096. It cannot be taken away.
	MaxMetadata int
	// MaxHandshakes is the number of incoming connections whose handshake is under way; one more waits for room, and
	// ends the oldest, with ErrEvicted, once that has had 100 ms. The default is 1,024. It cannot be taken away.
	MaxHandshakes int
	// MaxAuthentications is the number of peers about which the Authenticator is asked at a time; others wait for their
	// turn within the time of their handshake. The default is 64. It cannot be taken away.
	MaxAuthentications int
	// MaxPeers is the number of peers that may be connected at a time by way of the endpoints this socket is bound
	// to. One more is turned away as it comes, with ErrTooManyPeers; what this socket connects to does not count. The
	// default is 65,536, which an idle crowd reaches at about a gigabyte. (libzmq has no such limit.)
	MaxPeers int
	// MaxPerAddress is the number of connections from one address that may be open at a time, those whose handshake is
	// under way included; it is for the endpoints this socket is bound to, as MaxPeers is. One more is turned away as it
	// comes, with ErrTooManyFromAddress. The default is 16,384, a quarter of MaxPeers: what one host has ports for, so
	// that many peers behind one translated address come in, and one address takes the places of the others by no means.
	//
	// An address of IPv6 is a network of 64 bits, whose addresses one host may have all. Connections over ipc and inproc
	// and those from this host are not counted, but see CountLocal.
	MaxPerAddress int
	// MaxHandshakeRate is the number of handshakes a second that connections from one address may begin; ten seconds'
	// worth may come at once. One more is turned away as it comes, with ErrTooFast, and may come again. The default is
	// 1,000: 10,000 peers behind one address that come back at once after a fault are all let in, and a stranger who does
	// nothing but shake hands is kept to what that costs. Who serves peers that do not come in crowds sets 10.
	//
	// With NULL and PLAIN a handshake costs next to nothing, beside what the Authenticator does. With CURVE one connection
	// can have the server make one key exchange and one new key by its HELLO, which costs the stranger nothing, for it may
	// send the same one on each connection; and two key exchanges more by an INITIATE, for which it has to make as many.
	// That is about 0.1 ms of one core for a HELLO and 0.25 ms for both (BenchmarkHostileHandshake of package
	// transport/zmtp/curve). Anything else ends the connection. So one address can take up a tenth of a core, or a quarter
	// if it works as hard itself, and a thousandth of a core at a rate of 10.
	MaxHandshakeRate int
	// CountLocal has MaxPerAddress and MaxHandshakeRate hold for connections over IP from this host too: from a loopback
	// address, or from the address that is connected to. They are left out by default, for what runs on this host, such
	// as a proxy for peers elsewhere, makes all its connections from one address.
	CountLocal bool
	// MaxBuffered is what all peers together make the socket hold on the way in, in bytes, counted as
	// [WithRecvHWMBytes] does: what is unread and, where it takes more than 64 KiB, what has come of messages under
	// way, for which there are three quarters and one message. Once it is used up the socket does not read until
	// there is less, and peers feel that as backpressure; see MinRate for those that do not go on. The default is
	// sixteen times MaxMessage: 1 GiB unless that was changed too.
	MaxBuffered int64
	// MinRate is how fast a message under way that takes more than 64 KiB has to come, in bytes a second, over each
	// 30 s in which the socket reads it; the default is 128. While others wait for nothing but its room (see
	// MaxBuffered) it is 64 KiB a second, over each 5 s. A message that is slower ends its connection.
	MinRate int
}

// An Overflow is what a sending socket does with a message for which there is no room: on a Push, Dealer and Pair
// when no peer has room, on a Pub, XPub, XSub, Router and Rep when one that the message is for has none. What is
// dropped is counted.
type Overflow int

const (
	// Block waits in Send until there is room or the context ends. It is the default of all but Pub, XPub,
	// XSub and Rep, where one peer that does not read then holds up all (libzmq ZMQ_XPUB_NODROP).
	Block Overflow = iota
	// Reject returns ErrWouldBlock from Send at once; nobody gets the message.
	Reject
	// DropNewest drops this message, for the peers that are full. It is the default of Pub, XPub, XSub
	// and Rep.
	DropNewest
	// DropOldest drops the oldest message that has not begun to leave or, if all have, this one.
	DropOldest
	// Conflate keeps only the newest message that has not begun to leave, whatever the high-water mark (libzmq
	// ZMQ_CONFLATE, here also for multipart messages).
	Conflate
	// Disconnect drops this message and ends the connection to the peer that is full, which may come back. On Push,
	// Dealer and Pair, whose messages are for no one peer, it is the same as Block.
	Disconnect
)

// Defaults; see the options for what they mean.
const (
	defaultHWM              = 1000
	defaultHWMBytes         = 64 << 20
	defaultReconnect        = 100 * time.Millisecond
	defaultReconnectMax     = 2 * time.Second
	defaultConnectTimeout   = 10 * time.Second
	defaultHandshakeTimeout = 10 * time.Second
	defaultAuthentication   = 5 * time.Second
	defaultInterval         = 5 * time.Second
	defaultTimeout          = 15 * time.Second
	defaultMaxAttempts      = 3
	defaultSlowAfter        = 5 * time.Second
	defaultLinger           = 500 * time.Millisecond
	defaultReliableAttempts = 20 // of a network that breaks again and again nothing is concluded too soon
	defaultGrace            = reliable.DefaultGrace
	maxLinger               = 700 * time.Millisecond // Close returns within a second
)

var defaultWindow = mark{reliable.DefaultWindowMessages, reliable.DefaultWindowBytes}

// defaultsDropping are the defaults of the roles that drop a message for a peer that is full.
func defaultsDropping() config {
	c := defaults()
	c.overflow = DropNewest
	return c
}

func defaults() config {
	c := config{
		sendMark:         mark{defaultHWM, defaultHWMBytes},
		recvMark:         mark{defaultHWM, defaultHWMBytes},
		reconnect:        defaultReconnect,
		reconnectMax:     defaultReconnectMax,
		connectTimeout:   defaultConnectTimeout,
		handshakeTimeout: defaultHandshakeTimeout,
		heartbeat:        heartbeat{defaultInterval, defaultTimeout, defaultTimeout},
		slowAfter:        defaultSlowAfter,
		limits: Limits{
			MaxMessage:       64 << 20,
			MaxFrames:        1024,
			MaxTopic:         1024,
			MaxSubscriptions: 100_000,
			MaxMetadata:      4096,
			MaxHandshakes:    1024,
			MaxPeers:         65_536,
			MaxPerAddress:    16_384,
			MaxHandshakeRate: 1000,
			MinRate:          128,

			MaxAuthentications: 64,
		},
		authenticationTimeout: defaultAuthentication,

		linger: defaultLinger,
		window: defaultWindow,
		grace:  defaultGrace,

		maxUnsettled: defaultMaxUnsettled,
		forget:       defaultForget,

		transports: make(map[string]transport.Transport, 4),
	}
	for _, t := range []transport.Transport{transport.NewTCP(), transport.NewIPC(), transport.DefaultInproc()} {
		c.transports[t.Scheme()] = t
	}
	return c
}

// attempts is how often a message may be begun; less than 0 for any number.
func (c *config) attempts() int {
	switch {
	case c.maxAttempts != 0:
		return c.maxAttempts
	case c.reliable:
		return defaultReliableAttempts
	}
	return defaultMaxAttempts
}

// valid checks what the options, which cannot fail, have taken as it was.
func (c *config) valid() error {
	if err := c.validOptions(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidOption, err)
	}
	return nil
}

func (c *config) validOptions() error {
	if len(c.identity) > 0 {
		if err := validIdentity(string(c.identity)); err != nil {
			return err
		}
	}
	for _, p := range c.metadata {
		if !strings.HasPrefix(p.Name, "X-") || p.Name == zmtp.PropertyYodel {
			return fmt.Errorf("metadata property %q: write X-Something, other than %s", p.Name, zmtp.PropertyYodel)
		}
	}
	if c.store != nil && c.noSpool {
		return errors.New("this type of socket does not send from a spool")
	}
	if c.notices && c.inbox != nil {
		return errors.New("an inbox on disk does not keep arrivals and departures: leave out WithNotices or WithInbox")
	}
	if c.replies != nil && c.replies == c.inbox {
		return errors.New("replies are not kept in the spool of WithInbox: give WithReplies another one")
	}
	if c.store != nil && c.uncorrelate {
		return errors.New("requests from a spool are told from each other by their ids: leave out WithCorrelate(false)")
	}
	if err := c.metadata.Validate(); err != nil {
		return err
	}
	if err := c.validDurable(); err != nil {
		return err
	}
	for _, t := range c.topics {
		if most := c.limits.MaxTopic; most > 0 && len(t) > most {
			return topicTooLarge(len(t), most)
		}
	}
	return nil
}

// validIdentity checks the name of a peer, which a ROUTER's own never begin as.
func validIdentity(id string) error {
	if id == "" || len(id) > zmtp.MaxIdentity || id[0] == 0 {
		return fmt.Errorf("identity %.32q: 1 to %d bytes, the first not zero", id, zmtp.MaxIdentity)
	}
	return nil
}
