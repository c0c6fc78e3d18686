package socket

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A link is one connection to one peer, from the end of the handshake until it is lost. Its way out is in
// link_write.go, its way in in link_read.go, its heartbeats in link_heartbeat.go and, for a peer in the same
// process, all three in link_inproc.go.
type link struct {
	core *core
	ep   *endpointState
	peer *Peer
	id   string // by which a Router knows the peer
	conn net.Conn

	// Of a peer over a connection alone, as are flight, reading, in.handoff and most of life. They are not fields of wire
	// because whoever writes, reads or looks after the peer goes to and fro between them and the link's queues.
	version  zmtp.Version           // to speak
	try      transport.TryWriter    // nil if conn cannot write without blocking
	canceler transport.ReadCanceler // nil if a read of conn in progress cannot be ended

	sendRate *rateDetector

	gone    chan struct{} // closed by fail
	hasLeft chan struct{} // closed once the link has left the socket, or is not to take part

	again    func()      // has the endpoint connect anew while what came is still being read; nil if it does not connect
	readOnly atomic.Bool // is not a member of the socket any more, and is still being read
	cut      atomic.Bool // cutOff was called
	told     told        // of its peer, by events; guarded by core.events.mu

	carrier carrier // moves the messages

	requests int // that came, for subscriptions; of whoever reads

	unanswered atomic.Uint64 // messages the peer was sent and has not answered, for WithLeastOutstanding
	useless    atomic.Uint64 // messages of the peer that were discarded for what they were, since throttle looked last

	out    linkOut // guarded by core.out.mu
	flight flight  // of whoever writes, which linkOut.writing hands over
	in     linkIn  // guarded by core.in.mu

	reading readState // of whoever reads

	life struct {
		read         atomic.Int64 // when something last came, in nanoseconds of core.now
		wrote        atomic.Int64 // when something was last written
		ttl          atomic.Int64 // the silence the peer allows, from its PING; 0 if none
		ping         atomic.Int64 // when we last sent PING
		pingOffset   atomic.Int64 // bytes written before the first PING that is not answered yet
		ttlPending   atomic.Int64 // when we last sent PING, until anything else went to the peer; 0 if it did
		pinged       atomic.Int64 // when the peer last sent PING
		peerInterval atomic.Int64 // shortest time between two PINGs of the peer; 0 if unknown
		openSince    atomic.Int64 // when the peer was first seen to have written everything and to be open; see staysOpen
		guess        atomic.Int32 // whether peerInterval may be guessed: see mayGuess
		guessed      atomic.Bool  // peerInterval is no time between two PINGs
		behind       atomic.Bool  // has been paused
		graceUntil   atomic.Int64 // silence before this time does not count
		closeAt      atomic.Int64 // when the link is closed even if the peer has not closed; 0 for never
		drainBy      atomic.Int64 // when our end of stream is sent though not all is acknowledged; 0 for never

		pings    atomic.Int64 // how many PINGs we have sent
		paused   atomic.Bool  // not reading, because the application is behind
		answered atomic.Bool  // the peer has sent PING or PONG
		pingable bool         // the peer may be sent PING; set before there are any
		stopped  bool         // guarded by core.heartbeats.mu

		underwaySince atomic.Int64  // when the message under way began, and 1; 0 while none takes room
		underwayBytes atomic.Uint64 // bytes that have come since
		rate          rate          // used by check alone

		// Guarded by core.heartbeats.mu.
		deadline  time.Duration // when check is due
		heapIndex int           // the link's place among core.heartbeats.links, from 1; 0 if it is not among them
	}

	failed struct {
		once   sync.Once
		hungUp atomic.Bool
		cause  error // valid once gone is closed
	}
}

// linkOut is the part of a link that belongs to the way out.
type linkOut struct {
	// What each message touches stands together.
	open     batch     // takes what is sent
	box      *outbox   // the socket's, core.out
	limit    mark      // the high-water mark
	further  uint64    // frames in flight beyond the first of each message
	overflow Overflow  // what to do when full
	writing  bool      // somebody is at it, a goroutine in writeLoop or a caller in writeNow, and owns link.flight
	full     bool      // at the high-water mark, until the queue is down to half
	named    bool      // a SlowPeer event has told of the queue that is full
	joined   bool      // has become part of the socket
	dead     bool      // takes nothing any more
	draining bool      // but writes what it has, and waits for acknowledgements
	removed  bool      // is not in the outbox any more; finish follows once nobody writes
	finished bool      // what was unsent is accounted for, and done is closed
	ending   bool      // no more bytes follow: the end of our stream was sent, or is about to be
	behind   bool      // the peer has not been sent all our subscriptions
	counts   outCounts // of the messages in open and in flight, and of those before

	control   []byte   // commands, which go ahead of open
	writeLoop func()   // the method, as a value that was made once
	total     int64    // bytes written since the handshake
	attempts  attempts // of the messages in open and in flight
	burst     uint64   // messages dropped for want of room since there was room last

	filled time.Duration       // when the queue came to its mark; 0 if it is not there
	cause  error               // why the way out is over, maybe before the link is
	done   chan struct{}       // of a removed link: closed once what was unsent is accounted for
	topics map[string]struct{} // what this peer is subscribed to

	session *session     // of a reliable link; nil of any other
	listing *listing     // of a durable subscription, the peer's or ours; nil for none
	stored  *storedQueue // of a socket with a store: the messages in open and in flight

	lastFanOut uint64 // the number of the last fan-out that met this link

	commands *commandReader // how many of our subscriptions it has been sent; nil if it is not to be

	replayedUntil time.Duration // when the last values that were replayed would all have gone at the rate that is allowed

	refusals *refusals // of the peer's own subscriptions; nil while there were none
}

// linkIn is the part of a link that belongs to the way in.
type linkIn struct {
	notices    *noticeList // of a peer of an XPub; nil of all others
	queue      queue
	counts     inCounts
	limit      mark
	ready      bool          // its messages may be handed out
	active     bool          // in the inbox's round
	noPrefetch bool          // the sender may drop the oldest messages, so that none leaves the queue early
	full       atomic.Bool   // not to be read: at the high-water mark, until the queue is down to half, or held
	resume     chan struct{} // tells the paused reader to go on
	handoff    handoff       // who reads (link_handoff.go)
	congestion congestion    // since when it has messages waiting (link_throttle.go)
	stream     *stream       // of a peer that sends reliably; nil of any other
	labels     *labels       // of the messages in queue; nil if nothing is known of them

	leaving  bool     // cut off, which its own goroutine has not seen yet
	blocked  bool     // joined while the orphans were at their mark (inbox_orphans.go)
	starved  bool     // waits for the socket's budget (inbox_budget.go)
	isOrphan bool     // the link is itself an orphan
	underway underway // the message that has come in part (inbox_budget.go)

	orphan      *link  // has what the link left unread; nil if there was nothing, or it is connected
	orphanBytes uint64 // what it adds to orphans.bytes then
}

// A mark is a high-water mark in messages and in bytes; zero means no limit.
type mark struct {
	messages uint64
	bytes    uint64
}

func (m mark) reached(c Count) bool {
	return m.messages > 0 && c.Messages >= m.messages || m.bytes > 0 && c.Bytes >= m.bytes
}

// cleared reports whether c is down to half of the mark, where a full queue opens again.
func (m mark) cleared(c Count) bool {
	return (m.messages == 0 || c.Messages <= m.messages/2) && (m.bytes == 0 || c.Bytes <= m.bytes/2)
}

func (m mark) plus(n mark) (sum mark) {
	if m.messages > 0 && n.messages > 0 {
		sum.messages = m.messages + n.messages
	}
	if m.bytes > 0 && n.bytes > 0 {
		sum.bytes = m.bytes + n.bytes
	}
	return sum
}

// newLink makes a link without a carrier, which completes it (newWireLink, handshakeInproc).
func newLink(c *core, ep *endpointState, conn net.Conn) *link {
	l := &link{core: c, ep: ep, conn: conn, gone: make(chan struct{}), hasLeft: make(chan struct{})}
	l.initOut(&c.out)
	l.in.limit = c.cfg.recvMark
	now := int64(c.now())
	l.life.read.Store(now)
	l.life.wrote.Store(now)
	return l
}

// initOut makes the way out of a link a part of its socket's.
func (l *link) initOut(box *outbox) {
	l.sendRate = box.sendRate
	if l.sendRate == nil {
		l.sendRate = new(rateDetector)
	}
	l.out.box = box
	l.out.limit = box.env.cfg.sendMark
	l.out.overflow = box.env.cfg.overflow
	l.out.writeLoop = l.writeLoop
}
