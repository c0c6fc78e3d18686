package socket

import (
	"bytes"
	"testing"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

func TestPeerText(t *testing.T) {
	for _, c := range []struct {
		name string
		peer *Peer
		want string
	}{
		{"nil", nil, "no peer"},
		{"without an identity", &Peer{Type: "PULL", Address: "10.0.0.7:5555"}, "PULL 10.0.0.7:5555"},
		{"with one", &Peer{Type: "REQ", Address: "10.0.0.7:5555", Identity: []byte("a\x00")}, `REQ 10.0.0.7:5555 ("a\x00")`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.peer.String(); got != c.want {
				t.Errorf("String is %q, want %q", got, c.want)
			}
		})
	}
}

func TestThisNode(t *testing.T) {
	id := ThisNode()
	if id == (NodeID{}) || id != ThisNode() {
		t.Errorf("the node id is %v and then %v, want one that is not zero and stays", id, ThisNode())
	}
	if got := (NodeID{0: 0xab, 15: 1}).String(); got != "ab000000000000000000000000000001" {
		t.Errorf("String is %q", got)
	}
}

func TestNewPeer(t *testing.T) {
	ours := NewPush().ourProperty(&endpointState{bound: true})
	for _, c := range []struct {
		name  string
		props zmtp.Metadata
		yodel bool
		node  NodeID
	}{
		{"no properties", nil, false, NodeID{}},
		{"not a Yodel", zmtp.Metadata{{Name: "Socket-Type", Value: []byte("PULL")}}, false, NodeID{}},
		{"a Yodel", zmtp.Metadata{ours}, true, ThisNode()},
		{"in other letters", zmtp.Metadata{{Name: "x-yodel", Value: ours.Value}}, true, ThisNode()},
		{
			"a later Yodel",
			zmtp.Metadata{{Name: zmtp.PropertyYodel, Value: append(bytes.Clone(ours.Value), "more"...)}},
			true,
			ThisNode(),
		},
		{"a property too short", zmtp.Metadata{{Name: zmtp.PropertyYodel, Value: ours.Value[:24]}}, false, NodeID{}},
		{"an empty one", zmtp.Metadata{{Name: zmtp.PropertyYodel}}, false, NodeID{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(&zmtp.Session{PeerType: zmtp.Pull, Identity: []byte("me"), Metadata: c.props}, "tcp://a:1", "b:2")
			if p.Type != "PULL" || string(p.Identity) != "me" || p.Endpoint != "tcp://a:1" || p.Address != "b:2" {
				t.Errorf("the peer is %+v", p)
			}
			if p.yodel != c.yodel || p.Node != c.node {
				t.Errorf("it is a Yodel: %t, node %v; want %t, %v", p.yodel, p.Node, c.yodel, c.node)
			}
			if len(p.Metadata) != len(c.props) {
				t.Errorf("metadata is %v", p.Metadata)
			}
			for _, prop := range c.props {
				if p.Metadata[prop.Name] != string(prop.Value) {
					t.Errorf("%s is %q", prop.Name, p.Metadata[prop.Name])
				}
			}
		})
	}
}

// TestPeerPropertyGivenTwice: the first property of a name stands, in whatever letters, for the application as for
// ourselves.
func TestPeerPropertyGivenTwice(t *testing.T) {
	p := newPeer(&zmtp.Session{Metadata: zmtp.Metadata{
		{Name: "X-Name", Value: []byte("first")},
		{Name: "x-name", Value: []byte("second")},
		{Name: "X-Name", Value: []byte("third")},
	}}, "", "")
	if len(p.Metadata) != 1 || p.Metadata["X-Name"] != "first" {
		t.Errorf("the properties are %v, want the first one", p.Metadata)
	}
}
