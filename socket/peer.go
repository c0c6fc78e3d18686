package socket

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Peer is the socket at the other end of one connection. A Peer never changes; a peer that reconnects is a new one.
type Peer struct {
	// Type is the peer's socket type, for example "PULL".
	Type string
	// Identity is what the peer calls itself (libzmq ZMQ_ROUTING_ID), empty for most. The name that a [Router] has
	// given to such a peer, itself or by ConnectAs, is in the first frame of its messages only. Do not change it.
	Identity []byte
	// Endpoint is the endpoint of ours that the connection belongs to, as bound or connected.
	Endpoint string
	// Address is the far end's address as the transport gives it.
	Address string
	// Node is the 16-byte node id of a Yodel process, zero for any other peer. It is a claim, not a proof.
	Node NodeID
	// Mechanism is the security mechanism of the connection, such as "CURVE".
	Mechanism string
	// User is who the peer has proven to be, by the word of the [Authenticator] (libzmq zmq_msg_gets, User-Id): empty if
	// that has named nobody, or was not asked.
	User string
	// Proven is what the Authenticator knows of the user, nil if nothing. Unlike Metadata it does not come from the peer.
	// Do not change it.
	Proven map[string]string
	// Metadata holds the properties of the peer's READY command (RFC 37; libzmq zmq_msg_gets), by name as the peer
	// wrote it. They are claims, not proofs. Do not change it.
	Metadata map[string]string

	yodel            bool
	inproc           bool
	features         zmtp.Features // of a Yodel peer
	end              endID         // the same
	by               [8]byte       // the same: see zmtp.Yodel.Endpoint
	conn             *peerLink     // nil if no socket made it
	origin           *origin       // of subscriptions that an XPub received from it
	heartbeatTimeout time.Duration // that a Yodel peer has told; 0 for none
}

// An endID names one end of a connection: the socket or, of the side that connects, its endpoint. It is the same for
// the next connection of that endpoint, and another one for a connection by another endpoint.
type endID = [16]byte

func newEndID() (id endID) {
	rand.Read(id[:])
	return id
}

// A NodeID names one process that runs Yodel; it is drawn at random when the process makes its first socket.
type NodeID [16]byte

// String returns the id in hexadecimal.
func (id NodeID) String() string { return hex.EncodeToString(id[:]) }

// String names the peer for people: its type, address, and identity and user if it has them.
func (p *Peer) String() string {
	if p == nil {
		return "no peer"
	}
	s := p.Type + " " + p.Address
	if len(p.Identity) > 0 {
		s += fmt.Sprintf(" (%q)", p.Identity)
	}
	if p.User != "" {
		s += fmt.Sprintf(" of user %q", p.User)
	}
	return s
}

// ThisNode returns the id that this process shows to its peers.
func ThisNode() NodeID { return thisNode() }

var thisNode = sync.OnceValue(func() (id NodeID) {
	rand.Read(id[:])
	return id
})

// ourProperty is the X-Yodel property this socket sends over a connection of an endpoint.
func (c *core) ourProperty(ep *endpointState) zmtp.Property {
	return zmtp.Property{Name: zmtp.PropertyYodel, Value: zmtp.AppendYodel(nil, &zmtp.Yodel{
		Features:  c.features(),
		Node:      thisNode(),
		Heartbeat: c.cfg.heartbeat.timeout,
		Receiver:  c.endAt(ep),
		Endpoint:  c.endpointAt(ep),
	})}
}

// endAt is by what name the peers at an endpoint know this socket.
func (c *core) endAt(ep *endpointState) endID {
	if ep.bound || c.cfg.named() {
		return c.endID
	}
	return ep.endID
}

// endpointAt tells this end apart from others that have its name; zero if it is the only one that can have it.
func (c *core) endpointAt(ep *endpointState) (id [8]byte) {
	if !ep.bound && c.cfg.named() {
		copy(id[:], ep.endID[:])
	}
	return id
}

// features are the feature bits of this socket.
func (c *core) features() (bits zmtp.Features) {
	if c.in.receives {
		bits |= zmtp.FeatureReliable
	}
	if c.opens() {
		bits |= zmtp.FeatureOpens
	}
	if c.out.durables != nil || c.cfg.subscriber != "" {
		bits |= featuresDurable
	}
	return bits
}

// metadata is what a peer in the same process sees as [Peer.Metadata]: what READY would carry.
func (c *core) metadata(ep *endpointState) map[string]string {
	m := map[string]string{zmtp.PropertySocketType: string(c.typ)}
	for _, p := range append(c.cfg.metadata, c.ourProperty(ep)) {
		m[p.Name] = string(p.Value)
	}
	return m
}

// newPeer describes the far end of a finished handshake.
func newPeer(s *zmtp.Session, endpoint, address string) *Peer {
	p := &Peer{
		Type:     string(s.PeerType),
		Identity: bytes.Clone(s.Identity), // a part of the whole READY otherwise
		Endpoint: endpoint,
		Address:  address,
		Metadata: make(map[string]string, len(s.Metadata)),
	}
	for i, prop := range s.Metadata {
		if _, again := s.Metadata[:i].Get(prop.Name); !again { // the first of a name stands, as for what we read ourselves
			p.Metadata[prop.Name] = string(prop.Value)
		}
	}
	if v, _ := s.Metadata.Get(zmtp.PropertyYodel); len(v) > 0 {
		if y, err := zmtp.ParseYodel(v); err == nil {
			p.yodel, p.Node, p.heartbeatTimeout = true, y.Node, y.Heartbeat
			p.features, p.end, p.by = y.Features, y.Receiver, y.Endpoint
		}
	}
	return p
}
