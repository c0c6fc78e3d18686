package socket

// Arrivals and departures of peers in order with their messages (WithNotices). They are no messages, and in no ledger.
//
// A link that joins has its arrival to tell, which comes ahead of what it brings, and one that has left its departure,
// which comes behind: they need no place in its queue. The departure waits with what the link left unread, in its
// orphan (inbox_orphans.go). A peer of which nothing was handed out is not told of when it has left without a message,
// so that peers that come and go while nobody receives leave nothing behind.

// A Notice is what a message without frames tells of the peer that it is From; see [WithNotices].
type Notice int

const (
	// NoNotice: it is a message that a peer has sent, or that the application has made.
	NoNotice Notice = iota
	// Arrival: the peer is connected. What it sends is received behind this.
	Arrival
	// Departure: the connection to the peer is over, and all that it had sent was received before this.
	Departure
)

// String is the name of the constant.
func (n Notice) String() string {
	switch n {
	case Arrival:
		return "Arrival"
	case Departure:
		return "Departure"
	default:
		return "NoNotice"
	}
}

// Notice says whether the message is none, but tells that a peer has come or gone; see [WithNotices].
func (m Msg) Notice() Notice {
	switch {
	case len(m.Frames) > 0 || m.From == nil:
		return NoNotice
	case m.Frames == nil:
		return Arrival
	}
	return Departure
}

// A NoticeOption configures a socket that tells of its peers.
type NoticeOption interface {
	DealerOption
	RouterOption
	XSubOption
}

// WithNotices has Recv, and all that receives, also tell of peers that come and go, in order with what they send: once
// before the first message of a peer, and once behind the last, by a message without frames and without an identity in
// front, whose From is the peer and whose [Msg.Notice] is [Arrival] or [Departure]. No message of a peer is without
// frames. An application that knows its peers by them needs no goroutine to follow [Event] values, misses none, and is
// not told of the end of a peer of which messages are to be received yet, as by [PeerDown] and [Peer.Done].
//
// Only of a peer that has come and gone before anything of it was received, and that sent nothing, nothing is told; nor
// is of the end of the whole socket. What a reliable peer had sent and nobody has received when it comes back is
// received as from its new connection, behind the Arrival of that. Notices are not counted in a [Ledger], and no
// high-water mark holds them back. The default is no notices. It is an error of Bind and Connect, [ErrInvalidOption],
// together with [WithInbox]. (libzmq ZMQ_HELLO_MSG, ZMQ_DISCONNECT_MSG.)
func WithNotices() NoticeOption {
	return optionForNotices{setting: func(c *config) { c.notices = true }}
}

// nothing reports whether neither a notice of the peer nor a change of its subscriptions waits.
func (n *noticeList) nothing() bool { return n.head == nil && !n.arrival && !n.departure }

// telling reports whether a notice of the peer comes next, with so many messages in the queue.
func (n *noticeList) telling(queued int) bool { return n.arrival || n.departure && queued == 0 }

// arrive has the arrival of a link that joins be told. It returns how many notices that are.
func (q *inbox) arrive(l *link) int {
	if !q.tellsPeers {
		return 0
	}
	l.in.notices = &noticeList{owner: l, arrival: true}
	return 1
}

// depart has the departure of a link that leaves be told, and reports whether it is to be.
func (q *inbox) depart(l *link) bool {
	n := l.in.notices
	if n == nil || !q.tellsPeers || q.closed {
		return false
	}
	if n.departure = true; l.in.counts.unread.Messages == 0 {
		q.cancelUntold(l)
	}
	return n.departure
}

// cancelUntold takes back the notices of a link that has left, and of which no message waits, if its arrival was not
// told.
func (q *inbox) cancelUntold(l *link) {
	n := l.in.notices
	if !n.arrival {
		return
	}
	n.arrival, n.departure = false, false
	if l.in.active {
		q.leaveRound(l)
	}
}

// tellDeparture has whoever receives see that a link, which has left, is not in the round without reason.
func (q *inbox) tellDeparture(l *link) {
	if !l.in.active {
		q.announce(l, 1)
	}
}

// popNotice tells what there is to be told of the link whose turn it is.
func (q *inbox) popNotice(l *link, into *issued) Msg {
	in := &l.in
	m := Msg{From: l.peer}
	if in.notices.arrival {
		in.notices.arrival = false
	} else {
		in.notices.departure, m.Frames = false, [][]byte{}
	}
	in.active = !in.empty()
	q.round.took(in.active)
	if into != nil {
		into.out = handout{q: q, state: handoutSettled}
		into.handed = &into.out
	}
	return m
}

// bequeath is called when the messages of an earlier link have come into the queue of one that joins: with notices they
// are the new one's.
func (q *inbox) bequeath(old, l *link) {
	if !q.tellsPeers {
		return
	}
	l.in.queue.setFrom(l.peer)
	if !old.in.isOrphan {
		return
	}
	if q.cancelUntold(old); !old.in.empty() {
		q.tellDeparture(old)
	}
}

// setFrom has all messages in the queue be from one peer.
func (q *queue) setFrom(p *Peer) {
	left, r := q.n, q.r
	for c := q.head; left > 0; c, r = c.next, 0 {
		for ; r < len(c.msgs) && left > 0; r++ {
			c.msgs[r].From = p
			left--
		}
	}
}

// dismissSender has a peer in this process send nothing more by a link that is about to leave the inbox: the departure
// is the last of it. Over bytes nothing is read any more by then.
func (c *core) dismissSender(l *link) {
	p, ok := l.carrier.(*inproc)
	if !ok || !c.cfg.notices {
		return
	}
	box := &p.peerLink.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	p.other.flush()
	p.peerLink.out.fallSilent()
}
