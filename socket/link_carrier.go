package socket

import (
	"context"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A carrier moves the messages of a link to its peer and brings what comes from there. There are two: wire, over a
// connection (link_wire.go), and inproc, from queue to queue to a peer in the same process (link_inproc.go), unless one
// of the two is reliable: then wire is the carrier there too. The link
// keeps what both have in common: who the peer is, its part in the socket, its accounts and how it came to its end. A
// link that only stands for a peer that has gone (an orphan) has no carrier: it is neither sent to nor ever full.
//
// Without another word the caller holds no lock of the socket's.
type carrier interface {
	// converse trades commands with the peer between the handshake and membership (endpoint_resume.go).
	converse(ctx context.Context, ex zmtp.Exchange, first zmtp.Command) error
	// agree returns once this side and the peer are sure to take each other in, or says why they do not.
	agree() error
	// run returns when the connection has ended, and says why. It is called once the link has joined its socket, by the
	// link's own goroutine, which reads meanwhile if there is something to read.
	run() error
	// leave is called before the link leaves its socket.
	leave()
	// peerEnd is how the peer is known to have ended the connection, though what it sent last may be unread; nil if it
	// has not.
	peerEnd() error

	// The way out, with core.out.mu held.

	// offer takes a message and enters it in the ledger, unless the queue for the peer is full or the link is dead. It
	// is given a copy: a pointer would have each message allocate (measured: 13 % of a REQ/REP round trip over inproc).
	offer(m outgoing) bool
	// appendFast does the same for a message behind others of its kind, if that takes next to nothing. It is for a message
	// that goes to this peer alone, and costs about half of what the way through offer does.
	appendFast(m Msg, size int) bool
	// open reports whether offer would take a message.
	open() bool
	// makeRoom drops the oldest message that has not begun to leave. It returns false if there is none.
	makeRoom() bool
	// startWriting has what was taken written by somebody. If it returns true the caller has to unlock and call
	// link.writeNow; alone says that the caller may.
	startWriting(alone bool) (byCaller bool)
	// queued is the number of messages that the peer has not taken yet.
	queued() uint64
	// undo is called once, when nothing more is to leave. It returns what has left meanwhile and the messages that have
	// not, in order; begun says that the first of those has left in part.
	undo() (delivered Count, unsent []Msg, begun bool)
	// flush moves messages that count as queued, and need not wait, to where they count as delivered.
	flush()
	// policyChanged is called when the link has got another overflow policy.
	policyChanged()

	// The two ways, without a lock.

	// mayBeUnread reports whether the peer may not have got yet all that counts as delivered.
	mayBeUnread() bool
	// pull has a peer that keeps messages on its side for a while give them now.
	pull()
	// resume goes on with what was held back while the queue of what comes was full. It waits for nothing.
	resume()

	// subscribeAll sends a peer that has joined what this socket has subscribed to, and has it sent changes from then
	// on. subscribe sends it one, with s.changes held.
	subscribeAll(s *subscriptions)
	subscribe(add bool, topic string)
}

// offer and open are those of the carrier, for whoever sends a message to many. A wire is asked by itself: a message
// that goes by way of the interface is copied for each peer.
func (l *link) offer(m *outgoing) bool {
	if w, ok := l.carrier.(*wire); ok {
		return w.take(m)
	}
	return l.carrier.offer(*m)
}

func (l *link) open() bool {
	if _, ok := l.carrier.(*wire); ok {
		return !l.out.full && !l.out.dead
	}
	return l.carrier.open()
}
