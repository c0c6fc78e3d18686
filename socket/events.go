package socket

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// An EventKind says what happened.
type EventKind int

// The kinds of events, in the order of a connection's life. Each event of libzmq's zmq_socket_monitor has its
// counterpart:
//
//	ZMQ_EVENT_LISTENING                   Listening
//	ZMQ_EVENT_BIND_FAILED                 BindFailed
//	ZMQ_EVENT_ACCEPTED                    Accepted
//	ZMQ_EVENT_ACCEPT_FAILED               AcceptFailed
//	ZMQ_EVENT_CONNECT_DELAYED             Connecting
//	ZMQ_EVENT_CONNECTED                   Connected
//	ZMQ_EVENT_CONNECT_RETRIED             Retrying
//	ZMQ_EVENT_HANDSHAKE_SUCCEEDED         PeerUp
//	ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL  HandshakeFailed
//	ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL   HandshakeFailed, with the details in Event.Err
//	ZMQ_EVENT_HANDSHAKE_FAILED_AUTH       HandshakeFailed, with ErrDenied
//	ZMQ_EVENT_DISCONNECTED                PeerDown, ProtocolError or LimitHit
//	ZMQ_EVENT_CLOSED                      ConnectFailed for an attempt, Unbound or Disconnected for an endpoint
//	ZMQ_EVENT_CLOSE_FAILED                the error of Unbind, and of Unbound
//	ZMQ_EVENT_MONITOR_STOPPED             Closed
//	ZMQ_EVENT_PIPES_STATS                 Stats
//
// DuplicateIdentity, SubscriptionRefused, HeartbeatOff, SlowPeer, Dropped, Undelivered, Throttled, PeerForeign,
// Redelivered, StateLost, Fenced, Forked, DeadLetter, SpoolFailing, Gap, SubscriptionEnded and Missed are ours alone.
const (
	// Listening: Bind succeeded; Endpoint is the actual one.
	Listening EventKind = iota + 1
	// BindFailed: Bind failed with Err.
	BindFailed
	// Accepted: a connection came in at Endpoint from Address; its handshake begins. Where many come it is told of some:
	// see Event.Count.
	Accepted
	// AcceptFailed: the listener returned Err; accepting goes on after a pause. It is told so too that somebody has
	// removed the socket file of an ipc endpoint, which is made again if its path is free.
	AcceptFailed
	// Connecting: an attempt to connect to Endpoint begins.
	Connecting
	// Connected: the transport has connected; the handshake begins.
	Connected
	// ConnectFailed: the attempt failed with Err.
	ConnectFailed
	// HandshakeFailed: the peer at Address did not complete the handshake, or was refused. Err says why: ErrTimeout,
	// ErrDenied, ErrEvicted, ErrTooManyPeers, ErrTooManyFromAddress, ErrTooFast, ErrBusy, an error of package zmtp such
	// as zmtp.ErrSocketType, or zmtp.ErrRefused if it is the peer that has refused us, or one of the connection. It
	// matches zmtp.ErrSilent if a connection that came in ended without a byte, as those of TCP health checks do: that is
	// nothing to be alarmed about, and logged for debugging only. Where many that came in fail it is told of some: see
	// Event.Count.
	HandshakeFailed
	// DuplicateIdentity: Peer claimed an identity that another one has, and was refused (see WithHandover). Where many are
	// it is told of some: see Event.Count.
	DuplicateIdentity
	// PeerUp: the handshake with Peer is done; messages can flow.
	PeerUp
	// PeerDown: the connection to Peer is over. Err says why: io.EOF when the peer closed it, ErrHeartbeat, ErrSlow,
	// ErrTakenOver, ErrDisconnected, or an error of the connection.
	PeerDown
	// ProtocolError: in place of PeerDown, because of what the peer sent.
	ProtocolError
	// LimitHit: in place of PeerDown, because the peer went over one of our Limits.
	LimitHit
	// SubscriptionRefused: Peer subscribed to something that is over one of our Limits, and does not get it, or not
	// before it cancels others (MaxSubscriptions); Err says which topic and which limit. The connection and all its
	// other subscriptions stay. One event in a second at most tells of a peer, with the Count of what was refused since
	// the last.
	SubscriptionRefused
	// HeartbeatOff: after PeerDown, Peer is taken for one that cannot stand heartbeats, for it hung up on the first
	// PING it got and has never answered one. It gets none on its next connections, and is not dropped for silence
	// there. Err matches ErrNoHeartbeat.
	HeartbeatOff
	// Retrying: the next attempt to connect to Endpoint begins after Retry.
	Retrying
	// SlowPeer: the queue of Peer is full and a message for it was dropped (under DropNewest or Disconnect), or it
	// has been full for the time of WithSlowPeer. It is told once until the queue is down to half.
	SlowPeer
	// Dropped: the queue of Peer has room again; Count messages for it were dropped meanwhile. If the peer is lost
	// first, only the ledger has that count.
	Dropped
	// Undelivered: a message was dropped because peers, the last of them Peer, ended the connection in the middle of
	// it, or gave it back, as often as WithMaxAttempts allows, or because Peer has refused it for good; Reason says
	// which: Undeliverable, TooManyDeliveries or Rejected. Err says more.
	Undelivered
	// Throttled: Peer has sent more than 1,000 frames within a second that are of no use to the application: PINGs
	// and other commands, requests without an envelope, replies that nobody waits for, messages that the socket does
	// not take. Each 256 bytes count as one more. What goes beyond that is read more slowly from then on: 100,000 a
	// second, for all such peers of the socket together. Or, with Err set, Peer has always had requests waiting for
	// five seconds, as many as its queue takes (WithRecvHWM), while a REP or ROUTER had others to answer too: it is
	// read no faster than the application takes its requests, and peers that have none waiting go first. Each peer is
	// named once for either.
	Throttled
	// PeerForeign: Peer acknowledges nothing, so that a reliable socket sends it each message once and does not know
	// whether it arrives, or it sends without asking for acknowledgements; see WithReliable and WithYodelOnly.
	PeerForeign
	// Redelivered: a reliable socket sends Count messages to another peer, for Peer was lost before it acknowledged
	// them and has not come back in time; it may have received them.
	Redelivered
	// StateLost: Peer, a receiver that was sent messages from the spool before, knows nothing of them any more. What is
	// sent to it may be doubled.
	StateLost
	// Fenced: Peer has heard of a later life of the spool, so that this one is an old copy of it. It takes nothing, and
	// the connection is refused; Err says more. A receiver tells so of a Peer that sends from such a copy.
	Fenced
	// Forked: Peer knows messages of the spool that this copy of it has not got, or another copy is about: the
	// directory was copied, or put back to an earlier state. The connection is refused; see spool.Options.Fork. A
	// receiver tells so of a Peer that sends from such a spool.
	Forked
	// DeadLetter: Count messages are among the dead letters of the spool, for they were refused by a receiver or given
	// back too often.
	DeadLetter
	// SpoolFailing: the spool cannot be read, or is closed; Err says why. It is tried again after a second.
	SpoolFailing
	// Gap: Count messages of a durable subscription will not come, for Peer, which keeps it, has lost them: Reason is
	// SpoolFull, Expired or Damaged. See WithSubscriberName.
	Gap
	// SubscriptionEnded: a durable subscription has ended, and Count messages that were kept for it were dropped. Err
	// names it and says why: it was dropped, has expired or was too far behind.
	SubscriptionEnded
	// Unbound: Unbind or Close stopped listening at Endpoint. Err is set if that went wrong (libzmq
	// ZMQ_EVENT_CLOSE_FAILED).
	Unbound
	// Disconnected: Disconnect or Close gave up connecting to Endpoint.
	Disconnected
	// Closed: the socket was closed. It is the last event. If messages were dropped for it Count says how many, and Reason
	// is SocketClosed.
	Closed
	// Missed: this reader of events was too slow and missed Count of them.
	Missed
)

var eventNames = [...]string{
	Listening: "listening", BindFailed: "bind failed", Accepted: "accepted", AcceptFailed: "accept failed",
	Connecting: "connecting", Connected: "connected", ConnectFailed: "connect failed",
	HandshakeFailed: "handshake failed", DuplicateIdentity: "duplicate identity", PeerUp: "peer up", PeerDown: "peer down",
	ProtocolError: "protocol error",
	LimitHit:      "limit hit", SubscriptionRefused: "subscription refused", HeartbeatOff: "heartbeat off",
	Retrying: "retrying", SlowPeer: "slow peer", Dropped: "dropped",
	Undelivered: "undelivered", Throttled: "throttled", Unbound: "unbound", Disconnected: "disconnected", Closed: "closed",
	Missed: "missed", PeerForeign: "peer foreign", Redelivered: "redelivered",
	StateLost: "state lost", Fenced: "fenced", Forked: "forked", DeadLetter: "dead letter", SpoolFailing: "spool failing",
	Gap: "gap", SubscriptionEnded: "subscription ended",
}

// String returns the kind in words, such as "peer up".
func (k EventKind) String() string {
	if k > 0 && int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event %d", int(k))
}

// level is how loud the event is in a log.
func (e Event) level() slog.Level {
	switch {
	case e.quiet:
		return slog.LevelDebug
	case e.Kind == Closed && e.Count > 0:
		return slog.LevelWarn
	}
	return e.Kind.level()
}

// level is how loud events of the kind are in a log.
func (k EventKind) level() slog.Level {
	switch k {
	case HandshakeFailed, DuplicateIdentity, ProtocolError, LimitHit, SubscriptionRefused, HeartbeatOff, SlowPeer, Dropped,
		Undelivered, Throttled, BindFailed, AcceptFailed, Missed, PeerForeign, Redelivered, StateLost, Fenced,
		Forked, DeadLetter, SpoolFailing,
		Gap, SubscriptionEnded:
		return slog.LevelWarn
	case PeerUp, PeerDown, Listening, Closed:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// An Event is something that happened to a socket. Fields that say nothing about its kind are zero.
type Event struct {
	Kind     EventKind     // what happened
	Time     time.Time     // when
	Endpoint string        // the endpoint of ours it concerns, as bound or connected
	Address  string        // the far end's address, before there is a Peer
	Peer     *Peer         // after the handshake
	Err      error         // the cause
	Reason   Reason        // why messages were dropped
	Retry    time.Duration // the pause before the next attempt
	// Count is how many: messages or, of Accepted, HandshakeFailed and DuplicateIdentity of connections that came in, such
	// events of which this one is the last, if there were more than one. So many of those can come that they would push
	// all else out of what a socket remembers. Over each of our Limits the first is told, and then one a second; of all
	// others a hundred and more are told one by one, and then one a second too. Stats counts them all.
	Count uint64

	quiet   bool // less trouble than its kind
	inbound bool // of a connection that came in
}

// String is one line for people: "peer down PULL 10.0.0.7:5555 at tcp://…: the peer closed the connection".
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.Kind.String())
	if e.Peer != nil {
		fmt.Fprintf(&b, " %s", e.Peer)
	} else if e.Address != "" {
		fmt.Fprintf(&b, " %s", e.Address)
	}
	if e.Endpoint != "" {
		fmt.Fprintf(&b, " at %s", e.Endpoint)
	}
	if e.Count > 0 {
		fmt.Fprintf(&b, ", %d", e.Count)
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	if e.Retry > 0 {
		fmt.Fprintf(&b, " in %v", e.Retry.Round(time.Millisecond))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// LogValue implements [slog.LogValuer].
func (e Event) LogValue() slog.Value { return slog.GroupValue(e.attrs()...) }

func (e Event) attrs() (a []slog.Attr) {
	if e.Endpoint != "" {
		a = append(a, slog.String("endpoint", e.Endpoint))
	}
	if e.Peer != nil {
		a = append(a, slog.String("peer", e.Peer.String()))
	} else if e.Address != "" {
		a = append(a, slog.String("address", e.Address))
	}
	if e.Reason != "" {
		a = append(a, slog.String("reason", string(e.Reason)))
	}
	if e.Count > 0 {
		a = append(a, slog.Uint64("count", e.Count))
	}
	if e.Retry > 0 {
		a = append(a, slog.Duration("retry", e.Retry))
	}
	if e.Err != nil {
		a = append(a, slog.Any("err", e.Err))
	}
	return a
}
