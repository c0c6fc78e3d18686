package zmqcompat

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// A sock is a [Socket] on the engine. Which types send, which receive and how is in its role; the engine's socket is
// made when it is first needed, because OptionHWM may come after the constructor.
type sock struct {
	typ     SocketType
	cfg     config
	newRole func([]socket.Option) *role
	ending  *ending        // nil if the socket reconnects
	follows sync.WaitGroup // what ending follows the engine by

	// The context is the socket's life-line, as the original has it: its end closes the socket.
	ctx    context.Context //nolint:containedctx // the API being kept has it in the constructor, not in the calls
	cancel context.CancelFunc

	mu     sync.Mutex
	unhook func() bool // keeps the end of the caller's context from closing the socket again
	closed bool
	role   *role // nil until the first use
	addr   net.Addr
	props  map[string]any
}

// topicSock is a sock that also is [Topics], for the types that have topics.
type topicSock struct{ *sock }

var (
	_ Socket = (*sock)(nil)
	_ Socket = topicSock{}
	_ Topics = topicSock{}
)

func newSock(ctx context.Context, typ SocketType, opts []Option, newRole func([]socket.Option) *role) *sock {
	if ctx == nil {
		ctx = context.Background()
	}
	s := &sock{typ: typ, cfg: newConfig(opts), newRole: newRole, props: make(map[string]any)}
	if s.cfg.once {
		s.ending = newEnding(typ)
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unhook = context.AfterFunc(s.ctx, func() { _ = s.Close() }) // s.ctx: Close is not to be first with why it ended
	return s
}

// use returns the role, with the engine's socket behind it, unless the socket is closed or its context has ended.
func (s *sock) use() (*role, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ctx.Err() != nil {
		return nil, socket.ErrClosed
	}
	if s.role == nil {
		opts := s.cfg.engine()
		if hwm, ok := s.props[OptionHWM]; ok {
			opts = append(opts, socket.WithSendHWM(hwm.(int)), socket.WithRecvHWM(hwm.(int)))
		}
		s.role = s.newRole(opts)
		if s.ending != nil {
			s.follows.Go(func() { s.ending.follow(s.role.engine) })
		}
	}
	return s.role, nil
}

// Close closes the socket, as the end of its context does. Messages that Send has taken get 700 ms to leave; all
// calls that wait return an error that matches ErrClosedConn. It returns within a second, when all goroutines of the
// socket have ended, and always nil. To close again does nothing.
func (s *sock) Close() error {
	s.mu.Lock()
	s.closed = true
	r := s.role
	s.unhook()
	s.cancel() // with the lock: who finds the socket closed finds out why
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	defer s.follows.Wait()
	return r.engine.Close()
}

// Type returns the socket's type.
func (s *sock) Type() SocketType { return s.typ }

// Engine returns the socket of package socket that works under a [Socket] made by this package: for what this API has
// no words for, such as Unbind, Disconnect, WaitPeers, Events and Stats. It returns nil for any other Socket, and for
// one that was closed before it was used. It counts as the first use of the socket.
func Engine(s Socket) socket.Socket {
	var inner *sock
	switch s := s.(type) {
	case *sock:
		inner = s
	case topicSock:
		inner = s.sock
	default:
		return nil
	}
	r, err := inner.use()
	if errors.Is(err, socket.ErrClosed) {
		inner.mu.Lock()
		defer inner.mu.Unlock()
		r = inner.role
	}
	if r == nil {
		return nil
	}
	return r.engine
}
