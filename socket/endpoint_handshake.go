package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// serve takes a connection through its whole life: handshake, messages, end. It reports whether the handshake
// succeeded. ctx ends a handshake; a link that is up is ended by fail or retire. again, if not nil, is called, by the
// same goroutine and once at most, when the endpoint may connect anew while this connection is still being read.
func (c *core) serve(ctx context.Context, ep *endpointState, conn net.Conn, again func()) bool {
	l, err := c.shakeHands(ctx, ep, conn)
	if err != nil {
		if l != nil { // over inproc the other side has it, too
			l.fail(err)
		}
		conn.Close()
		c.known.failed(ep, conn, err)
		quiet := ep.bound && errors.Is(err, zmtp.ErrSilent)
		c.events.add(Event{Kind: HandshakeFailed, Endpoint: ep.name, Address: address(conn), Err: err, quiet: quiet})
		return false
	}
	c.known.succeeded(ep, conn)
	l.again = again
	if !c.admit(l) {
		return false
	}
	if err := l.carrier.agree(); err != nil {
		c.unwanted(l, err)
		return true
	}
	c.join(l)
	l.fail(l.endOfReading(l.carrier.run()))
	c.part(l)
	return true
}

// shakeHands makes a link of a connection, within the handshake timeout.
func (c *core) shakeHands(ctx context.Context, ep *endpointState, conn net.Conn) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.handshakeTimeout, ErrTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	l, err := c.greet(ctx, ep, conn)
	inTime := stop() && ctx.Err() == nil

	c.mu.Lock()
	delete(c.handshakes, conn)
	i := slices.IndexFunc(c.incoming, func(in incoming) bool { return in.conn == conn })
	if i >= 0 {
		c.incoming = slices.Delete(c.incoming, i, i+1)
		select {
		case c.shaken <- struct{}{}:
		default:
		}
	}
	closing := c.closing
	c.mu.Unlock()
	switch {
	case closing:
		return l, ErrClosed
	case errors.Is(err, ErrWrongNode): // whoever refused it may have disconnected at once
		return l, err
	case !inTime && errors.Is(context.Cause(ctx), ErrTimeout):
		return l, fmt.Errorf("%w: no handshake within %v", ErrTimeout, c.cfg.handshakeTimeout)
	case !inTime:
		return l, ErrDisconnected
	case ep.bound && i < 0:
		return l, ErrEvicted
	}
	return l, err
}

// greet does the handshake proper and what follows it up to membership.
func (c *core) greet(ctx context.Context, ep *endpointState, conn net.Conn) (*link, error) {
	l, err := c.introduce(ctx, ep, conn)
	if err == nil {
		err = c.resume(ctx, l)
	}
	return l, err
}

// introduce finds out who the peer is. Over inproc there is a link even along with an error.
func (c *core) introduce(ctx context.Context, ep *endpointState, conn net.Conn) (*link, error) {
	if d, ok := conn.(transport.Direct); ok {
		if err := ep.check(thisNode()); err != nil {
			return nil, err
		}
		l := newLink(c, ep, conn, nil, nil)
		return l, greet(ctx, c, d, l)
	}
	cfg := c.handshakeConfig()
	cfg.Admit = ep.admit()
	cfg.Staged = c.known.wary(ep, conn)
	sess, err := zmtp.Handshake(ctx, conn, cfg)
	if err != nil {
		return nil, err
	}
	peer := newPeer(sess, ep.name, address(conn))
	sess.Metadata, sess.Identity = nil, nil // the peer has them
	return newLink(c, ep, conn, sess, peer), nil
}

// handshakeConfig is what all handshakes of the socket have in common.
func (c *core) handshakeConfig() zmtp.Config {
	return zmtp.Config{
		SocketType:  c.typ,
		Identity:    c.cfg.identity,
		Properties:  append(zmtp.Metadata{c.ourProperty()}, c.cfg.metadata...),
		MaxMetadata: c.cfg.limits.MaxMetadata,
		Mechanism:   c.cfg.mechanism,
	}
}

// admit keeps a place for a link, unless the socket or the endpoint is on its way out or the role refuses it.
func (c *core) admit(l *link) bool {
	c.mu.Lock()
	if c.closing || l.ep.bound && c.bound[l.ep.name] != l.ep || !l.ep.bound && c.connected[l.ep.key] != l.ep {
		c.mu.Unlock()
		l.fail(ErrDisconnected)
		l.release()
		return false
	}
	if l.ep.bound && c.crowded() { // with handshakes that were under way when the last place was taken
		c.mu.Unlock()
		l.fail(ErrTooManyPeers)
		c.role.left(l)
		defer l.release()
		c.events.add(Event{Kind: HandshakeFailed, Endpoint: l.ep.name, Address: l.peer.Address, Peer: l.peer, Err: ErrTooManyPeers})
		return false
	}
	c.links[l] = struct{}{}
	if l.ep.bound {
		c.taken++
	}
	c.mu.Unlock()

	if c.known.spares(l) {
		l.life.pingable = false
	}
	if err := c.role.admit(l); err != nil {
		l.fail(err)
		c.detach(l)
		defer l.release()
		kind := HandshakeFailed
		if errors.Is(err, ErrIdentityInUse) {
			kind = DuplicateIdentity
		}
		c.events.add(Event{Kind: kind, Endpoint: l.ep.name, Address: l.peer.Address, Peer: l.peer, Err: err})
		return false
	}
	return true
}

// unwanted takes back the place of a link over inproc whose other side has refused it or has ended. Over the other
// transports a peer is up before that is seen, and whoever follows the events is told the same here.
func (c *core) unwanted(l *link, err error) {
	l.fail(err)
	c.detach(l)
	defer l.release()
	c.events.add(Event{Kind: PeerUp, Endpoint: l.ep.name, Peer: l.peer})
	c.events.add(Event{Kind: PeerDown, Endpoint: l.ep.name, Peer: l.peer, Err: err})
}

// join makes a link that was admitted part of the socket.
func (c *core) join(l *link) {
	c.role.joined(l)
	c.in.pullFromPrevious()
	c.events.add(Event{Kind: PeerUp, Endpoint: l.ep.name, Peer: l.peer})
	l.startHeart()

	c.mu.Lock()
	c.up++
	l.ep.up++
	c.peers.WakeAll()
	c.mu.Unlock()
}

// part ends a failed link's membership, once all it had queued is accounted for.
func (c *core) part(l *link) {
	c.heart.stop(l)
	if l.readOnly.Load() {
		c.detachIn(l)
		return
	}
	c.leave(l, l.cause())
}

// makeReadOnly ends the membership of a link whose way out is over while the application is behind with what it brought:
// that goes on, and a connecting endpoint connects anew. It is called by the link's own goroutine.
func (c *core) makeReadOnly(l *link) {
	c.mu.Lock()
	closing := c.closing
	if !closing {
		c.readOnly[l] = struct{}{}
	}
	c.mu.Unlock()
	if closing {
		return
	}
	l.readOnly.Store(true)
	c.out.mu.Lock()
	cause := l.out.cause
	c.out.mu.Unlock()
	c.leave(l, cause)
	if l.again != nil {
		l.again()
	}
}

func (c *core) leave(l *link, cause error) {
	c.lost(l, cause)
	c.detach(l)
	c.mu.Lock()
	c.up--
	l.ep.up--
	c.peers.WakeAll()
	c.mu.Unlock()
	defer l.release()
	c.events.add(Event{Kind: lossKind(cause), Endpoint: l.ep.name, Peer: l.peer, Err: cause})
	if c.known.ended(l, cause) {
		c.events.add(Event{Kind: HeartbeatOff, Endpoint: l.ep.name, Peer: l.peer, Err: ErrNoHeartbeat})
	}
}

// detach takes a link out of the socket; one that is still being read stays in the inbox.
func (c *core) detach(l *link) {
	l.carrier.leave()
	c.out.mu.Lock()
	done := c.out.remove(l)
	c.out.mu.Unlock()
	<-done
	l.carrier.pull() // the other side may settle later
	if !l.readOnly.Load() {
		c.detachIn(l)
	}
	c.role.left(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.links, l)
}

// detachIn ends what a link holds of the way in, and its place among the connections.
func (c *core) detachIn(l *link) {
	c.in.leave(l)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.readOnly, l)
	if l.ep.bound {
		c.taken--
	}
}

// isClosed reports whether err says that the socket was closed.
func isClosed(err error) bool { return errors.Is(err, ErrClosed) }

// snapshot lists the links that have not ended yet.
func (c *core) snapshot() []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	links := make([]*link, 0, len(c.links))
	for l := range c.links {
		links = append(links, l)
	}
	return links
}

// waitNoLinks waits until every link has ended or until the deadline.
func (c *core) waitNoLinks(links []*link, deadline <-chan time.Time) {
	for _, l := range links {
		select {
		case <-l.gone:
		case <-deadline:
			return
		}
	}
}
