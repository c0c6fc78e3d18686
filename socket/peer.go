package socket

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Peer is the socket at the other end of one connection. A Peer never changes; a peer that reconnects is a new one.
type Peer struct {
	// Type is the peer's socket type, for example "PULL".
	Type string
	// Identity is what the peer calls itself (libzmq ZMQ_ROUTING_ID), empty for most.
	Identity []byte
	// Endpoint is the endpoint of ours that the connection belongs to, as bound or connected.
	Endpoint string
	// Address is the far end's address as the transport gives it.
	Address string
	// Node is the 16-byte node id of a Yodel process, zero for any other peer. It is a claim, not a proof.
	Node NodeID
	// Metadata holds the properties of the peer's READY command (RFC 37), by name.
	Metadata map[string]string

	yodel bool
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
// feature bits and the node id.
const (
	yodelProperty = "X-Yodel"
	yodelVersion  = 1
	yodelSize     = 1 + 4 + 16
)

// ourProperty is the X-Yodel property this socket sends. No feature beyond ZMTP is spoken yet, so that no bit is set.
func ourProperty() zmtp.Property {
	v := make([]byte, 0, yodelSize)
	v = append(v, yodelVersion)
	v = binary.BigEndian.AppendUint32(v, 0)
	id := thisNode()
	return zmtp.Property{Name: yodelProperty, Value: append(v, id[:]...)}
}

// newPeer describes the far end of a finished handshake.
func newPeer(s *zmtp.Session, endpoint, address string) *Peer {
	p := &Peer{
		Type:     string(s.PeerType),
		Identity: s.Identity,
		Endpoint: endpoint,
		Address:  address,
		Metadata: make(map[string]string, len(s.Metadata)),
	}
	for _, prop := range s.Metadata {
		p.Metadata[prop.Name] = string(prop.Value)
	}
	// A longer property comes from a later Yodel: what we know of it stands at its start.
	if v, _ := s.Metadata.Get(yodelProperty); len(v) >= yodelSize {
		p.yodel = true
		p.Node = NodeID(v[5:yodelSize])
	}
	return p
}
