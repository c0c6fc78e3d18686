package socket

// WithOverflow sets what Send does when there is no room. The default is [DropNewest] on a Pub, an XPub, an
// XSub and a Rep, [Block] on all others; a value that is none of the constants keeps it. See also [Pub.SetOverflow].
func WithOverflow(p Overflow) SendOption {
	return optionForSenders{setting: func(c *config) {
		if p >= Block && p <= Disconnect {
			c.overflow = p
		}
	}}
}

// A QueueOption configures a socket that keeps messages for a first peer to appear.
type QueueOption interface {
	PushOption
	DealerOption
	ReqOption
	PairOption
}

// WithImmediate makes Send wait for a peer instead of queueing messages for the first one that appears (libzmq
// ZMQ_IMMEDIATE). The default is to queue.
func WithImmediate() QueueOption {
	return optionForQueues{setting: func(c *config) { c.immediate = true }}
}

// WithMaxAttempts bounds how often the sending of one message may begin: when a peer ends the connection in the
// middle of a message, as it does for one over its limit, the message goes to the next peer, or to the same one
// again; after n times it is dropped as [Undeliverable], with an [Undelivered] event, and the messages behind it
// flow. A connection that is lost for other reasons does not count. What reliable peers give back ([Delivery.Nak]) is
// sent again within the same bound, and then dropped as [TooManyDeliveries]; there each peer counts, too, that was lost
// and may have received the message. The default, and 0, is 3, with [WithReliable] 20; less than 0 is no bound.
func WithMaxAttempts(n int) QueueOption {
	return optionForQueues{setting: func(c *config) {
		if n != 0 {
			c.maxAttempts = n
		}
	}}
}

// A BalanceOption configures a socket that spreads messages over its peers.
type BalanceOption interface {
	PushOption
	DealerOption
}

// WithLeastOutstanding sends each message to the peer with the fewest outstanding messages, in turn among equals; the
// default is strictly in turn. Outstanding are, for a Push, the messages queued here for the peer; for a Dealer, the
// messages it has been sent less those it has sent back, so that a slow worker gets less to do.
func WithLeastOutstanding() BalanceOption {
	return optionForBalancers{setting: func(c *config) { c.leastOutstanding = true }}
}

// A LatestOption configures a socket that receives.
type LatestOption interface {
	PullOption
	SubOption
	DealerOption
	PairOption
}

// WithLatest keeps only the newest message of each connection for Recv; older ones are counted as discarded (libzmq
// ZMQ_CONFLATE on the receiving side, here also for multipart messages). It looks at no topic: of a publisher of
// several the newest of all is kept, so that a Sub that wants the newest of each needs a socket for each. The default
// is to keep all, up to the high-water mark. [Conflate] is the same for the sending side.
func WithLatest() LatestOption {
	return optionForReceivers{setting: func(c *config) { c.latest = true }}
}

// A ProbeOption configures a socket that a ROUTER should hear of at once.
type ProbeOption interface {
	ReqOption
	DealerOption
	RouterOption
}

// WithProbe sends an empty message to each new peer, from which a ROUTER learns that this socket is there (libzmq
// ZMQ_PROBE_ROUTER). The default is not to. It is for peers that expect it; our own Router has events.
func WithProbe() ProbeOption {
	return optionForProbes{setting: func(c *config) { c.probe = true }}
}

// A TopicOption configures a socket that subscribes.
type TopicOption interface {
	SubOption
	XSubOption
}

// WithSubscription subscribes to topics from the start, as Subscribe would; "" is everything. It may be given several
// times; the default is to subscribe to nothing. Bind and Connect return an error that matches ErrInvalidOption and
// ErrTooLarge for a topic over [Limits.MaxTopic].
func WithSubscription(topics ...string) TopicOption {
	return optionForSubscribers{setting: func(c *config) { c.topics = append(c.topics, topics...) }}
}

// WithRetry sends a request again, to the next peer, when the peer it went to is lost before it replied, up to n times.
// The peer may have begun or even finished its work, so use it for requests that may be carried out twice. The default,
// and less than 0, is 0: Recv returns an error that names the peer.
func WithRetry(n int) ReqOption {
	return optionForReq{setting: func(c *config) { c.retries = max(0, n) }}
}

// WithCorrelate puts a request id in front of each request, which every REP and ROUTER sends back with the reply, so
// that a late reply is not taken for another one. The default is true; false is for peers behind a ROUTER that expect
// exactly one empty frame before the request (libzmq ZMQ_REQ_CORRELATE, there off by default).
func WithCorrelate(on bool) ReqOption {
	return optionForReq{setting: func(c *config) { c.uncorrelate = !on }}
}

// WithRelaxed lets Send send a new request before the reply to the last one has come; that reply is then discarded
// (libzmq ZMQ_REQ_RELAXED). The default is to return ErrState.
func WithRelaxed() ReqOption {
	return optionForReq{setting: func(c *config) { c.relaxed = true }}
}

// WithRelaxedReplies lets Recv wait for the next request while the last one has no reply; when that request is returned
// it takes the place of the other, whose peer gets no reply any more. It is for a server that answers some requests
// only, or that receives in a goroutine of its own. The default is to return ErrState.
func WithRelaxedReplies() RepOption {
	return optionForRep{setting: func(c *config) { c.relaxedReplies = true }}
}

// WithDropUnroutable makes Send drop, and count, a message for a peer that is not there, instead of returning
// ErrUnroutable (libzmq without ZMQ_ROUTER_MANDATORY, where it is not counted).
func WithDropUnroutable() RouterOption {
	return optionForRouter{setting: func(c *config) { c.dropUnroutable = true }}
}

// WithHandover gives an identity that is in use to the newest peer that claims it, and ends the connection that had it.
// The default is to refuse the newcomer, with an event on this side (libzmq ZMQ_ROUTER_HANDOVER; libzmq's default
// leaves the newcomer connected and unreachable).
func WithHandover() RouterOption {
	return optionForRouter{setting: func(c *config) { c.handover = true }}
}

// A Verbosity says which subscriptions an [XPub] hands to the application, and with that how a cancellation is to be
// read: as the end of all subscriptions to its topic that came before, but of those of its [Subscription.Peer] alone
// under [EveryChange] and [WithManual]. A peer may subscribe to what it has, any number of times; one cancellation
// ends that. An [XSub] that is given the messages to send, by package proxy or by other code that does not change them,
// knows this.
type Verbosity int

const (
	// FirstAndLast hands over the first subscription to a topic and its last cancellation, over all peers.
	FirstAndLast Verbosity = iota
	// EverySubscription hands over all subscriptions, and the last cancellation (libzmq ZMQ_XPUB_VERBOSE).
	EverySubscription
	// EveryChange hands over all subscriptions and cancellations (libzmq ZMQ_XPUB_VERBOSER).
	EveryChange
)

// WithVerbosity sets which subscriptions Recv returns. The default is [FirstAndLast]; a value that is none of the
// constants keeps it.
func WithVerbosity(v Verbosity) XPubOption {
	return optionForXPub{setting: func(c *config) {
		if v >= FirstAndLast && v <= EveryChange {
			c.verbosity = v
		}
	}}
}

// WithManual leaves it to the application which topics a peer is subscribed to: what the peer asks for is only handed
// over, all of it but cancellations of what it never asked for, and takes effect through [XPub.Subscribe] (libzmq
// ZMQ_XPUB_MANUAL). When the peer leaves, the cancellations handed over are of what it had asked for. The default is
// that a peer gets what it asks for.
func WithManual() XPubOption {
	return optionForXPub{setting: func(c *config) { c.manual = true }}
}

// A PublishOption configures a socket that publishes, a [Pub] or an [XPub].
type PublishOption interface {
	PubOption
	XPubOption
}

// WithWelcome sends a message to each new peer before anything else; a SUB receives it if it is subscribed to its
// topic (libzmq ZMQ_XPUB_WELCOME_MSG). The default, and a message without frames, is none. The frames must not be
// changed afterwards.
func WithWelcome(m Msg) PublishOption {
	return optionForPublishers{setting: func(c *config) { c.welcome = m }}
}

// WithLastValue keeps the last message of each topic (the whole first frame), at most n topics, and sends those that
// match to each new subscriber, in the order they were published. When one topic more comes, the one that was not
// published for longest is forgotten. To subscribe to what one has sends nothing. Up to 64 messages are sent before
// anything that is published later; of more, a message that comes meanwhile may go first, but none of its own topic.
// A peer over the wire is sent as many in a second as n, or 1,000 if n is less, and once as many at a time: who asks
// for more by subscribing again and again is read from as much more slowly. The default, and less than 0, is 0:
// nothing is kept. It takes the place of libzmq's ZMQ_XPUB_MANUAL_LAST_VALUE.
func WithLastValue(n int) PublishOption {
	return optionForPublishers{setting: func(c *config) { c.lastValues = max(0, n) }}
}
