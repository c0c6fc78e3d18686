package line

import (
	"context"

	"github.com/yodel-mq/yodel/socket"
)

// A Handler is told what happens. Of one connection it is told in order, by one goroutine at a time, and the same one
// for all connections of a Bound; of the endpoints of a Dialer by one each. That goroutine receives for all of them,
// so that a Handler must not wait, neither for room to send nor for a Close of this package.
type Handler interface {
	// Up: a peer that fits is connected. c.Data is the Handler's from now on.
	Up(c *Conn)
	// Message: m has come from the peer. Behind a ROUTER it is without the identity in front.
	Message(c *Conn, m socket.Msg)
	// Down: the connection is over, and all that it brought was handed over. err says why.
	Down(c *Conn, err error)
	// Failed: an attempt to connect to an endpoint has failed, or a peer, at an endpoint of either kind, was refused:
	// err matches ErrPattern then.
	Failed(endpoint string, err error)
}

// A Conn is one connection to a peer. Its methods may be called by any number of goroutines, also when it is over.
type Conn struct {
	// Peer is the far end. It does not change.
	Peer *socket.Peer
	// Data is whatever the Handler wants, set in Up.
	Data any
	// Line is the endpoint that this connection belongs to, nil behind a Bound.
	Line *Line

	socket  peerSocket
	refused bool
}

// peerSocket is what a Dealer and a Router have in common.
type peerSocket interface {
	socket.Receiver
	SendTo(ctx context.Context, p *socket.Peer, m socket.Msg) error
	TrySendTo(p *socket.Peer, m socket.Msg) error
}

// Foreign tells whether the peer is plain ZeroMQ: it must be sent nothing but what such a peer understands.
func (c *Conn) Foreign() bool { return c.Peer.Metadata[Property] == "" }

// Converses tells whether a message about an earlier one reaches whoever has that, and is understood there: the peer is
// no plain ZeroMQ, or a proxy that says so of those behind it.
func (c *Conn) Converses() bool {
	return !c.Foreign() || c.Peer.Metadata[ProxyProperty] == ProxyAffinity
}

// Send sends a message, without an identity in front, to this peer, waiting for room until ctx ends. The error matches
// socket.ErrPeerLost if the connection is over, or socket.ErrClosed if this side has closed the socket of it.
func (c *Conn) Send(ctx context.Context, m socket.Msg) error { return c.socket.SendTo(ctx, c.Peer, m) }

// TrySend is Send that returns socket.ErrWouldBlock where that would wait.
func (c *Conn) TrySend(m socket.Msg) error { return c.socket.TrySendTo(c.Peer, m) }

// Disconnect ends the connection. Down follows.
func (c *Conn) Disconnect() { _ = c.socket.DisconnectPeer(c.Peer) } // it may be over already
