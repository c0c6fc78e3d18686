package socket

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// An admission is one peer's way past the authenticator, during its handshake.
type admission struct {
	core *core
	ep   *endpointState
	conn net.Conn
	user User // whom the peer was taken for
}

// asks reports whether the authenticator is asked about the peers at an endpoint: those that come in, and those that
// look for a server and find one here, though it is this side that has connected. Of a server that this side has
// looked for the mechanism knows who it is, or cannot know.
func (c *core) asks(ep *endpointState, m zmtp.Mechanism) bool {
	return c.cfg.authenticator != nil && (ep.bound || m != nil && m.AsServer())
}

// authenticate is [zmtp.Config].Authenticate. The authenticator is called by a goroutine of its own, for it may not
// care when its time is over; it keeps its place among those that are asked until it returns.
func (a *admission) authenticate(ctx context.Context, asked zmtp.Claim) (zmtp.User, error) {
	c := a.core
	select {
	case c.authentications <- struct{}{}:
	case <-ctx.Done():
		return zmtp.User{}, noVerdict("others are being asked about", context.Cause(ctx))
	case <-c.done:
		return zmtp.User{}, noVerdict("the socket closes", ErrClosed)
	}
	claim := a.claim(asked)
	limit := c.cfg.authenticationTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w after %v", ErrTimeout, limit))
	defer cancel()
	verdict := make(chan error, 1)
	var user User
	c.wg.Go(func() { // the handshake's own goroutine keeps it above zero
		defer func() { <-c.authentications }()
		u, err := c.ask(ctx, claim)
		for _, secret := range claim.Credentials {
			clear(secret)
		}
		user = u
		verdict <- err
	})
	select {
	case err := <-verdict:
		if err != nil {
			return zmtp.User{}, err
		}
	case <-ctx.Done():
		return zmtp.User{}, noVerdict("no answer from the authenticator", context.Cause(ctx))
	case <-c.done:
		return zmtp.User{}, noVerdict("the socket closes", ErrClosed)
	}
	a.user = user
	return zmtp.User{ID: user.ID}, nil
}

// ask asks the authenticator, whose panic must not end the process: strangers choose what it is given.
func (c *core) ask(ctx context.Context, claim Claim) (u User, err error) {
	defer func() {
		if r := recover(); r != nil {
			u, err = User{}, &zmtp.Denial{Status: zmtp.StatusFailed, Err: fmt.Errorf("the authenticator panicked: %v", r)}
		}
	}()
	return c.cfg.authenticator.Authenticate(ctx, claim)
}

// noVerdict is the refusal of a peer about which nobody has decided: it may come again.
func noVerdict(what string, cause error) error {
	return &zmtp.Denial{Status: zmtp.StatusTemporary, Err: fmt.Errorf("%s: %w", what, cause)}
}

// claim is what the authenticator is given, on memory of its own.
func (a *admission) claim(asked zmtp.Claim) Claim {
	c := Claim{Mechanism: asked.Mechanism, Endpoint: a.ep.name, Address: address(a.conn)}
	for _, secret := range asked.Credentials {
		c.Credentials = append(c.Credentials, bytes.Clone(secret))
	}
	if p, ok := transport.PeerProcess(a.conn); ok {
		c.Process = &p
	}
	if certified, ok := a.conn.(transport.Certified); ok {
		if cert, ok := certified.PeerCertificate(); ok {
			c.Certificate = &cert
		}
	}
	if asked.Peer != nil {
		p := newPeer(asked.Peer, "", "")
		c.Type, c.Identity, c.Metadata = p.Type, p.Identity, p.Metadata
	}
	return c
}

// confirm is [zmtp.Config].Confirm of a Router under WithIdentityBinding. Who has no identity is given one.
func (a *admission) confirm(s *zmtp.Session) error {
	if len(s.Identity) == 0 || s.Identity[0] == 0 {
		return nil
	}
	if user, id := s.User.ID, string(s.Identity); !a.core.cfg.binding(user, id) {
		return fmt.Errorf("the identity %.64q does not belong to the user %.64q", id, user)
	}
	return nil
}

// prove notes on a peer who it has proven to be.
func (a *admission) prove(p *Peer, mechanism string) {
	p.Mechanism, p.User, p.Proven = mechanism, a.user.ID, maps.Clone(a.user.Metadata)
}

// watch has the link end when its user may not stay. It returns what to call when the connection is over.
func (l *link) watch() (stop func()) {
	watch := l.peer.conn.onRevoke
	l.peer.conn.onRevoke = nil // a Peer, which the application may keep, does not hold on to it
	if watch != nil {
		stop = watch(func(reason error) { l.fail(fmt.Errorf("%w: %w", ErrRevoked, reason)) })
	}
	if stop == nil {
		stop = func() {}
	}
	return stop
}
