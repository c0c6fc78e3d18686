package socket

import (
	"fmt"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// NodeID returns the id that this socket shows to its peers, the same for all sockets of the process: see [ThisNode].
func (c *core) NodeID() [16]byte { return thisNode() }

// ConnectNode is Connect for an endpoint at which somebody else may come to answer: a port or a path that was taken
// over, or a path that leads to another file here than where it was announced. With each connection accept is asked
// about the peer's node id, zero for one that is no Yodel, before the peer is told who we are. If it returns an
// error, the connection ends with a [HandshakeFailed] event that matches [ErrWrongNode] and that error: the peer
// never takes us for connected and no message goes either way. The socket then tries again, as Connect does.
//
// accept is called by goroutines of the socket and holds up the handshake, so that its time counts for
// WithHandshakeTimeout. It may wait for calls of this socket's methods but for Close and Shutdown. nil accepts every
// peer. To connect to the same endpoint again changes nothing, accept included. The id is a claim, not a proof.
func (c *core) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	return c.connect(endpoint, endpointConfig{accept: accept})
}

// check asks whether a node is accepted at the endpoint.
func (ep *endpointState) check(node NodeID) error {
	if ep.accept == nil {
		return nil
	}
	err := ep.accept(node)
	switch {
	case err == nil:
		return nil
	case node == NodeID{}:
		return fmt.Errorf("%w, which is no Yodel: %w", ErrWrongNode, err)
	}
	return fmt.Errorf("%w, %v: %w", ErrWrongNode, node, err)
}

// admit is check for the wire; nil without it, so that the handshake waits for nobody.
func (ep *endpointState) admit() func(*zmtp.Session) error {
	if ep.accept == nil {
		return nil
	}
	return func(s *zmtp.Session) error { return ep.check(newPeer(s, ep.name, "").Node) }
}
