package socket

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
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
	// Metadata holds the properties of the peer's READY command (RFC 37; libzmq zmq_msg_gets), by name as the peer
	// wrote it. They are claims, not proofs. Do not change it.
	Metadata map[string]string

	yodel            bool
	inproc           bool
	conn             *peerLink     // nil if no socket made it
	origin           *origin       // of subscriptions that an XPub received from it
	heartbeatTimeout time.Duration // that a Yodel peer has told; 0 for none
}

// A NodeID names one process that runs Yodel; it is drawn at random when the process makes its first socket.
type NodeID [16]byte

// String returns the id in hexadecimal.
func (id NodeID) String() string { return hex.EncodeToString(id[:]) }

// String names the peer for people: its type, address and identity if it has one.
func (p *Peer) String() string {
	if p == nil {
		return "no peer"
	}
	if len(p.Identity) > 0 {
		return fmt.Sprintf("%s %s (%q)", p.Type, p.Address, p.Identity)
	}
	return p.Type + " " + p.Address
}

// ThisNode returns the id that this process shows to its peers.
func ThisNode() NodeID { return thisNode() }

var thisNode = sync.OnceValue(func() (id NodeID) {
	rand.Read(id[:])
	return id
})

// The X-Yodel property of READY tells another Yodel what it may send us beyond ZMTP 3.1: a version byte, four bytes of
// feature bits, the node id, and four bytes of the time in milliseconds after which it takes us for dead (0: never).
const (
	yodelProperty = "X-Yodel"
	yodelVersion  = 1
	yodelSize     = 1 + 4 + 16 + 4
)

// ourProperty is the X-Yodel property this socket sends. No feature beyond ZMTP is spoken yet, so that no bit is set.
func (c *core) ourProperty() zmtp.Property {
	v := make([]byte, 0, yodelSize)
	v = append(v, yodelVersion)
	v = binary.BigEndian.AppendUint32(v, 0)
	id := thisNode()
	v = append(v, id[:]...)
	v = binary.BigEndian.AppendUint32(v, uint32(min(c.cfg.heartbeat.timeout.Milliseconds(), math.MaxUint32)))
	return zmtp.Property{Name: yodelProperty, Value: v}
}

// metadata is what a peer in the same process sees as [Peer.Metadata]: what READY would carry.
func (c *core) metadata() map[string]string {
	m := map[string]string{zmtp.PropertySocketType: string(c.typ)}
	for _, p := range append(c.cfg.metadata, c.ourProperty()) {
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
	// A longer property comes from a later Yodel: what we know of it stands at its start.
	if v, _ := s.Metadata.Get(yodelProperty); len(v) >= yodelSize {
		p.yodel = true
		p.Node = NodeID(v[5:21])
		p.heartbeatTimeout = time.Duration(binary.BigEndian.Uint32(v[21:])) * time.Millisecond
	}
	return p
}
