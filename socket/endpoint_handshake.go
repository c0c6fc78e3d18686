package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// runConn takes a connection through its whole life: handshake, messages, end. It reports whether the handshake
// succeeded. ctx ends a handshake; a link that is up is ended by fail or closeGracefully. again, if not nil, is
// called, by the same goroutine and once at most, when the endpoint may connect anew while this connection is still
// being read.
func (c *core) runConn(ctx context.Context, ep *endpointState, conn net.Conn, again func()) bool {
	l, err := c.handshake(ctx, ep, conn)
	if err != nil {
		if l != nil { // over inproc the other side has it, too
			l.fail(err)
			c.loseUnjoined(l)
		}
		conn.Close()
		c.known.failed(ep, conn, err)
		c.fail(ep, Event{Kind: HandshakeFailed, Address: address(conn), Err: err, quiet: ep.probed(err)})
		return false
	}
	c.known.succeeded(ep, conn)
	defer l.watch()()
	l.again = again
	if !c.admit(l) {
		c.loseUnjoined(l)
		return false
	}
	if err := l.carrier.agree(); err != nil {
		c.unwanted(l, err)
		return true
	}
	c.join(l)
	l.fail(l.endOfReading(l.carrier.run()))
	c.leave(l)
	return true
}

// handshake makes a link of a connection, within the handshake timeout.
func (c *core) handshake(ctx context.Context, ep *endpointState, conn net.Conn) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.handshakeTimeout, ErrTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	l, err := c.negotiate(ctx, ep, conn)
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
	case ep.bound && i < 0:
		return l, ErrEvicted
	case !inTime:
		return l, ErrDisconnected
	}
	return l, err
}

// negotiate does the handshake proper and what follows it up to membership.
func (c *core) negotiate(ctx context.Context, ep *endpointState, conn net.Conn) (*link, error) {
	l, err := c.introduce(ctx, ep, conn)
	if err == nil {
		err = c.resume(ctx, l)
	}
	return l, err
}

// introduce finds out who the peer is. Over inproc there is a link even along with an error.
func (c *core) introduce(ctx context.Context, ep *endpointState, conn net.Conn) (*link, error) {
	d, ok := conn.(transport.Direct)
	if !ok {
		return c.introduceBytes(ctx, ep, conn)
	}
	if err := ep.check(thisNode()); err != nil {
		return nil, err
	}
	l := newLink(c, ep, conn)
	err := c.handshakeInproc(ctx, d, l)
	if !errors.Is(err, errByBytes) {
		return l, err
	}
	l, err = c.introduceBytes(ctx, ep, conn.(transport.ByteStreamer).ByteStream())
	if err == nil {
		l.life.pingable = false // the process itself is the sign of life
	}
	return l, err
}

// introduceBytes is introduce for a connection that carries bytes.
func (c *core) introduceBytes(ctx context.Context, ep *endpointState, conn net.Conn) (*link, error) {
	a := &admission{core: c, ep: ep, conn: conn}
	cfg := c.handshakeConfig(a)
	cfg.Admit = ep.admit()
	cfg.Staged = c.known.wary(ep, conn)
	if h, ok := conn.(transport.Handshaker); ok {
		if err := h.HandshakeContext(ctx); err != nil {
			return nil, err
		}
	}
	sess, err := zmtp.Handshake(ctx, conn, cfg)
	if err != nil {
		return nil, err
	}
	peer := newPeer(sess, ep.name, address(conn))
	a.prove(peer, sess.Mechanism)
	sess.Metadata, sess.Identity = nil, nil // the peer has them
	l := newWireLink(c, ep, conn, sess, peer)
	l.peer.conn.onRevoke = a.user.OnRevoke
	return l, nil
}

// handshakeConfig is what handshakes over bytes and within the process have in common.
func (c *core) handshakeConfig(a *admission) zmtp.Config {
	ep, mechanism := a.ep, c.cfg.mechanism
	if ep.mechanism != nil {
		mechanism = ep.mechanism
	}
	cfg := zmtp.Config{
		SocketType:  c.typ,
		Identity:    c.cfg.identity,
		Properties:  append(zmtp.Metadata{c.ourProperty(ep)}, c.cfg.metadata...),
		MaxMetadata: c.cfg.limits.MaxMetadata,
		Mechanism:   mechanism,
	}
	if c.asks(ep, mechanism) {
		cfg.Authenticate = a.authenticate
	}
	if c.cfg.binding != nil && c.typ == zmtp.Router && !ep.named {
		cfg.Confirm = a.confirm
	}
	return cfg
}
