package zmqcompat

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/yodel-mq/yodel/socket"
)

var errSubSends = fmt.Errorf("a SUB socket sends subscriptions only, the byte 1 or 0 and a topic: %w",
	errors.ErrUnsupported)

// Send hands a copy of the message over to the socket; the caller keeps the bytes. It waits for room, as its type
// does, for at most the time of WithTimeout, and then returns an error that matches context.DeadlineExceeded. What it
// has taken leaves in the background: close the socket before the program ends.
func (s *sock) Send(msg Msg) error {
	r, err := s.use()
	if err != nil {
		return s.failed("send", err)
	}
	switch {
	case r.out == nil:
		return cannot(s.typ, "send")
	case msg.Type != UsrMsg:
		return fmt.Errorf("zmqcompat: send: a command; send messages of type UsrMsg: %w", errors.ErrUnsupported)
	}
	m := copied(msg)
	// The first attempt needs no timer, and is mostly the last.
	if err = r.out.TrySend(m); errors.Is(err, socket.ErrWouldBlock) {
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.timeout)
		if s.ending == nil {
			err = r.out.Send(ctx, m)
		} else {
			err = s.ending.send(ctx, r.out, m)
		}
		cancel()
	}
	if err != nil {
		return s.failed("send", err)
	}
	return nil
}

// SendMulti is the same as Send: a message always travels whole, its frames together.
func (s *sock) SendMulti(msg Msg) error { return s.Send(msg) }

// Recv returns the next message, waiting until there is one or the socket closes. A peer that leaves is no error, but
// for a REQ that waits for its reply. With WithAutomaticReconnect(false) it is io.EOF, as of the original.
func (s *sock) Recv() (Msg, error) {
	r, err := s.use()
	if err != nil {
		return Msg{}, s.failed("recv", err)
	}
	if r.in == nil {
		return Msg{}, cannot(s.typ, "recv")
	}
	var m socket.Msg
	if s.ending == nil {
		m, err = r.in.Recv(s.ctx)
	} else {
		m, err = s.ending.recv(s.ctx, r.in)
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) && s.ctx.Err() == nil:
		return Msg{}, io.EOF // bare: programs compare
	default:
		return Msg{}, s.failed("recv", err)
	}
	for i, f := range m.Frames {
		if f == nil {
			m.Frames[i] = []byte{} // as the original has it
		}
	}
	return NewMsgFrom(m.Frames...), nil
}

// copied makes the engine's message, which the engine owns: the original has written a message when Send returns, so
// that its users are free to use their buffers again.
func copied(msg Msg) socket.Msg {
	size := 0
	for _, f := range msg.Frames {
		size += len(f)
	}
	flat := make([]byte, 0, size)
	frames := make([][]byte, len(msg.Frames))
	for i, f := range msg.Frames {
		start := len(flat)
		flat = append(flat, f...)
		frames[i] = flat[start:len(flat):len(flat)]
	}
	return socket.NewMsg(frames...)
}
