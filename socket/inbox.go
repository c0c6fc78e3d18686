package socket

import (
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/internal/waitlist"
)

// An inbox is a socket's way in: one queue for each link and a round over those that are not empty, so that receiving
// is fair among peers (RFC 30 and 28; libzmq fq.cpp). This file is about which links take part, and about the end.
// What they bring is queued in inbox_put.go and taken by receivers in inbox_get.go, who may have some of it in
// inbox_prefetch.go already.
type inbox struct {
	inBehaviour
	inboxConfig
	env inboxEnv

	recv     lockorder.Mutex[lockorder.Recv] // held by whoever takes messages out
	prefetch prefetchBuffer                  // guarded by recv

	mu      lockorder.Mutex[lockorder.Inbox]
	round   round // of the links with something in their queue
	closed  bool
	settled bool // nothing is counted any more
	counts  inCounts
	unread  waitlist.List // receivers that wait for messages

	members  atomic.Int32 // links that were admitted and have not left; changes under mu
	notices  *notices     // of an XPub; nil in all others
	streams  map[reliable.ID]*stream
	orphans  orphans
	starving []*link // links that wait for the budget

	lostStreams []*stream   // without a link, the longest ago first; some may have one again
	unsettled   unsettled   // messages that were handed out and wait for a verb
	taken       *takenNotes // of WithTakenIn; nil without it
	broken      error       // why nothing more comes, for now or for good

	// The messages that have come in part (inbox_budget.go).
	parts    uint64        // bytes that such messages take
	underway []*link       // links with such a message, the longest ago first
	sampled  time.Duration // when it was noted last how much of each has come

	// Which link is read by receivers (link_handoff.go).
	activeLink     *link                         // the last one that brought messages
	activeSince    time.Duration                 // since when it is the only one
	parked         *link                         // whose goroutine leaves the reading to receivers; nil if there is none
	receiverWaited bool                          // for what the last read of a link brought
	polledInVain   bool                          // the last receiver found nothing and did not wait
	onHandoff      func(l *link, e handoffEvent) // called with mu held, in tests; nil otherwise

	// Peers that keep others waiting (link_throttle.go, link_yield.go).
	arrivals uint64 // how often a link brought something that had nothing waiting
	busy     busy   // guarded by recv

	// The messages of one link that are in the prefetch buffer (inbox_prefetch.go).
	prefetchedFrom *link
	contended      atomic.Bool // another link has brought messages meanwhile

	// The sender in this process that may hold messages on its side (inbox_inproc.go).
	soleSender     *inproc     // the only member, if it is a link to one
	previousSender *inproc     // was the only member until another came, and may hold messages still
	spunAt         uint64      // how many messages had come when a receiver spun last
	arrived        atomic.Bool // something was put into the queue since

	_               [64]byte
	batchingAllowed atomic.Bool // the sole sender may hold messages: read by every Send, hence on a cache line of its own
	_               [64]byte
}

// An inboxConfig is what the socket's options say about its inbox. It does not change.
type inboxConfig struct {
	latest           bool          // of each link only the newest message is kept
	tellsPeers       bool          // see WithNotices
	manual           bool          // what is handed out is settled by a verb
	byNumber         bool          // messages of streams are settled one by one
	maxUnsettled     uint64        // how many may wait for a verb
	ackWait          time.Duration // for how long; 0 for as long as the sender's kind calls for, less for any time
	leastOutstanding bool          // each message counts as the answer to one that was sent to the link
	received         bool          // see WithReceived
	eachPush         bool          // one of latest, leastOutstanding and received
	orphanMark       uint64        // bytes that orphans may hold; 0 for any number
	budget           uint64        // Limits.MaxBuffered in bytes; 0 if there is none
	minRate          int           // Limits.MinRate; none if 0 or less
}

// An inboxEnv is what an inbox needs of its socket. A test can have an inbox without one by giving these.
type inboxEnv struct {
	now      func() time.Duration                // the time, from any moment on
	schedule func(l *link, within time.Duration) // has checkRate and checkStarved called for a link
	fail     func(l *link, cause error)          // ends a link; it does not wait for that
	spawn    func(f func())                      // runs f in a goroutine that ends with the socket
	yield    func()                              // lets others go first (link_yield.go)
}

func (c *core) inboxEnv() inboxEnv {
	return inboxEnv{now: c.now, schedule: c.heartbeats.schedule, fail: (*link).failLater, spawn: c.wg.Go, yield: c.yield}
}

func (c *config) inboxConfig() inboxConfig {
	ic := inboxConfig{
		latest:           c.latest && !c.manualAck && c.taken() == nil,
		tellsPeers:       c.notices,
		manual:           c.manualAck && c.inbox == nil,
		byNumber:         (c.manualAck || c.takenIn != nil) && c.inbox == nil,
		maxUnsettled:     c.maxUnsettled,
		ackWait:          c.ackWait,
		leastOutstanding: c.leastOutstanding,
		received:         c.received,
		orphanMark:       c.recvMark.bytes,
		budget:           c.limits.budget(),
		minRate:          c.limits.MinRate,
	}
	ic.eachPush = ic.latest || ic.leastOutstanding || ic.received
	return ic
}

// admit lets the messages of a link in. Over inproc some may be there already; if the inbox has closed since, close
// has counted them as discarded for the socket, and they only have to be for the link.
func (q *inbox) admit(l *link) {
	if l.in.stream != nil { // what there is of it may be prefetched
		q.recv.Lock()
		defer q.recv.Unlock()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		l.in.discardUnread(SocketClosed)
		return
	}
	told := q.arrive(l)
	if l.in.stream != nil {
		q.inherit(l)
	}
	l.in.ready = true
	q.blockIfOrphansFull(l)
	q.members.Add(1)
	q.chooseSoleSender(l)
	q.revokeRead()
	q.announce(l, l.in.queue.n+told)
}

// leave ends the membership of a link that is lost. What it has brought can still be received.
func (q *inbox) leave(l *link) {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.in.stream != nil {
		q.loseStream(l)
	}
	if l.in.ready {
		q.members.Add(-1)
		q.soleSender = nil
		q.batchingAllowed.Store(false)
	}
	if q.activeLink == l { // a link that has left is not held on to
		q.activeLink = nil
	}
	if p := q.previousSender; p != nil && p.link == l {
		q.previousSender = nil
	}
	q.orphanUnread(l)
}

// leaveRound takes a link whose queue was emptied by other means than pop out of the round.
func (q *inbox) leaveRound(l *link) {
	l.in.active = false
	q.round.remove(l)
}

// poke makes those who wait look at ready and stop again.
func (q *inbox) poke() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unread.WakeAll()
	q.cancelRead()
}

// close discards what is unread and ends all waits.
func (q *inbox) close() {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.giveBack()
	q.closeStreams()
	q.closeUnsettled()
	q.closed = true
	q.chooseSoleSender(nil)
	q.revokeRead()
	for _, l := range q.round.links {
		l.in.discardUnread(SocketClosed)
	}
	q.round = round{}
	q.counts.discardAll(SocketClosed) // also of links that have not been admitted yet
	q.unread.WakeAll()
}

// fill adds what the application receives from this inbox to a socket's stats; further says that it is not the one that
// the links bring messages to, whose account is in them already.
func (q *inbox) fill(s *Stats, further bool) {
	q.recv.Lock()
	defer q.recv.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Unsettled = q.unsettled.count
	if further {
		q.enterTaken()
		q.counts.add(&s.Ledger)
	}
}

// discardUnread discards what a link has in its queue.
func (in *linkIn) discardUnread(why Reason) {
	in.counts.discardAll(why)
	in.queue = queue{}
	in.notices = nil
	in.active = false
}

// isClosed reports whether close was called.
func (q *inbox) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
