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

// NeedsServerKey reports whether the socket's mechanism ([WithSecurity]) is that of a client that lacks the server's
// key, such as curve.Client with the zero key: it can connect only by ConnectServer, or [SecuredBy] another mechanism.
func (c *core) NeedsServerKey() bool {
	m, ok := c.cfg.mechanism.(zmtp.ServerKeyed)
	return ok && m.NeedsServerKey()
}

// ConnectServer is ConnectNode to a server that has to have a key, in the mechanism's form of text: Z85 for CURVE. It
// is how package discovery passes on the keys of records that have a proof. The error matches [ErrInvalidOption] if the
// socket's mechanism takes no such key, or not this one; nothing is connected then.
func (c *core) ConnectServer(endpoint, key string, accept func(node [16]byte) error) error {
	m, ok := c.cfg.mechanism.(zmtp.ServerKeyed)
	if !ok {
		err := fmt.Errorf("%w: the mechanism is none of a client that knows servers by their keys", ErrInvalidOption)
		return &PeerError{Op: "connect", Endpoint: endpoint, Err: err}
	}
	keyed, err := m.WithServerKey(key)
	if err != nil {
		return &PeerError{Op: "connect", Endpoint: endpoint, Err: fmt.Errorf("%w: %w", ErrInvalidOption, err)}
	}
	return c.connect(endpoint, endpointConfig{accept: accept, mechanism: keyed})
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
