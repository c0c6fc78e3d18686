// Package socket is what an application holds: one type for each ZeroMQ socket role, speaking ZMTP 3.1 (RFC 37) over
// tcp, ipc and inproc, with libzmq and every other ZeroMQ, and with no broker in between.
//
//	pull := socket.NewPull()
//	defer pull.Close()
//	endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
//	…
//	push := socket.NewPush()
//	defer push.Close()
//	push.Connect(endpoint)
//	push.Send(ctx, socket.String("hello"))
//
// # What holds for every socket
//
// A socket may be bound to many endpoints and connected to many others; the order in which the two sides start does
// not matter. Constructors cannot fail and do no I/O. Bind returns when the address is bound; Connect returns at once
// and keeps trying. Any number of goroutines may use a socket at once. A context ends the one call it is given to and
// nothing else.
//
// A message is a list of frames that travels whole. Send takes the bytes over; what Recv returns is the caller's for
// good. A peer that goes away is an [Event], not an error of Recv.
//
// Nothing disappears without a name: Stats gives a [Ledger] in which every accepted message is delivered, queued or
// dropped for a reason, at every moment. Delivered means handed to the transport; what the kernel or the network lost
// after that, because a connection was cut, no ZMTP peer can know.
//
// # How a message travels
//
// Application → role (which peer?) → link → kernel, and back. The roles, one file each (push.go, pull.go, pub.go, …),
// decide by one of the outbox's three ways: balance.go (one of many), fanout.go (all that want it), route (one
// given). The link encodes on Send, into a batch that the sender itself writes when the link is idle and a drain
// goroutine writes when it is busy (out.go, batch.go). One goroutine for each link reads slabs and hands whole messages to
// the inbox (in.go, inbox.go), which is fair among links. Between sockets of one process messages move as values
// (direct.go).
//
// Start reading at core.go for the parts and the lock order, then follow a message through push.go, balance.go and
// out.go. A connection's life is in bind.go, connect.go, serve.go and close.go.
//
// # Where the memory goes
//
// What waits is bounded by the high-water marks, in messages and bytes, for each peer and direction; what a peer can
// claim is bounded by [Limits]. A message that the application keeps holds on to at most about 30 KiB beside itself.
//
// # libzmq's options and ours
//
//	ZMQ_SNDHWM, ZMQ_RCVHWM              WithSendHWM, WithRecvHWM; in bytes: WithSendHWMBytes, WithRecvHWMBytes
//	ZMQ_SNDTIMEO, ZMQ_RCVTIMEO          the context of Send and Recv
//	ZMQ_LINGER                          Shutdown(ctx); WithLinger for Close
//	ZMQ_IMMEDIATE                       WithImmediate
//	ZMQ_CONFLATE                        WithOverflow(Conflate) to send, WithLatest to receive
//	ZMQ_MAXMSGSIZE                      WithLimits, for whole messages, on by default
//	ZMQ_IN_BATCH_SIZE, _OUT_BATCH_SIZE  none: batches follow the traffic
//	ZMQ_ROUTING_ID                      WithIdentity
//	ZMQ_CONNECT_ROUTING_ID              Router.ConnectAs
//	ZMQ_ROUTER_MANDATORY                the default; WithDropUnroutable turns it off
//	ZMQ_ROUTER_HANDOVER                 WithHandover
//	ZMQ_ROUTER_NOTIFY                   the events PeerUp and PeerDown
//	ZMQ_PROBE_ROUTER                    WithProbe
//	ZMQ_REQ_CORRELATE, ZMQ_REQ_RELAXED  WithCorrelate (on by default), WithRelaxed; also WithRetry and Req.Do
//	ZMQ_SUBSCRIBE, ZMQ_UNSUBSCRIBE      Subscribe, Unsubscribe, WithSubscription
//	ZMQ_TOPICS_COUNT                    len(Topics())
//	ZMQ_XPUB_VERBOSE, _VERBOSER         WithVerbosity
//	ZMQ_XPUB_MANUAL                     WithManual
//	ZMQ_XPUB_MANUAL_LAST_VALUE          WithLastValue
//	ZMQ_XPUB_NODROP                     WithOverflow(Block); for one peer: SetOverflow
//	ZMQ_XPUB_WELCOME_MSG                WithWelcome
//	ZMQ_HELLO_MSG, _DISCONNECT_, _HICCUP_MSG  the events PeerUp and PeerDown
//	ZMQ_METADATA, zmq_msg_gets          WithMetadata, Msg.From
//	ZMQ_RECONNECT_IVL, _IVL_MAX         WithReconnect
//	ZMQ_RECONNECT_STOP                  Disconnect, from a reader of Events
//	ZMQ_CONNECT_TIMEOUT                 WithConnectTimeout
//	ZMQ_HANDSHAKE_IVL                   WithHandshakeTimeout
//	ZMQ_HEARTBEAT_IVL, _TIMEOUT, _TTL   WithHeartbeat, on by default
//	ZMQ_TCP_KEEPALIVE and its kin       the fields of transport.TCP, by WithTransport
//	ZMQ_TCP_MAXRT                       WithHeartbeat: a peer that does not answer is dropped
//	ZMQ_SNDBUF, ZMQ_RCVBUF              the fields of transport.TCP
//	ZMQ_SOCKS_PROXY and its kin         transport.TCP.DialContext
//	ZMQ_BINDTODEVICE                    Bind to tcp://eth0:port
//	ZMQ_IPV6                            always on
//	ZMQ_USE_FD                          BindListener; a transport of one's own to connect
//	ZMQ_LAST_ENDPOINT                   what Bind returns
//	ZMQ_TYPE                            Type
//	ZMQ_MECHANISM, ZMQ_PLAIN_*, ZMQ_CURVE_*, ZMQ_ZAP_*  not yet: NULL is the only mechanism
//	ZMQ_INVERT_MATCHING, ZMQ_AFFINITY, ZMQ_FD, ZMQ_EVENTS, ZMQ_BACKLOG, multicast, and the rest  none, on purpose
package socket
