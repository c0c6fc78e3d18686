package socket

import (
	"context"
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// An inprocHello is what two sockets in one process trade instead of greetings.
type inprocHello struct {
	typ      zmtp.SocketType
	greeting zmtp.Greeting
	peer     *Peer
	side     *inproc
	commands <-chan zmtp.Command // what the one who says hello has to say from then on
}

// errByBytes says that a link within the process is to be one over bytes.
var errByBytes = errors.New("over bytes")

// needsBytes reports whether a link to a peer in this process has to be one over bytes, because one side sends reliably
// and the other acknowledges, or one keeps a durable subscription of the other's: then all that reliable links do is
// done in one way. Both sides come to the same result.
func (c *core) needsBytes(theirs zmtp.Features) bool {
	return c.opens() && theirs.Has(zmtp.FeatureReliable) || c.in.receives && theirs.Has(zmtp.FeatureOpens) ||
		c.features().Has(featuresDurable) && theirs.Has(featuresDurable)
}

// handshakeInproc trades hellos with the other side, runs the security mechanism and completes l. The error is
// errByBytes if the two are to shake hands over bytes instead.
func (c *core) handshakeInproc(ctx context.Context, conn transport.Direct, l *link) error {
	me := &Peer{
		Type:     string(c.typ),
		Identity: c.cfg.identity,
		Endpoint: l.ep.name,
		Address:  conn.LocalAddr().String(),
		Node:     thisNode(),
		Metadata: c.metadata(l.ep),
		yodel:    true,
		inproc:   true,
		features: c.features(),
		end:      c.endAt(l.ep),
		by:       c.endpointAt(l.ep),
	}
	ours := make(chan zmtp.Command, 2) // the last one of the mechanism, and the first of what follows
	conduit := &inprocConduit{out: ours, done: conn.Done()}
	p := &inproc{
		link: l, me: me, conduit: conduit, willing: make(chan struct{}), joined: make(chan struct{}),
	}
	l.carrier = p
	lockorder.Own(c, &p.subscribing)
	var theirs inprocHello
	trade := func(ctx context.Context, g zmtp.Greeting) (zmtp.Greeting, error) {
		v, err := conn.Exchange(ctx, inprocHello{c.typ, g, me, p, ours})
		if err != nil {
			return zmtp.Greeting{}, err
		}
		h, ok := v.(inprocHello)
		if !ok {
			return zmtp.Greeting{}, fmt.Errorf("%w: the other end is a %T, not a socket", ErrProtocol, v)
		}
		theirs, conduit.in = h, h.commands
		if _, ok := conn.(transport.ByteStreamer); ok && c.needsBytes(h.peer.features) {
			return zmtp.Greeting{}, errByBytes
		}
		return h.greeting, c.typ.Check(h.typ)
	}
	a := &admission{core: c, ep: l.ep, conn: conn}
	sess, err := zmtp.Negotiate(ctx, conduit, c.handshakeConfig(a), trade)
	if err != nil {
		return err
	}
	a.prove(theirs.peer, sess.Mechanism)
	l.describe(theirs.peer)
	l.peer.conn.onRevoke = a.user.OnRevoke
	p.other, p.peerLink = theirs.side, theirs.side.link
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	l.in.limit = c.cfg.recvMark.plus(p.peerLink.core.cfg.sendMark)
	if p.peerLink.core.cfg.overflow.dropsOldest() {
		l.in.noPrefetch = true // or the other side has set it already
	}
	return nil
}

func (p *inproc) converse(ctx context.Context, ex zmtp.Exchange, first zmtp.Command) error {
	return zmtp.Converse(ctx, p.conduit, ex, first)
}

// An inprocConduit carries commands between two sockets of one process.
type inprocConduit struct {
	in   <-chan zmtp.Command
	out  chan<- zmtp.Command
	done <-chan struct{} // closed when either end has closed
}

// Send implements [zmtp.Conduit].
func (c *inprocConduit) Send(ctx context.Context, command zmtp.Command) error {
	select {
	case c.out <- command:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.done:
		return errPeerClosed
	}
}

// Receive implements [zmtp.Conduit]. What was sent before the end counts.
func (c *inprocConduit) Receive(ctx context.Context) (zmtp.Command, error) {
	err := errPeerClosed
	select {
	case command := <-c.in:
		return command, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-c.done:
	}
	select {
	case command := <-c.in:
		return command, nil
	default:
		return zmtp.Command{}, err
	}
}
