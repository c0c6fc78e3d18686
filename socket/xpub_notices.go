package socket

// notices are the subscriptions and cancellations that an XPub has not handed to the application yet. Those of one
// peer wait with its messages, in front of them, so that receiving is fair among peers; those of peers that have gone
// wait together, so that none keeps its link. All is guarded by core.in.mu.
//
// Peers take turns, so that what two of them did to one topic may be handed out in another order than it happened.
// What counts is that in the end the application believes what is true: each notice is looked at when its turn comes,
// and one that would lead away from that is not handed out.
//
// An application need not look. Beyond a mark what is new and what waits are coalesced: a cancellation with the
// subscriptions it takes back, a repeated subscription with the one before. What is left is no more than what peers
// have, and the cancellations of what the application was told.
type notices struct {
	perPeer bool // a fact is one peer's, otherwise all peers' together; see origin
	repeats bool // subscriptions to what is subscribed are handed out too
	mark    mark // for all that waits
	fewer   mark // for what waits of peers that have gone
	changes int  // that one peer may make while the application does not look; 0 for any number
	facts   map[subscriptionKey]*fact
	waiting Count
	gone    *link // in whose name the notices of peers that have gone wait
}

// A fact is whether a topic is subscribed to, and whether the application believes it.
type fact struct {
	subscriptionKey
	subscribed, believed bool
	newest               *notice // that waits
	adds, cancels        int     // that wait
}

// A notice is one subscription or cancellation that waits.
type notice struct {
	fact         *fact
	from         *Peer
	add          bool
	list         *noticeList
	prev, next   *notice // in list
	older, newer *notice // of the same fact
}

// A noticeList is what waits of one peer, or of all that have gone; of another socket than an XPub, what there is to be
// told of the peer itself (peer_notices.go).
type noticeList struct {
	owner      *link
	arrival    bool
	departure  bool
	head, tail *notice
	count      Count
	coalesced  int // how many notices were discarded since the application took one
}

func newNotices(c *core) *notices {
	n := &notices{
		perPeer: c.cfg.manual || c.cfg.verbosity == EveryChange,
		repeats: c.cfg.manual || c.cfg.verbosity != FirstAndLast,
		facts:   make(map[subscriptionKey]*fact),
		gone:    &link{core: c},
		mark:    mark{bytes: defaultHWMBytes},
		fewer:   mark{defaultHWM, 1 << 20},
	}
	if most := c.cfg.limits.MaxSubscriptions; most > 0 {
		n.changes = 2*most + defaultHWM
		n.mark.messages = uint64(n.changes)
	}
	n.gone.in.ready = true
	n.gone.in.notices = &noticeList{owner: n.gone}
	return n
}

// about returns the fact that a peer's subscription to a topic is about.
func (n *notices) about(l *link, topic string) *fact {
	h := subscriptionKey{topic: topic}
	if n.perPeer {
		h.by = l.peer
	}
	f := n.facts[h]
	if f == nil {
		f = &fact{subscriptionKey: h}
		n.facts[h] = f
	}
	return f
}

// forget drops a fact of which there is nothing to remember.
func (n *notices) forget(f *fact) {
	if !f.subscribed && !f.believed && f.adds+f.cancels == 0 {
		delete(n.facts, f.subscriptionKey)
	}
}

func (x *notice) size() int { return 1 + len(x.fact.topic) }

func (x *notice) msg() Msg {
	frame := make([]byte, 1, x.size())
	if x.add {
		frame[0] = 1
	}
	return Msg{Frames: [][]byte{append(frame, x.fact.topic...)}, From: x.from}
}

// push puts a notice behind the others of a list.
func (to *noticeList) push(x *notice) {
	x.list, x.prev, x.next = to, to.tail, nil
	if to.tail == nil {
		to.head = x
	} else {
		to.tail.next = x
	}
	to.tail = x
	to.count.add(x.size())
}

// unlink takes a notice out of its list.
func (x *notice) unlink() {
	from := x.list
	if x.prev == nil {
		from.head = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		from.tail = x.prev
	} else {
		x.next.prev = x.prev
	}
	from.count.sub(x.size())
}

// enter has a notice wait in a list.
func (n *notices) enter(to *noticeList, x *notice) {
	to.push(x)
	n.waiting.add(x.size())
	f := x.fact
	if x.older = f.newest; x.older != nil {
		x.older.newer = x
	}
	f.newest = x
	f.waits(x.add, 1)
}

// leave ends that.
func (n *notices) leave(x *notice) {
	x.unlink()
	n.waiting.sub(x.size())
	f := x.fact
	if x.newer != nil {
		x.newer.older = x.older
	} else {
		f.newest = x.older
	}
	if x.older != nil {
		x.older.newer = x.newer
	}
	f.waits(x.add, -1)
}

func (f *fact) waits(add bool, n int) {
	if add {
		f.adds += n
	} else {
		f.cancels += n
	}
}

// take takes the first notice of a list, for the application. why says that it need not be told.
func (n *notices) take(from *noticeList) (m Msg, why Reason) {
	x := from.head
	n.leave(x)
	from.coalesced = 0
	f := x.fact
	switch {
	case x.add && (f.subscribed || f.cancels > 0) && (n.repeats || !f.believed):
		f.believed = true
	case !x.add && f.believed && (!f.subscribed || f.adds > 0):
		f.believed = false
	default:
		why = Replaced
	}
	n.forget(f)
	return x.msg(), why
}

// needless reports whether a notice of a peer that has gone changes nothing of what the application will believe.
func (x *notice) needless() bool {
	f := x.fact
	if x.add {
		return !f.subscribed || f.believed || f.adds > 1
	}
	return f.subscribed || !f.believed || f.cancels > 1
}

// crowded reports whether so much waits that what is new is coalesced with it.
func (n *notices) crowded(list *noticeList, gone bool) bool {
	return n.mark.reached(n.waiting) || gone && n.fewer.reached(n.gone.in.notices.count.plus(list.count))
}
