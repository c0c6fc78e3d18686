package discovery

import (
	"maps"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// A NodeOption changes a Node before it starts; the package's documentation says what holds for all options.
type NodeOption interface{ apply(n *Node) }

type nodeOption func(*Node)

func (o nodeOption) apply(n *Node) { o(n) }

// WithID sets the node's ID. The default, and the zero ID, is a random one, so that each run of a program is a node
// of its own. With [Signed] it has to be the key's, see [KeyID].
func WithID(id ID) NodeOption {
	return nodeOption(func(n *Node) {
		if id != (ID{}) {
			n.base.ID = id
		}
	})
}

// WithGroup sets the group that the node announces itself in and looks for others in, see [Record.Group]. "" is
// [DefaultGroup].
func WithGroup(group string) NodeOption {
	return nodeOption(func(n *Node) { n.base.Group = group })
}

// WithName sets a name for people to read, up to 63 bytes; "" by default. Everybody on the network can see it.
func WithName(name string) NodeOption {
	return nodeOption(func(n *Node) { n.base.Name = name })
}

// WithProtocol sets what [Record.Wire] says; "zmtp/3.1" by default.
func WithProtocol(wire string) NodeOption {
	return nodeOption(func(n *Node) { n.base.Wire = wire })
}

// WithKey announces a CURVE public key, 40 characters of Z85; none by default.
func WithKey(z85 string) NodeOption {
	return nodeOption(func(n *Node) { n.base.Key = z85 })
}

// WithMeta announces what [Record.Meta] describes; nothing by default. The map is copied.
func WithMeta(meta map[string]string) NodeOption {
	return nodeOption(func(n *Node) { n.base.Meta = maps.Clone(meta) })
}

// WithTrouble sets who is told of errors that no call returns: a change could not be announced, or a watch has ended.
// It is called by a goroutine of the node and must neither block nor close the node. By default nobody is.
func WithTrouble(f func(error)) NodeOption {
	return nodeOption(func(n *Node) { n.trouble = f })
}

// withWorld is for tests.
func withWorld(host string, source ifaces.Source) NodeOption {
	return nodeOption(func(n *Node) { n.host, n.source = host, source })
}

// A ConnectOption changes one call of [Node.Connect]; the package's documentation says what holds for all options.
type ConnectOption interface{ apply(p *Policy) }

type connectOption func(*Policy)

func (o connectOption) apply(p *Policy) { o(p) }

// WithPolicy sets the policy; the zero Policy by default. Where Group, Self and Host are zero they are the node's own.
func WithPolicy(p Policy) ConnectOption {
	return connectOption(func(to *Policy) { *to = p })
}
