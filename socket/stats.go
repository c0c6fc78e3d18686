package socket

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// A Reason says why a message was dropped.
type Reason string

// Reasons on the way out ([Ledger.Dropped]).
const (
	// NoSubscriber: published, and nobody had subscribed to it.
	NoSubscriber Reason = "no subscriber"
	// QueueFull: the peer's queue was at its high-water mark, and the overflow policy dropped this message or an
	// older one; under Conflate, a newer message took its place.
	QueueFull Reason = "queue full"
	// PeerGone: queued for one peer alone (what it subscribed to, a reply, what a Router sends), and that peer left
	// first.
	PeerGone Reason = "peer gone"
	// Unroutable: for an identity that no peer has, under WithDropUnroutable.
	Unroutable Reason = "unroutable"
	// Undeliverable: the peers that it was sent to ended the connection in the middle of it, as often as
	// [WithMaxAttempts] allows; most likely it is over their limit.
	Undeliverable Reason = "undeliverable"
	// GivenUp: a request whose Req.Do ended before it left, or a message that [Dealer.TakeBack] took back.
	GivenUp Reason = "given up"
	// SocketClosed: still queued, or not acknowledged, when the socket closed.
	SocketClosed Reason = "socket closed"
	// Rejected: a receiver has refused it for good ([Delivery.Term]), on a reliable socket without a spool.
	Rejected Reason = "rejected"
	// TooManyDeliveries: given back by a receiver ([Delivery.Nak]) when its delivery had begun as often as
	// [WithMaxAttempts] allows, on a reliable socket without a spool.
	TooManyDeliveries Reason = "too many deliveries"
)

// Reasons on the way out of a socket with a spool (see [WithSpool]): what the spool itself does with its messages. How
// many they were is exact; their bytes are an average unless all are known. There is Expired too: not acknowledged
// before its time was over.
const (
	// DeadLettered: given up, and kept among the dead letters of the spool.
	DeadLettered Reason = "dead letter"
	// SpoolFull: made room for newer ones, as the spool's options say.
	SpoolFull Reason = "spool full"
	// Purged: by Spool.Purge.
	Purged Reason = "purged"
	// Damaged: what the disk has of it is not what was written.
	Damaged Reason = "damaged"
)

// Reasons on the way in ([Ledger.Discarded]). Of those above there are also SocketClosed, for messages that nobody
// received in time, PeerGone, for messages read from a connection that ended before they found room, and QueueFull, for
// what a sender in this process took back under [DropOldest].
const (
	// NotSubscribed: published under a topic that was unsubscribed in the meantime, or by a peer that does not filter.
	NotSubscribed Reason = "not subscribed"
	// BadEnvelope: a request or reply without the delimiter its pattern needs.
	BadEnvelope Reason = "bad envelope"
	// StaleReply: a reply to an earlier request, or from a peer that was not asked.
	StaleReply Reason = "stale reply"
	// Repeated: a request that was answered before, by a requester with a spool. It was answered again from the reply
	// that was kept, or needs none any more.
	Repeated Reason = "repeated"
	// Replaced: a newer message of the same peer came before it was received (WithLatest, Conflate). On an XPub, a
	// subscription or cancellation that had come to nothing by the time the application looked.
	Replaced Reason = "replaced"
	// Refused: a subscription over one of our Limits.
	Refused Reason = "refused"
	// Unexpected: a message to a socket that only sends, or from a peer that was refused.
	Unexpected Reason = "unexpected"
	// Expired: worth nothing to its sender any more by the time it would have been handed out.
	Expired Reason = "expired"
	// TooLarge: more than the spool of WithInbox can keep.
	TooLarge Reason = "too large"
	// Duplicate: read from a connection in whose place the peer has made another, by which it is sent again; or the sender
	// has given it to another receiver meanwhile.
	Duplicate Reason = "duplicate"
)

// A Count is a number of messages and of the bytes in them.
type Count struct {
	// Messages counts whole messages, whatever the number of their frames.
	Messages uint64
	// Bytes is their payload, all frames together, without what the wire adds.
	Bytes uint64
}

// String reads "3 messages (120 bytes)".
func (c Count) String() string {
	return fmt.Sprintf("%s (%s)", plural(c.Messages, "message"), plural(c.Bytes, "byte"))
}

func plural(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (c *Count) add(bytes int) {
	c.Messages++
	c.Bytes += uint64(bytes)
}

func (c *Count) sub(bytes int) {
	c.Messages--
	c.Bytes -= uint64(bytes)
}

func (c *Count) increase(by Count) {
	c.Messages += by.Messages
	c.Bytes += by.Bytes
}

func (c *Count) decrease(by Count) {
	c.Messages -= by.Messages
	c.Bytes -= by.Bytes
}

func (c Count) plus(d Count) Count  { return Count{c.Messages + d.Messages, c.Bytes + d.Bytes} }
func (c Count) minus(d Count) Count { return Count{c.Messages - d.Messages, c.Bytes - d.Bytes} }

// A Ledger accounts for every message. At every moment
//
//	Accepted + Recovered = Delivered + Queued + Spooled + Unacknowledged + Requeued + the sum of Dropped
//	Received + Loaded = Handed + Unread + Stored + the sum of Discarded
//
// A message to n subscribers counts n times, once for each; one that nobody subscribed to counts once, as dropped.
type Ledger struct {
	// Accepted by a Send that returned nil; of a peer: assigned to it.
	Accepted Count
	// Delivered to the transport whole: written to the kernel or, over inproc, put in the peer's queue. Over a reliable
	// link (see [WithReliable]): acknowledged, which means that the peer's application has received it.
	Delivered Count
	// Queued in this process, for one peer or for the first that appears.
	Queued Count
	// Recovered from the spool (see [WithSpool]): what was there when the socket was made, and what was put there
	// otherwise than by Send. Bytes are an estimate of those that have not been read yet.
	Recovered Count
	// Spooled: on disk, and on no link. Close leaves it there. Bytes are an estimate as those of Recovered are.
	Spooled Count
	// Unacknowledged: sent over a reliable link, and not known to have been received.
	Unacknowledged Count
	// Requeued to the socket when this peer left, to go to it when it comes back, or to another. Always zero for a whole
	// socket.
	Requeued Count
	// Dropped on the way out, by reason.
	Dropped map[Reason]Count

	// Received whole from the transport.
	Received Count
	// Handed to the application.
	Handed Count
	// Unread in the queue of messages that wait for a Recv.
	Unread Count
	// Stored in the inbox on disk of [WithInbox]: as it came, and once more what was read from there and not received when
	// the socket closes. What expires there, or becomes a dead letter, is in the spool's own Stats.
	Stored Count
	// Loaded from there, to be received.
	Loaded Count
	// Discarded on the way in, by reason.
	Discarded map[Reason]Count
}

// String is one line for people, in messages: "out: accepted 9, delivered 6, queued 1, dropped 2 (queue full); in:
// received 4, handed 4, unread 0".
func (l Ledger) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "out: accepted %d, delivered %d, queued %d",
		l.Accepted.Messages, l.Delivered.Messages, l.Queued.Messages)
	if n := l.Recovered.Messages; n > 0 {
		fmt.Fprintf(&b, ", recovered %d", n)
	}
	if n := l.Spooled.Messages; n > 0 {
		fmt.Fprintf(&b, ", spooled %d", n)
	}
	if n := l.Unacknowledged.Messages; n > 0 {
		fmt.Fprintf(&b, ", unacknowledged %d", n)
	}
	if n := l.Requeued.Messages; n > 0 {
		fmt.Fprintf(&b, ", requeued %d", n)
	}
	writeReasons(&b, ", dropped ", l.Dropped)
	fmt.Fprintf(&b, "; in: received %d", l.Received.Messages)
	if n := l.Loaded.Messages; n > 0 {
		fmt.Fprintf(&b, ", loaded %d", n)
	}
	fmt.Fprintf(&b, ", handed %d, unread %d", l.Handed.Messages, l.Unread.Messages)
	if n := l.Stored.Messages; n > 0 {
		fmt.Fprintf(&b, ", stored %d", n)
	}
	writeReasons(&b, ", discarded ", l.Discarded)
	return b.String()
}

// writeReasons lists what was lost, if anything, in the order of the reasons' names.
func writeReasons(b *strings.Builder, before string, by map[Reason]Count) {
	for _, why := range slices.Sorted(maps.Keys(by)) {
		fmt.Fprintf(b, "%s%d (%s)", before, by[why].Messages, why)
		before = ", "
	}
}

// Stats is a snapshot of a socket: its ledger, its peers and its endpoints.
type Stats struct {
	// Label is that of WithLabel.
	Label string
	// Ledger counts since the socket was made, peers that have left included.
	Ledger
	// Peers has one entry for each peer connected now, sorted by address.
	Peers []PeerStats
	// Endpoints has one entry for each endpoint that the socket is bound or connected to, sorted by name. What was
	// unbound or disconnected is not among them any more, nor is anything once the socket is closed.
	Endpoints []EndpointStats
	// Events is how many events of each kind there were since the socket was made; kinds without any are not in it. It
	// goes on counting where [Push.Events] has forgotten.
	Events map[EventKind]uint64
	// Refused is how many connections that came in were turned away for one of our Limits, since the socket was made.
	Refused Refusals
	// Unwanted is a sample of what was published and nobody had subscribed to: the first 64 bytes of the first frames of
	// up to eight messages that were dropped as NoSubscriber, all different. The first eight drops are looked at, and
	// then each 1,024th; a new topic takes the place of the oldest.
	Unwanted []string
	// Redelivered is what a reliable socket (see WithReliable) has sent to a second peer, for the first was lost and may
	// have received it.
	Redelivered Count
	// AtMostOnce is the part of Delivered that a reliable socket has sent to peers that acknowledge nothing.
	AtMostOnce Count
	// Unsettled is the part of Handed that waits for a verb of its [Delivery] (see WithManualAck).
	Unsettled Count
	// UnderWay is what messages take of which a part has come, of all peers together; see PeerStats.
	UnderWay uint64
}

// String is the socket's ledger on one line and that of each peer on one more.
func (s Stats) String() string {
	var b strings.Builder
	b.WriteString(s.Ledger.String())
	writeUnderWay(&b, s.UnderWay)
	for _, p := range s.Peers {
		b.WriteByte('\n')
		b.WriteString(p.String())
	}
	return b.String()
}

func writeUnderWay(b *strings.Builder, bytes uint64) {
	if bytes > 0 {
		fmt.Fprintf(b, "; under way %s", plural(bytes, "byte"))
	}
}

// PeerStats is the ledger of one connection, from its handshake on, and what is known of the peer.
type PeerStats struct {
	Peer *Peer
	Ledger
	// Since is when the connection was made.
	Since time.Time
	// Heard is when bytes last came from the peer; zero over inproc, where there are none.
	Heard time.Time
	// RTT is the time from the last PING (see [WithHeartbeat]) that the peer has answered to its next PONG; 0 while there
	// is none, which a peer that sends all the time need not answer. That this side is slow to read is in it.
	RTT time.Duration
	// Subscriptions is how many topics the peer is subscribed to here.
	Subscriptions int
	// SendFill and RecvFill say how full the queues for and of the peer are: 0 is empty, 1 is at the high-water mark in
	// messages or bytes, whichever is nearer. Without a mark it is 0. See WithSendHWM and WithRecvHWM.
	SendFill, RecvFill float64
	// Full says that the queue for the peer has come to its mark and has not been down to half of it since.
	Full bool
	// UnderWay is how many bytes a message takes of which a part has come; zero if that is no more than 64 KiB. It is
	// in no column of the ledger until it is there whole.
	UnderWay uint64
}

// String is one line: which peer, and its ledger.
func (p PeerStats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Peer, p.Ledger)
	writeUnderWay(&b, p.UnderWay)
	return b.String()
}

// Check returns nil if the ledger balances and otherwise an error that shows the figures. A column larger than the
// total that it is part of does not balance, whatever the others are.
func (l Ledger) Check() error {
	in := l.Accepted.plus(l.Recovered)
	if in.Messages < l.Accepted.Messages || in.Bytes < l.Accepted.Bytes ||
		!in.isSum(l.Dropped, l.Delivered, l.Queued, l.Spooled, l.Unacknowledged, l.Requeued) {
		return fmt.Errorf("socket: ledger: accepted %v + recovered %v is not delivered %v + queued %v + spooled %v +"+
			" unacknowledged %v + requeued %v + dropped %v", l.Accepted, l.Recovered, l.Delivered, l.Queued, l.Spooled,
			l.Unacknowledged, l.Requeued, l.Dropped)
	}
	if !l.Received.plus(l.Loaded).isSum(l.Discarded, l.Handed, l.Unread, l.Stored) {
		return fmt.Errorf("socket: ledger: received %v + loaded %v is not handed %v + unread %v + stored %v + discarded %v",
			l.Received, l.Loaded, l.Handed, l.Unread, l.Stored, l.Discarded)
	}
	return nil
}

// Check returns nil if the socket's ledger and that of every peer balance.
func (s Stats) Check() error {
	if err := s.Ledger.Check(); err != nil {
		return err
	}
	for _, p := range s.Peers {
		if err := p.Check(); err != nil {
			return fmt.Errorf("%s: %w", p.Peer, err)
		}
	}
	return nil
}

// isSum reports whether the columns add up to c. A column that has gone below zero is a huge number, and makes the
// sum right again where it wraps: that counts as wrong.
func (c Count) isSum(by map[Reason]Count, columns ...Count) bool {
	var total Count
	wrapped := uint64(0)
	add := func(column Count) {
		var over [2]uint64
		total.Messages, over[0] = bits.Add64(total.Messages, column.Messages, 0)
		total.Bytes, over[1] = bits.Add64(total.Bytes, column.Bytes, 0)
		wrapped |= over[0] | over[1]
	}
	for _, column := range columns {
		add(column)
	}
	for _, column := range by {
		add(column)
	}
	return wrapped == 0 && total == c
}

func sum(by map[Reason]Count) (total Count) {
	for _, c := range by {
		total = total.plus(c)
	}
	return total
}

// reasons counts by reason; nil until something was dropped.
type reasons map[Reason]Count

// put replaces a count that is there.
func (r reasons) put(why Reason, c Count) { r[why] = c }

func (r *reasons) add(why Reason, c Count) {
	if c == (Count{}) {
		return
	}
	if *r == nil {
		*r = make(reasons)
	}
	(*r)[why] = (*r)[why].plus(c)
}
