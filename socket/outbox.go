package socket

import (
	"slices"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/socket/internal/waitlist"
)

// An outbox is a socket's way out: the links that take messages, the messages that wait for a link (outbox_backlog.go),
// and the callers of Send that wait for room. Roles send in one of three ways: balance (to one peer of many,
// outbox_balance.go), fanOut (to every peer that wants it, outbox_fanout.go) and route (to one given peer,
// outbox_route.go). Each puts the message on a link or, if there is no room, does what outbox_overflow.go decides.
//
// A message is a Msg until a link takes it; a link holds encoded bytes; what a lost link had not written becomes Msg
// values again.
type outbox struct {
	outBehaviour
	env      outEnv
	sendRate *rateDetector // shared by all links; nil if each link has its own

	mu           lockorder.Mutex[lockorder.Outbox]
	links        []*link
	soleLink     *link // the only one, if messages may take the short way (appendFast)
	next         int   // the link whose turn it is
	backlog      backlog
	connecting   int  // endpoints that are being connected to: with one, messages may wait for the first peer
	shut         bool // takes no new messages
	closed       bool // what is still queued is dropped
	counts       outCounts
	unassigned   outCounts     // the part of counts for messages that are for no link, or for none yet
	spaceWaiters waitlist.List // callers that wait for room in a link or in the backlog
	drainWaiters waitlist.List // callers that wait until nothing is queued
	writeWaiters waitlist.List // callers that wait until nobody writes to a link

	spooled     *spooled                // of a socket with a store; nil of any other
	durables    *durables               // of a publisher with a store
	sessions    map[sessionKey]*session // of a reliable socket, one for each receiver
	lost        lostSessions            // those of them that have no link
	returnees   returnees               // messages that were given back and wait
	redelivered Count                   // see Stats
	atMostOnce  Count

	scratch []byte // for the message that several links share
	fanOuts uint64 // how many there were; see linkOut.lastFanOut

	unwanted unwanted
}

// An outEnv is what a way out needs of the socket that it is a part of: so little that it can be tested without one.
type outEnv struct {
	cfg     *config
	events  *eventLog
	writers *sync.WaitGroup // of goroutines that write
	born    time.Time       // of the socket
	replies bool            // what peers send are answers to what they were sent

	admit    func(l *link)                       // lets in what the link brings
	schedule func(l *link, within time.Duration) // has checkFull called
}

// now is the time since the socket was made.
func (e *outEnv) now() time.Duration { return time.Since(e.born) }

// An outgoing is a message on its way into one or more links.
type outgoing struct {
	frames     [][]byte
	size       int
	wire       []byte // the encoded message, if several links share it
	shared     bool   // several peers in this process would share the frames
	backlogged bool   // it comes from the backlog, and so is accepted already
	tried      *tries // what is known of earlier deliveries; nil for nothing
	pinned     bool   // it is for this link alone, on a socket that keeps messages for other peers
}

// put gives a message to a link, if that takes it: the link queues it, the ledger has it, and somebody writes it.
// Whoever has several messages for links, or chooses among links, does the two one by one. If byCaller is true the
// caller must unlock and call writeNow; alone says that the caller may, because it has nothing else to write.
func (o *outbox) put(l *link, m *outgoing, alone bool) (ok, byCaller bool) {
	if !l.offer(m) {
		return false, false
	}
	return true, l.start(alone)
}

// add lets a link take part, in both directions.
func (o *outbox) add(l *link) {
	o.env.admit(l)
	if l.out.removed { // its way out has ended before it began
		return
	}
	if d := l.durable(); d != nil && !d.ready() { // it has just ended
		l.out.dead = true
		return
	}
	if s := l.out.session; s != nil && !s.mayAttach(l) { // another link to the receiver was faster
		l.out.dead = true
		return
	}
	o.links = append(o.links, l)
	l.out.joined = true
	if o.env.cfg.connectOnce && !l.ep.bound {
		o.spend(l.ep) // for a peer to come from
	}
	o.choose()
	if s := l.out.session; s != nil {
		s.attach(l)
	}
	if o.spooled != nil {
		o.spooled.join(l)
	}
	if d := l.durable(); d != nil {
		d.link = l
		d.feeders[0].attach(l)
	}
	o.endExpired()
	if o.env.cfg.probe && o.spooled == nil {
		o.give(l, NewMsg(nil))
	}
	o.onRoom()
}

// choose finds the sole link, if there is one.
func (o *outbox) choose() {
	o.soleLink = nil
	if len(o.links) == 1 && o.spooled == nil && o.assigned == nil && !o.env.cfg.leastOutstanding &&
		!o.env.cfg.overflow.replaces() {
		o.soleLink = o.links[0]
	}
}

// remove ends a link's part. The channel it returns is closed once the link's messages are accounted for.
func (o *outbox) remove(l *link) (done <-chan struct{}) {
	if l.out.removed {
		return l.out.done
	}
	for i, other := range o.links {
		if other == l {
			o.links = slices.Delete(o.links, i, i+1)
			if o.next > i {
				o.next--
			}
			break
		}
	}
	o.choose()
	if l.out.feeder() != nil {
		l.out.feeder().part(l)
	}
	l.out.fallSilent()
	l.out.removed, l.out.done = true, make(chan struct{})
	l.finish()
	o.spaceWaiters.WakeAll() // callers may wait for this very link
	return l.out.done
}

// stopAccepting ends the taking of new messages and wakes all callers that wait to send one.
func (o *outbox) stopAccepting() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut = true
	if o.spooled != nil {
		o.spooled.shut(ErrClosed)
	}
	if o.durables != nil {
		o.durables.shut(ErrClosed)
	}
	for _, l := range o.links {
		l.carrier.flush()
	}
	o.spaceWaiters.WakeAll()
}

// close drops the backlog; what the links hold is accounted for as they leave.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut, o.closed = true, true
	o.storedToDisk()
	if o.spooled == nil {
		a := o.ledger(nil)
		a.recall(o.unassigned.unacked)
		a.drop(SocketClosed, o.unassigned.queued)
	}
	o.endSessions()
	o.returnees.drop() // the ledger has them with what is queued for no link
	o.backlog = backlog{}
	o.links, o.soleLink = nil, nil // thousands of links need not be looked up as they leave
	o.spaceWaiters.WakeAll()
	o.drained()
}
