package zmqcompat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// Dial connects to an endpoint and waits until the first handshake is done. An attempt that fails is made again, up
// to WithDialerMaxRetries times; a peer that can never be right, because its socket type does not fit, is an error at
// once. After an error the socket no longer tries; otherwise it connects again whenever the connection is lost, but
// for WithAutomaticReconnect(false). With WithDialerMaxRetries(-1) Dial only checks the endpoint, and the socket
// connects in the background for as long as it takes. To dial an endpoint again that is connected changes nothing.
func (s *sock) Dial(endpoint string) error {
	name, err := dialable(endpoint)
	if err != nil {
		return fmt.Errorf("zmqcompat: dial %s: %w", endpoint, err)
	}
	if err := s.secure("dial", endpoint); err != nil {
		return err
	}
	r, err := s.use()
	if err != nil {
		return s.failed("dial "+endpoint, err)
	}
	since := time.Now()
	if s.ending != nil {
		s.ending.dialling(name)
	}
	if err := r.engine.Connect(name); err != nil {
		return s.failed("dial "+endpoint, err)
	}
	if s.cfg.maxRetries >= 0 && !connected(r.engine, name) {
		if err := s.await(r.engine, name, since); err != nil {
			return s.failed("dial "+endpoint, err)
		}
	}
	if s.ending != nil {
		s.ending.done()
	}
	return nil
}

// await waits for the first handshake with an endpoint. After an error the socket no longer tries.
func (s *sock) await(engine socket.Socket, name string, since time.Time) error {
	d := dialing{engine: engine, name: name, since: since, retries: s.cfg.maxRetries}
	ctx := s.ctx
	if strings.HasPrefix(name, "inproc://") {
		// There an attempt lasts until the name is bound: the budget is a time.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.cfg.retry*time.Duration(max(1, s.cfg.maxRetries)), errNobody)
		defer cancel()
	}
	err := d.wait(ctx)
	if err != nil {
		_ = engine.Disconnect(name) // fails only if another Dial has given up already, or the socket is closed
	}
	return err
}

var errNobody = errors.New("nobody listens there")

// A dialing is one call of Dial.
type dialing struct {
	engine  socket.Socket
	name    string
	since   time.Time
	retries int
}

// wait follows the events until there is a handshake or no hope.
func (d dialing) wait(ctx context.Context) error {
	failures := 0
	for ev := range d.engine.Events(ctx) {
		if ev.Kind == socket.Missed && connected(d.engine, d.name) {
			return nil
		}
		if ev.Endpoint != d.name || ev.Time.Before(d.since) {
			continue
		}
		switch ev.Kind {
		case socket.PeerUp:
			return nil
		case socket.ConnectFailed, socket.HandshakeFailed, socket.DuplicateIdentity:
			failures++
			if hopeless(ev.Err) {
				return ev.Err
			}
			if failures > d.retries {
				return fmt.Errorf("%d attempts failed, the last: %w", failures, ev.Err)
			}
		case socket.Disconnected:
			return socket.ErrDisconnected // by another Dial to the same endpoint, or by Close
		default:
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return socket.ErrClosed
}

// hopeless reports whether trying again would fail in the same way. A connection that breaks during the handshake is
// not: the peer may be starting.
func hopeless(err error) bool {
	for _, e := range []error{
		zmtp.ErrSocketType, zmtp.ErrRefused, zmtp.ErrNotZMTP, zmtp.ErrVersion, zmtp.ErrMechanism, zmtp.ErrMalformed,
		zmtp.ErrTooLarge,
		socket.ErrBusy, socket.ErrProtocol,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// connected reports whether there is a peer at an endpoint that is dialled.
func connected(s socket.Socket, name string) bool {
	for _, p := range s.Stats().Peers {
		if p.Peer.Endpoint == name {
			return true
		}
	}
	return false
}
