package socket

import (
	"sync/atomic"
	"time"
)

// A peerLink leads from a Peer, which an application may keep for as long as it likes, to the link that the Peer
// describes. It does not keep that link from the garbage collector once the connection is over.
type peerLink struct {
	link atomic.Pointer[link] // nil once the link has left its socket
	over <-chan struct{}      // closed then
	born *time.Time           // of the socket, if that is one WithReceived

	onRevoke func(revoke func(reason error)) (stop func()) // of the user, until the link is admitted

	// For Stats.
	since time.Duration // when the link was made
	asked atomic.Int64  // when a PING left that is not answered yet; 0 for none
	rtt   atomic.Int64  // how long the last answer took; 0 while there is none
}

// describe makes p the link's peer.
func (l *link) describe(p *Peer) {
	p.conn = &peerLink{over: l.hasLeft, since: l.core.now()}
	if l.core.cfg.received {
		born := l.core.born // a Peer does not hold on to a socket
		p.conn.born = &born
	}
	p.conn.link.Store(l)
	l.peer = p
}

// release says that the link has left the socket, or is not to take part in it.
func (l *link) release() {
	if l.peer.conn != nil {
		l.peer.conn.link.Store(nil)
	}
	close(l.hasLeft)
}

// linkTo returns the link to a peer, or nil if that is not connected to this socket, or not any more.
func (c *core) linkTo(p *Peer) *link {
	if p == nil || p.conn == nil {
		return nil
	}
	if l := p.conn.link.Load(); l != nil && l.core == c {
		return l
	}
	return nil
}

// Done returns a channel that is closed when the connection to the peer is over, behind the event that says why. What
// the peer had sent may wait for Recv still. Whoever works for a peer can stop then:
//
//	select {
//	case <-request.From.Done(): // nobody waits for the reply
//	case result := <-work:
//	}
//
// For a Peer that is nil, or that no socket has made, the channel is nil: it is never closed.
func (p *Peer) Done() <-chan struct{} {
	if p == nil || p.conn == nil {
		return nil
	}
	return p.conn.over
}

// DisconnectPeer ends the connection to one peer, found in an [Event], in [Stats] or in the From of a message, as
// Disconnect and Unbind end all those of an endpoint. Nothing more is written to it: what is queued for it goes where
// the role sends it when a peer is lost, to another peer or into the ledger as [PeerGone]. What it had sent is
// received, until it has closed in turn or ten seconds are over, and then a [PeerDown] event of ErrDisconnected says
// so. (libzmq zmq_disconnect_peer.)
//
// The peer may come back. At an endpoint that this socket connects to it is connected to anew, after the pause of
// [WithReconnect], unless [WithoutReconnect] says otherwise; use Disconnect to be rid of it for good. The error
// matches ErrPeerLost if the peer is not connected to this socket.
func (c *core) DisconnectPeer(p *Peer) error {
	l := c.linkTo(p)
	if l == nil {
		return &PeerError{Op: "disconnect", Peer: p, Err: ErrPeerLost}
	}
	l.closeGracefully()
	return nil
}
