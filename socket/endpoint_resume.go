package socket

import (
	"context"
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A beginning is what a socket has to say to a Yodel peer, and to hear from it, between the handshake and the first
// message: where a stream goes on (reliable_open.go). It runs before the link becomes a member of the socket and within
// the time of the handshake, over bytes by commands and over inproc without bytes. No command may come ahead of it, and
// no message. Its commands may be sent only to a peer that has said it understands them; both sides have to come to
// the same conclusion about that, from what READY says. A nil Exchange stands for nothing to say.
type beginning func(context.Context, *link) (ex zmtp.Exchange, first zmtp.Command, err error)

// resume runs the socket's beginning with a new link, if there is one.
func (c *core) resume(ctx context.Context, l *link) error {
	if c.cfg.yodelOnly && c.foreign(l.peer) {
		return ErrForeign
	}
	if c.beginning == nil || !l.peer.yodel {
		return nil
	}
	ex, first, err := c.beginning(ctx, l)
	if ex == nil || err != nil {
		return err
	}
	return l.carrier.converse(ctx, ex, first)
}

func (w *wire) converse(ctx context.Context, ex zmtp.Exchange, first zmtp.Command) error {
	l := w.link
	err := zmtp.Converse(ctx, &linkConduit{l: l}, ex, first)
	if err != nil && l.over() { // a failed write may be why nothing came
		l.core.out.mu.Lock()
		defer l.core.out.mu.Unlock()
		return l.out.cause
	}
	return err
}

// A linkConduit carries commands over a link that is not a member yet. What follows the last of them stays in the
// link's reader.
type linkConduit struct {
	l    *link
	name string
	data []byte
}

// Send implements [zmtp.Conduit]. Whoever writes for the link writes the command, so that two peers that both begin do
// not wait for each other.
func (c *linkConduit) Send(_ context.Context, command zmtp.Command) error {
	c.l.sendCommand(func(b []byte) []byte { return zmtp.AppendCommand(b, command.Name, command.Data) })
	return nil
}

// Receive implements [zmtp.Conduit]. The end of ctx closes the connection, see core.handshake.
func (c *linkConduit) Receive(context.Context) (zmtp.Command, error) {
	for {
		msgs, err := c.l.reading.reader.Next(c)
		switch {
		case len(msgs) > 0 || noRoom(err):
			return zmtp.Command{}, fmt.Errorf("%w: a message came ahead of what the peer has to say first", ErrProtocol)
		case errors.Is(err, zmtp.ErrPause):
			return zmtp.Command{Name: c.name, Data: c.data}, nil
		case err != nil:
			return zmtp.Command{}, c.l.endOfReading(err)
		}
	}
}

// Command implements [zmtp.Handler].
func (c *linkConduit) Command(name string, data []byte, _ int) error {
	c.name, c.data = name, append(c.data[:0], data...)
	return zmtp.ErrPause
}
