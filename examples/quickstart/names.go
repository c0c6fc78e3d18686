package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
	"github.com/yodel-mq/yodel/socket"
)

// join makes this process a node of the group, to be found, and to find others, by multicast DNS. It opens nothing:
// that is done for what is announced and looked for later. All are on this machine, so loopback will do; without the
// option it would be every network interface.
func join(group string) *discovery.Node {
	here := mdns.WithInterfaces(func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 })
	return discovery.NewNode(mdns.New(here), discovery.WithGroup(group))
}

// leave says goodbye, so that others know at once. It is a few packets, which never take long.
func leave(node *discovery.Node) {
	_ = node.Close() // who misses it will notice anyway
}

// found waits until each of these sockets is connected. If they are not before long, it says why.
func found(ctx context.Context, node *discovery.Node, sockets ...socket.Socket) error {
	wait, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()

	// A watch tells who comes and goes. Here it is for what goes wrong, which is an event too: it may pass, so a
	// program just goes on.
	events, err := node.Watch(wait, discovery.Query{})
	if err != nil {
		return err
	}
	trouble := make(chan error, 1)
	go func() {
		defer close(trouble)
		for e := range events {
			if e.Kind == discovery.Trouble && len(trouble) == 0 {
				trouble <- e.Err
			}
		}
	}()
	for _, s := range sockets {
		if s.WaitPeers(wait, 1) == nil {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return advise(<-trouble)
	}
	return nil
}

// advise says what to do if nobody is found; trouble is nil if nothing is known.
func advise(trouble error) error {
	switch {
	case errors.Is(trouble, mdns.ErrPort):
		return fmt.Errorf(`%w
Processes find each other over UDP port 5353, which they share, but another program keeps it to itself. See which one
(Linux: ss -ulpn 'sport = :5353'; macOS: lsof -nP -iUDP:5353), stop it or have it share the port, and try again`,
			trouble)
	case errors.Is(trouble, mdns.ErrNoInterface):
		return fmt.Errorf("%w\nloopback would be enough: bring it up (Linux: ip link set lo up), and try again", trouble)
	case trouble != nil:
		return trouble
	}
	return errors.New(`nobody was found
Does a firewall on this machine keep back UDP port 5353? Let it pass to 224.0.0.251 and ff02::fb, and try again`)
}
