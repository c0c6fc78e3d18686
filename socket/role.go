package socket

import (
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A behaviour is what makes one socket type differ from another. Each role states its own where it calls newCore, at
// the top of its file; from there core, outbox and inbox take it, and nothing of it changes later.
type behaviour struct {
	typ  zmtp.SocketType
	role role // nil for a baseRole
	out  outBehaviour
	in   inBehaviour
	// nameable, if set, reports why the peer at an endpoint cannot be called id. Without it a socket names no peers.
	nameable func(endpoint, id string) error
}

// An outBehaviour is how messages leave. The hooks are called with out.mu held.
type outBehaviour struct {
	// keeps: a message belongs to the socket rather than to one peer. Without a peer it waits for the first, and what
	// a lost link had not written goes to another.
	keeps bool
	// addressed: messages are for given peers, so that a reliable one that is lost is there until it is given up on.
	addressed bool
	// requestReply: each message is a request or a reply, so that messages never come back to back and the caller of
	// Send always writes.
	requestReply bool
	// sharedRate: one stream of messages is spread over all links, or copied to them, so that what the last write to
	// one of them tells of the rate holds for all.
	sharedRate bool
	// assigned, if set, is told which link a message goes to, or nil for one that waits for a peer.
	assigned func(l *link, m Msg)
	// abandoned, if set, is told of a message that cannot be delivered, and why.
	abandoned func(m Msg, why error)
	// expiry, if set, is when a message that comes back from a reliable peer is worth nothing any more; zero for never.
	expiry func(m Msg) time.Time
	// gone, if set, is told when a reliable peer is given up on whose link has left before.
	gone func(l *link)
}

// An inBehaviour is what becomes of what comes. The hooks are called with recv held.
type inBehaviour struct {
	// receives: messages wait for Recv. A role without it discards them.
	receives bool
	// answers: each peer waits for what the application answers, so that it matters how long another one keeps it.
	answers bool
	// mixed: the role keeps a part of what comes, so that a receiver cannot read a connection in place of its
	// goroutine, and takes each message under the lock.
	mixed bool
	// notifies: the application is told what peers subscribe to (xpub_notices.go).
	notifies bool
	// filter, if set, looks at each message as it is about to be handed out, and may take an envelope off or put one
	// on; a reason discards it.
	filter func(l *link, m Msg) (Msg, Reason)
	// store, if set, does on the way into an inbox on disk, while the link is known, what has to be done of filter then,
	// and load the rest, as the message is handed out from there. Without them a message is kept as it came.
	store, load func(l *link, m Msg) (Msg, Reason)
	// turn, if set, says why no message may be received now, even if there are some; nil if one may. It is called with
	// in.mu held too.
	turn func() error
	// stop, if set, ends a wait for messages with an error. It is called with in.mu held too.
	stop func() error
}

// A role is what a socket type does about peers that come and go and about what they send. The reader of a link calls
// intake and subscription: the link's own goroutine or, where intake passes everything to the inbox, a caller of Recv
// that reads in its place (link_handoff.go).
type role interface {
	// admit keeps a place for a link, or refuses it. Over inproc the other side may refuse it after that.
	admit(l *link) error
	// joined lets a link that was admitted take part.
	joined(l *link)
	// left ends either; what was queued for the link is accounted for by then.
	left(l *link)
	// intake takes the messages that one read has brought; the list is valid during the call only. An error ends the
	// connection.
	intake(l *link, msgs [][][]byte) error
	// subscription handles SUBSCRIBE and CANCEL. An error ends the connection.
	subscription(l *link, add bool, topic []byte) error
}

// baseRole takes every peer, passes messages to the inbox and knows nothing of subscriptions.
type baseRole struct{}

func (baseRole) admit(*link) error { return nil }

func (baseRole) joined(l *link) {
	o := &l.core.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(l)
}

func (baseRole) left(*link) {}

func (baseRole) intake(l *link, msgs [][][]byte) error {
	q := &l.core.in
	if q.receives {
		return l.queueAll(msgs)
	}
	for _, frames := range msgs {
		q.reject(l, Unexpected, Msg{Frames: frames}.Size())
	}
	return nil
}

func (baseRole) subscription(l *link, _ bool, topic []byte) error {
	l.reading.useless += useless(1, len(topic))
	return nil
}
