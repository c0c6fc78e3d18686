package socket

// What becomes of a message for which there is no room: verdict decides it, from nothing but what it is given, and
// overflow carries it out.

// A way is how a message goes out.
type way uint8

const (
	balanced  way = iota // to one of the peers, whichever has room (balance)
	published            // to each of several peers (fanOut)
	routed               // to one given peer (route)
	given                // to one given peer, and of the socket's own making (give)
)

// A situation is what a message meets that finds no room.
type situation struct {
	way    way
	policy Overflow
	peer   presence

	late  bool // published: others have the message already, so that it cannot be held back any more
	begun bool // what is queued has all begun to leave, so that there is nothing older to drop

	// Of balanced messages.
	waiting  bool // there is a backlog
	expected bool // a peer may appear for which the message may wait
	atMark   bool // the backlog is at its high-water mark
}

// A presence says which peer it is that has no room.
type presence uint8

const (
	here   presence = iota // one that is full; balanced: all are full
	gone                   // one that was lost; balanced: all were
	nobody                 // none is meant by the message
)

// A verdict is what is done about a message that finds no room.
type verdict struct {
	do  action
	err error  // what Send returns if it may not wait; nil if the message is taken, or dropped
	why Reason // why it is dropped
}

type action uint8

const (
	waitForRoom      action = iota // Send waits and tries again
	failSend                       // Send returns the error at once
	dropNew                        // the message is dropped
	dropNewAndPeer                 // so it is, and the connection to the peer is ended
	dropOld                        // the oldest message for a peer that has not begun to leave makes room for it
	keepInBacklog                  // it waits in the backlog
	replaceInBacklog               // so it does, in place of the oldest one there
	replaceBacklog                 // so it does, in place of all that is there
)

// verdict decides what is done about a message.
func (s situation) verdict() verdict {
	switch s.way {
	case balanced:
		return s.balanced()
	case published:
		return s.published()
	case routed:
		return s.routed()
	default: // given: nobody waits for it, and it takes no other's place
		return s.dropped()
	}
}

func (s situation) balanced() verdict {
	full := ErrWouldBlock
	if s.peer != here {
		if s.expected && s.policy == Conflate {
			return verdict{do: replaceBacklog, why: QueueFull}
		}
		if s.expected && !s.atMark {
			return verdict{do: keepInBacklog}
		}
		full = ErrNoPeers
	}
	switch {
	case s.policy == Reject:
		return verdict{do: failSend, err: full}
	case s.policy == DropNewest:
		return verdict{do: dropNew, why: QueueFull}
	case s.policy == DropOldest && !s.begun:
		return verdict{do: dropOld, why: QueueFull}
	case s.policy == DropOldest && s.waiting:
		return verdict{do: replaceInBacklog, why: QueueFull}
	case s.policy == DropOldest && s.peer == here:
		return verdict{do: dropNew, why: QueueFull}
	}
	return verdict{do: waitForRoom, err: full}
}

func (s situation) published() verdict {
	switch {
	case s.peer != here || s.late && s.policy.holdsBack():
		return s.dropped()
	case s.policy == Block:
		return verdict{do: waitForRoom, err: ErrWouldBlock}
	case s.policy == Reject:
		return verdict{do: failSend, err: errRejected}
	case s.policy == DropOldest && !s.begun:
		return verdict{do: dropOld, why: QueueFull}
	case s.policy == Disconnect:
		return verdict{do: dropNewAndPeer, why: QueueFull}
	}
	return s.dropped()
}

func (s situation) routed() verdict {
	switch {
	case s.peer != here:
		return verdict{do: failSend, err: ErrPeerLost}
	case s.policy == Reject:
		return verdict{do: failSend, err: errRejected}
	case s.policy == DropOldest && !s.begun:
		return verdict{do: dropOld, why: QueueFull}
	case s.policy == DropOldest, s.policy == DropNewest:
		return s.dropped()
	case s.policy == Disconnect:
		return verdict{do: dropNewAndPeer, why: QueueFull}
	}
	return verdict{do: waitForRoom, err: ErrWouldBlock}
}

func (s situation) dropped() verdict {
	why := QueueFull
	switch s.peer {
	case gone:
		why = PeerGone
	case nobody:
		why = NoSubscriber
	case here:
	}
	return verdict{do: dropNew, why: why}
}

// holdsBack reports whether a message that is published is held back from all peers while one with this policy has no
// room.
func (p Overflow) holdsBack() bool { return p == Block || p == Reject }

// dropsOldest reports whether the policy drops messages that a peer in the same process might have taken already.
func (p Overflow) dropsOldest() bool { return p == DropOldest || p == Conflate }

// replaces reports whether each message takes the place of all that have not begun to leave, so that a queue has no
// high-water mark.
func (p Overflow) replaces() bool { return p == Conflate }

// overflow carries out the verdict on a message for which link l, or every link if l is nil, has no room, and returns
// it. It waits for nothing and ends no connection: that is left to the caller, who holds the lock.
func (o *outbox) overflow(s situation, l *link, m *outgoing) verdict {
	for {
		o.look(&s, l)
		v := s.verdict()
		switch v.do {
		case dropOld:
			if at := o.makeRoom(l); at != nil {
				if at.offerCounted(m) {
					at.start(false)
					return v
				}
			}
			s.begun = true // or a peer in this process has ended in between
			continue
		case dropNew, dropNewAndPeer:
			o.miss(l, v.why, m.size)
		case keepInBacklog:
			o.enqueue(Msg{Frames: m.frames}, m.tried)
		case replaceInBacklog:
			o.dropBacklog(1, v.why)
			o.enqueue(Msg{Frames: m.frames}, m.tried)
		case replaceBacklog:
			o.dropBacklog(o.backlog.n, v.why)
			o.enqueue(Msg{Frames: m.frames}, m.tried)
		case waitForRoom, failSend: // for the caller to carry out
		}
		return v
	}
}

// look sees which peers there are.
func (o *outbox) look(s *situation, l *link) {
	switch {
	case l != nil && l.out.dead:
		s.peer = gone
	case l != nil || s.way != balanced:
	case o.hasLive():
		s.peer = here
	default:
		s.peer = gone
	}
	if s.way == balanced {
		s.waiting = o.backlog.n > 0
		s.expected = o.connecting > 0 && !o.env.cfg.immediate
		s.atMark = o.env.cfg.sendMark.reached(o.load())
	}
}

// makeRoom drops the oldest message that has not begun to leave from link l or, if l is nil, from the next in turn that
// has one. It returns that link, or nil if there is none.
func (o *outbox) makeRoom(l *link) *link {
	if l != nil {
		if l.carrier.makeRoom() {
			return l
		}
		return nil
	}
	for i := range o.links {
		l := o.links[(o.next+i)%len(o.links)]
		if l.carrier.makeRoom() {
			o.next = (o.next + i + 1) % len(o.links)
			return l
		}
	}
	return nil
}

// miss counts a message that is dropped as it comes. If it was for link l and found that full, it is told.
func (o *outbox) miss(l *link, why Reason, size int) {
	o.ledger(l).miss(why, Count{1, uint64(size)})
	if l != nil && why == QueueFull {
		l.out.burst++
		l.nameSlow()
	}
}
