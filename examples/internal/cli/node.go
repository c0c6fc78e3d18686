package cli

import (
	"context"
	"net"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
)

// Node returns a node that finds others of its group by multicast DNS, on one interface or, if that is "", on all but
// public ones.
func Node(group, on string) *discovery.Node {
	var opts []mdns.Option
	if on != "" {
		opts = append(opts, mdns.WithInterfaces(func(i net.Interface) bool { return i.Name == on }))
	}
	return discovery.NewNode(mdns.New(opts...), discovery.WithGroup(group))
}

// Goodbye takes back what a node has announced, also when the program's own context is over.
func Goodbye(node *discovery.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = node.Shutdown(ctx)
}
