package simnet

import (
	"context"
	"net"
	"sync"

	"github.com/yodel-mq/yodel/transport"
)

// listener is a bound address. Its queue has no limit, so a listener that never accepts does not stop dials.
type listener struct {
	net     *Network
	address string
	names   names

	// Guarded by net.mu.
	queue  []*conn
	closed bool
	ready  *sync.Cond
}

func (n *Network) listen(ctx context.Context, owner, address string) (transport.Listener, error) {
	if err := validate(address, transport.ForBind); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, opError("listen", address, err)
	}
	host, port, _ := splitAddress(address)
	n.mu.Lock()
	defer n.mu.Unlock()
	if port == 0 {
		free := n.freePort(host)
		if free == "" {
			return nil, opError("listen", address, errNoPort)
		}
		address = free
	}
	if n.listeners[address] != nil {
		return nil, opError("listen", address, transport.ErrAddressInUse)
	}
	ns := addressNames(address)
	if !ns.has(owner) {
		ns = append(ns, owner)
	}
	l := &listener{net: n, address: address, names: ns, ready: sync.NewCond(&n.mu)}
	n.listeners[address] = l
	return l, nil
}

// freePort returns an address of the host that nobody listens on, or "" when all are taken.
func (n *Network) freePort(host string) string {
	for range 65536 - 49152 {
		if a := n.ephemeral(host); n.listeners[a] == nil {
			return a
		}
	}
	return ""
}

// Accept waits for the next connection. A connection cut before it was accepted is still returned, and its Read fails.
func (l *listener) Accept() (net.Conn, error) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.ready.Wait()
	}
	if l.closed {
		return nil, opError("accept", l.address, net.ErrClosed)
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c, nil
}

// Close frees the address, ends every Accept and resets the connections nobody accepted, as a kernel does.
func (l *listener) Close() error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.closed {
		return opError("close", l.address, net.ErrClosed)
	}
	l.closed = true
	delete(l.net.listeners, l.address)
	for _, c := range l.queue {
		c.link.reset()
		c.close()
	}
	l.queue = nil
	l.ready.Broadcast()
	return nil
}

// Address returns the bound address, port 0 resolved, without the scheme.
func (l *listener) Address() string { return l.address }
