// Package socket is what an application holds: one type for each ZeroMQ socket role, speaking ZMTP 3.1 (RFC 37) over
// tcp, ipc and inproc, with libzmq 4.0 or newer and every other ZeroMQ of ZMTP 3, and with no broker in between.
//
//	pull := socket.NewPull()
//	defer pull.Close()
//	endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
//	…
//	push := socket.NewPush()
//	defer push.Close()
//	push.Connect(endpoint)
//	push.Send(ctx, socket.Text("hello"))
//
// # What holds for every socket
//
// A socket may be bound to many endpoints and connected to many others; the order in which the two sides start does
// not matter. Constructors cannot fail and do no I/O. Bind returns when the address is bound; Connect returns at once
// and keeps trying. Any number of goroutines may use a socket at once. A context ends the one call it is given to and
// nothing else. It bounds waiting: with one that has ended already Send takes the message if there is room, Recv
// returns what is there, the Wait methods tell how things are, and a call that takes more than that, [Req.Do] and
// Bind, does nothing and returns the context's error.
//
// A message is a list of frames that travels whole. Send takes the bytes over; what Recv returns is the caller's for
// good. A peer that goes away is an [Event], not an error of Recv.
//
// Nothing disappears without a name: Stats gives a [Ledger] in which every accepted message is delivered, queued or
// dropped for a reason, at every moment. Delivered means handed to the transport; what the kernel or the network lost
// after that, because a connection was cut, no ZMTP peer can know.
//
// Errors come wrapped with what was being done and, as a [PeerError], with the peer or endpoint concerned. Match them
// by [errors.Is] with the sentinels below, with the context's own and, for an endpoint, with those of package
// transport (ErrAddress, ErrAddressInUse). What a peer does wrong is never an error of a call, only an event. But a
// call whose context ends while there is no peer says, as a [NoPeerError], how each endpoint has failed; Stats tells
// that at any time ([EndpointStats]).
//
// # Order
//
// What one goroutine sends to one peer arrives in the order it was sent, less what was dropped. There is no order
// between peers, from which Recv takes in turn, nor between messages that a role spreads over several. Nor is it kept
// across a reconnect: a new connection is a new peer, and what the old one brought and nobody has received yet takes
// turns with what the new one brings. If you need that order too, number the messages.
//
// # Full queues
//
// Each peer has a queue on the way out and one on the way in, each with a high-water mark in messages (1,000) and one
// in bytes (64 MiB); see [WithSendHWM] and [WithRecvHWM]. The kernel's buffers come on top. Over inproc the two are
// one queue, the receiver's, with the sum of both sides' marks.
//
// While the way in is full nothing is read from that peer, so that in time its way out fills. While the way out is
// full, Send does what [WithOverflow] says. By default it waits until there is room or its context ends; a Pub, an
// XPub, an XSub and a Rep drop the message instead, for the peers that are full and no others, and count it. A full
// queue opens again when it is down to half of its mark. A peer that holds its queue full is named by a [SlowPeer]
// event, and can be cut off ([WithSlowPeer]).
//
// A message in the middle of which peers end the connection, because it is over their limit, is given up after some
// attempts ([WithMaxAttempts]), so that it does not hold up what is behind it.
//
// # The end
//
// Shutdown waits until everything accepted has been delivered and the peers have read to the end of it, for as long
// as its context lasts; its error says what was not delivered, or what it does not know ([ErrUnconfirmed]). Close
// waits half a second at most for what is queued to leave ([WithLinger]) and returns within a second. What is left
// then is counted as dropped.
//
// The two directions of a connection end apart. What a peer sent before its end is received to the last message,
// whatever becomes of the way to that peer, and however long the application takes. A side that ends stays
// half-closed until the peer has read everything, within limits: ten seconds after Disconnect and Unbind, two minutes
// after Close and after a peer was given up for its silence.
//
// # Options
//
// Options go to the constructor and stay as they are (but see [Pub.SetOverflow]). They are typed by role, so that an
// option that means nothing to a role does not compile with it. Of two that contradict each other the last wins; nil
// is none. What a value out of range does is said with each option; a constructor cannot fail, so that Bind and
// Connect return the error where there is one.
//
// These have no counterpart in libzmq:
//
//	WithSendHWMBytes, WithRecvHWMBytes  high-water marks in bytes
//	WithLeastOutstanding                to the peer with the least to do, instead of round robin
//	WithRetry                           the request to another peer when the first is lost
//	WithMatcher                         who gets a message, by another rule than that of prefixes
//	WithSlowPeer                        when a peer that takes nothing is named, and cut off
//	WithMaxAttempts                     how often a message may cost a connection
//	WithReceived                        when each message came
//	WithAuthenticationTimeout           how long an authenticator may take
//	WithIdentityBinding                 peers have the identities and names that belong to their users
//	WithRelaxedReplies                  a Rep that need not reply to every request
//	WithoutBallast                      no GC ballast for this socket's connections
//	WithLogger                          events to a slog.Logger
//	WithLabel                           which socket a log, or Stats, is about
//	WithTransport                       a transport of your own, a given one with other settings, or transport/mtls
//
// # libzmq's options and ours
//
//	ZMQ_SNDHWM                  WithSendHWM
//	ZMQ_RCVHWM                  WithRecvHWM
//	ZMQ_SNDTIMEO, ZMQ_RCVTIMEO  the context of Send and Recv
//	ZMQ_LINGER                  the context of Shutdown; WithLinger for Close
//	ZMQ_IMMEDIATE               WithImmediate
//	ZMQ_CONFLATE                WithOverflow(Conflate) to send, WithLatest to receive
//	ZMQ_MAXMSGSIZE              WithLimits, for whole messages and on by default
//	ZMQ_MAX_MSGSZ               WithLimits
//	ZMQ_IN_BATCH_SIZE           none: batches follow the traffic
//	ZMQ_OUT_BATCH_SIZE          none, likewise
//	ZMQ_RCVMORE                 Msg.Frames: a message is received whole
//
//	ZMQ_ROUTING_ID              WithIdentity
//	ZMQ_CONNECT_ROUTING_ID      As, for ConnectWith; Router.ConnectAs is the same
//	ZMQ_ROUTER_MANDATORY        the default; WithDropUnroutable turns it off
//	ZMQ_ROUTER_HANDOVER         WithHandover
//	ZMQ_ROUTER_NOTIFY           the events PeerUp and PeerDown
//	ZMQ_PROBE_ROUTER            WithProbe
//	ZMQ_REQ_CORRELATE           WithCorrelate, on by default
//	ZMQ_REQ_RELAXED             WithRelaxed; see also Req.Do
//	ZMQ_METADATA                WithMetadata
//	zmq_msg_gets                Msg.From: Peer.Type, Peer.Identity, Peer.Address, Peer.User, Peer.Metadata
//	ZMQ_HELLO_MSG               the event PeerUp, or WithNotices; WithWelcome on a Pub or XPub
//	ZMQ_DISCONNECT_MSG          the event PeerDown, or WithNotices
//	ZMQ_HICCUP_MSG              the event PeerDown
//	ZMQ_STREAM_NOTIFY           none: there is no STREAM; raw TCP is what package net is for
//
//	ZMQ_SUBSCRIBE               Subscribe, or WithSubscription
//	ZMQ_UNSUBSCRIBE             Unsubscribe
//	ZMQ_TOPICS_COUNT            the length of Topics
//	ZMQ_XPUB_VERBOSE            WithVerbosity(EverySubscription)
//	ZMQ_XPUB_VERBOSER           WithVerbosity(EveryChange)
//	ZMQ_XPUB_MANUAL             WithManual
//	ZMQ_XPUB_MANUAL_LAST_VALUE  WithLastValue, which keeps the messages too
//	ZMQ_XPUB_NODROP             WithOverflow(Block), or for one peer SetOverflow
//	ZMQ_XPUB_WELCOME_MSG        WithWelcome
//
//	ZMQ_RECONNECT_IVL           WithReconnect; WithoutReconnect for -1
//	ZMQ_RECONNECT_IVL_MAX       WithReconnect
//	ZMQ_RECONNECT_STOP          Disconnect, from a reader of Events
//	ZMQ_CONNECT_TIMEOUT         WithConnectTimeout
//	ZMQ_HANDSHAKE_IVL           WithHandshakeTimeout
//	ZMQ_HEARTBEAT_IVL           WithHeartbeat, on by default
//	ZMQ_HEARTBEAT_TIMEOUT       WithHeartbeat
//	ZMQ_HEARTBEAT_TTL           WithHeartbeat
//	ZMQ_TCP_MAXRT               WithHeartbeat: a peer that does not answer is dropped
//	ZMQ_TCP_KEEPALIVE           transport.TCP.KeepAliveIdle, as all of these by WithTransport
//	ZMQ_TCP_KEEPALIVE_IDLE      transport.TCP.KeepAliveIdle
//	ZMQ_TCP_KEEPALIVE_INTVL     transport.TCP.KeepAliveInterval
//	ZMQ_TCP_KEEPALIVE_CNT       transport.TCP.KeepAliveCount
//	ZMQ_SNDBUF                  transport.TCP.SendBuffer, transport.IPC.SendBuffer
//	ZMQ_RCVBUF                  transport.TCP.RecvBuffer
//	ZMQ_SOCKS_PROXY             transport.TCP.DialContext
//	ZMQ_SOCKS_USERNAME          transport.TCP.DialContext
//	ZMQ_SOCKS_PASSWORD          transport.TCP.DialContext
//	ZMQ_BINDTODEVICE            an interface in the endpoint: tcp://eth0:5557, or tcp://eth0:0;host:5557 to connect
//	ZMQ_IPV6                    always on
//	ZMQ_USE_FD                  BindListener; to connect, transport.TCP.DialContext
//	ZMQ_LAST_ENDPOINT           what Bind returns; Endpoints lists them
//	ZMQ_TYPE                    Type
//	ZMQ_WSS_*                   none: no such transport; one of your own comes in by WithTransport
//
//	ZMQ_MECHANISM               WithSecurity, or SecuredBy for one endpoint
//	ZMQ_PLAIN_*                 WithSecurity with PLAIN of package zmtp; a server also needs WithAuthenticator
//	ZMQ_CURVE_*                 WithSecurity with package transport/zmtp/curve
//	ZMQ_ZAP_DOMAIN              WithAuthenticator: each socket has one of its own, which Claim.Endpoint may lead on
//	ZMQ_ZAP_ENFORCE_DOMAIN      none: an authenticator that is there is asked
//
// The others are left out on purpose: those about threads and file descriptors (ZMQ_AFFINITY, ZMQ_FD, ZMQ_EVENTS,
// ZMQ_IO_THREADS and most of a context), about transports that are not there (multicast, VMCI, GSSAPI), old names and
// ways (ZMQ_IPV4ONLY, ZMQ_ROUTER_RAW, ZMQ_TCP_ACCEPT_FILTER: wrap the listener and use BindListener), and what hardly
// anybody needs (ZMQ_INVERT_MATCHING, ZMQ_XSUB_VERBOSE_UNSUBSCRIBE, ZMQ_BACKLOG, ZMQ_TOS, ZMQ_PRIORITY,
// ZMQ_BUSY_POLL).
//
// Reliable links are ours alone: WithReliable has messages acknowledged and sent again, WithWindow bounds how much is
// on the way, WithReassign how long a lost peer is waited for, and WithYodelOnly refuses peers that acknowledge
// nothing. A receiver settles what comes over them by receiving it or, with WithManualAck, by the verbs of a
// [Delivery]; WithMaxUnsettled bounds how many may wait for one, WithAckWait for how long. WithInbox keeps messages on
// disk until they are settled, WithTakenIn and WithTaken only which ones were, and WithName names the receiver;
// WithForget says for how long a sender that stays away is remembered. WithSpool sends from disk, WithPartition to
// given receivers, by the key of WithKey; WithSubscriberName is for what was published meanwhile, which
// WithDurableSubscribers bounds. Requests of an earlier life are answered by [Req.Pending]; [Req.Withdraw] takes one
// back; WithReplies keeps on disk what a Rep has replied.
//
// Authenticators for [WithAuthenticator] are in package auth: keys and passwords in files, users of this host.
//
// libzmq's monitor events and ours stand at [EventKind]. zmq_proxy and zmq_proxy_steerable are package proxy.
//
// # How a message travels
//
// Application → role (which peer?) → link → kernel, and back. The roles, one file each (push.go, pull.go, pub.go, …),
// decide by one of the outbox's three ways: outbox_balance.go (one of many), outbox_fanout.go (all that want it),
// outbox_route.go (one given); outbox_overflow.go says what happens where there is no room. The link encodes on Send,
// into a batch that the sender itself writes when the link is idle and a goroutine writes when it is busy
// (link_write.go, link_batch.go, link_flight.go). One goroutine for each link reads slabs and hands whole messages to
// the inbox (link_read.go, inbox_put.go), which is fair among links; a receiver that waits for the only link reads for
// itself (link_handoff.go). A reader that always finds something lets others go first now and then (link_yield.go).
// Between sockets of one process messages move as values (link_inproc_send.go, link_inproc_batch.go).
//
// DESIGN.md beside this file has it step by step, with the states, the locks and what is not obvious. Start reading
// at core.go for the parts, then follow a message through push.go, outbox_balance.go and link_write.go. A
// connection's life is in endpoint_bind.go, endpoint_connect.go, endpoint_handshake.go, link_membership.go,
// link_end.go and close.go.
//
// # Where the memory goes
//
// What waits is bounded by the high-water marks, in messages and bytes, for each peer and direction; what a peer can
// claim is bounded by [Limits]. A message that the application keeps holds on to at most about 30 KiB beside itself,
// or twice that if its frames came by several reads. What the kernel holds for a connection comes on top
// (transport.TCP and transport.IPC have the sizes of its buffers).
//
// This is what strangers can make a socket hold on the heap, with the defaults, and what bounds it. Rows add up; what
// the kernel holds for each connection comes on top, up to some megabytes of what is not read.
//
//	                                        one         1,000       bounded by
//	shaking hands                           16 KiB      16 MiB      MaxHandshakes, WithHandshakeTimeout
//	connected, idle                         8 KiB       8 MiB       MaxPeers
//	its READY as large as may be            16 KiB      16 MiB      MaxMetadata
//	what messages are read into             48 KiB      47 MiB      -
//	a part of a message                     96 KiB      94 MiB      -
//	  of a large one, any role              64 MiB      832 MiB     MaxMessage, MaxBuffered, MinRate
//	unread (roles that receive)             128 MiB     1 GiB       WithRecvHWM, WithRecvHWMBytes, MaxBuffered
//	  left by peers that have gone          128 MiB     of these    WithRecvHWMBytes
//	subscriptions to 20 bytes (Pub, XPub)   8 MiB       8 GB        MaxSubscriptions, MaxPeers
//	  to 1 KiB                              250 MB      250 GB      MaxTopic
//	  refused, and kept until there is room 4 MiB       4 GB        MaxPeers
//	not taking what is sent to it           128 MiB     128 GiB     WithSendHWM, WithSendHWMBytes, WithOverflow
//	  acknowledging nothing (WithReliable)  8 MiB       8 GiB       WithWindow
//	reliable, sent something, gone          1 KiB       1 MiB       16,384 of them
//	reliable, was sent to, gone             6 KiB       6 MiB       16,384 of them, WithReassign
//	  and has not acknowledged it           136 MiB     136 GiB     16,384 of them, WithReassign
//
// A mark may be passed by one message, which is why some stand for twice 64 MiB. A Push and a Pub keep no message
// they get, but a large one takes room until it is there. A Pub shares bodies above 8 KiB among the peers that wait
// for them. A reliable peer that is gone and has acknowledged everything is forgotten at once, but by a Router, a Rep
// and a Req. Of subscriptions and of what waits for peers that do not read there is no bound over all peers: who
// publishes to strangers sets MaxSubscriptions to what an honest one needs, MaxPeers, and WithOverflow(Disconnect).
//
// What was received is garbage once the application is done with it, and a process that holds little else would
// collect it after every 4 MiB. So while connections are busy the process keeps a GC ballast, memory that counts as
// in use and is never touched: it takes up addresses, not memory, and shows in HeapAlloc. Once a connection has
// brought 4 MiB it is 16 MiB, which makes the garbage collector run after some 20 MiB of messages and can halve the
// cost of one; once a connection has brought 16 MiB in bodies above 32 KiB it is 64 MiB, for those cost the collector
// most. It is given back when the last such connection has ended. There is none in a process that has set up its
// collector, by GOGC or debug.SetGCPercent; with a memory limit (GOMEMLIMIT) below 256 MiB there is none either, and
// below 1 GiB no more than 16 MiB. [WithoutBallast] turns it off for a socket.
package socket
