package simnet

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// dial is a TCP handshake in two legs: the request crosses to the listener, where the connection is made and queued
// (or refused), and the answer crosses back.
func (n *Network) dial(ctx context.Context, from, address string) (net.Conn, error) {
	if err := validate(address, transport.ForConnect); err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.stats.Dials++
	src := n.newSource(from, address)
	n.mu.Unlock()

	rng := src.rand(0)
	if err := n.cross(ctx, rng, from, address, false); err != nil {
		return nil, opError("dial", address, err)
	}
	link, refused := n.establish(from, address, src, rng)
	if err := n.cross(ctx, rng, from, address, true); err != nil {
		if link != nil {
			link.abandon()
		}
		return nil, opError("dial", address, err)
	}
	if refused != nil {
		n.mu.Lock()
		n.stats.Refused++
		n.mu.Unlock()
		return nil, opError("dial", address, refused)
	}
	return link.dialer, nil
}

// cross waits as long as a packet takes from the dialling host to the address, or back. A partition stops it; after
// healing it starts anew.
func (n *Network) cross(ctx context.Context, rng *rand.Rand, from, address string, back bool) error {
	var timer *time.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	arrived := false
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		blocked, changed := n.blocked(from, address, back)
		switch {
		case blocked:
			if timer != nil {
				timer.Stop()
				timer = nil
			}
			arrived = false
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		case arrived:
			return nil
		case timer == nil:
			wait := n.delay(rng)
			if wait == 0 {
				return nil
			}
			timer = time.NewTimer(wait)
		}
		select {
		case <-timer.C:
			arrived = true // unless a partition came at this very moment: look once more
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// blocked reports whether a partition stops this leg, and what to wait on for a change.
func (n *Network) blocked(from, address string, back bool) (bool, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	near, far := names{from}, n.namesAt(address)
	if back {
		near, far = far, near
	}
	return n.faults.blocks(near, far), n.changed
}

// namesAt are the names of whoever listens at the address, or would.
func (n *Network) namesAt(address string) names {
	if l := n.listeners[address]; l != nil {
		return l.names
	}
	return addressNames(address)
}

// establish makes the connection at the listener's side, or says why not.
func (n *Network) establish(from, address string, src source, rng *rand.Rand) (*Link, error) {
	n.mu.Lock()
	l := n.listeners[address]
	if l == nil || l.names.in(n.faults.refused) {
		n.mu.Unlock()
		return nil, errRefused
	}
	link := n.newLink(from, l, src, rng)
	cuts := n.faults.takeCuts(link)
	n.mu.Unlock()

	if n.cfg.OnConn != nil {
		n.cfg.OnConn(link) // without the lock: it calls Link's methods
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range cuts {
		link.pipe(c.dir).setCut(c.after)
	}
	if l.closed { // between the two locks
		link.reset()
		link.dialer.close()
		link.listener.close()
		return nil, errRefused
	}
	l.queue = append(l.queue, link.listener)
	l.ready.Signal()
	return link, nil
}

// newLink makes both ends and both directions, and draws the connection's random faults.
func (n *Network) newLink(from string, l *listener, src source, rng *rand.Rand) *Link {
	n.stats.Connections++
	link := &Link{net: n, number: n.stats.Connections, from: from, to: l.address}
	near, far := addr(n.ephemeral(from)), addr(l.address)
	link.dialer = newConn(n, link, near, far, names{from})
	link.listener = newConn(n, link, far, near, l.names)
	link.dialer.out = n.newPipe(link, link.dialer, link.listener, src.rand(1))
	link.dialer.in = n.newPipe(link, link.listener, link.dialer, src.rand(2))
	link.listener.in, link.listener.out = link.dialer.out, link.dialer.in
	n.links[link] = struct{}{}
	n.applyTo(link)

	if p := n.cfg.CutPerKiB; p > 0 {
		link.dialer.out.cutAt = cutPosition(p, rng)
		link.dialer.in.cutAt = cutPosition(p, rng)
	}
	if n.cfg.MeanLife > 0 {
		life := time.Duration(rng.ExpFloat64() * float64(n.cfg.MeanLife))
		link.life = time.AfterFunc(life, link.Cut)
	}
	return link
}

func (n *Network) newPipe(link *Link, from, to *conn, rng *rand.Rand) *pipe {
	return &pipe{net: n, link: link, rng: rng, from: from, to: to, cutAt: never}
}

// cutPosition draws the byte at which a direction is cut, such that each KiB has probability p of containing it.
func cutPosition(p float64, rng *rand.Rand) int64 {
	bytes := rng.ExpFloat64() * 1024 / -math.Log1p(-p)
	if bytes >= math.MaxInt64/2 {
		return never
	}
	return max(1, int64(bytes))
}
