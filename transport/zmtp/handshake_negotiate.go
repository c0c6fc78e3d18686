package zmtp

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// A Conduit carries the commands of an [Exchange] to the peer and back, in order.
type Conduit interface {
	// Send takes a command over. It should not wait for the peer to receive it.
	Send(ctx context.Context, c Command) error
	// Receive waits for the peer's next command, whose data is valid until the next call.
	Receive(ctx context.Context) (Command, error)
}

// Converse runs one side of an exchange to its end: first goes out, if it has a name, then each command that comes is
// answered as ex says. The error is that of ex or of the conduit, or for an ERROR of the peer's a [*RefusedError].
func Converse(ctx context.Context, conduit Conduit, ex Exchange, first Command) error {
	_, err := converse(ctx, conduit, ex, first)
	return err
}

// converse also reports whether the peer was sent something along with the error.
func converse(ctx context.Context, conduit Conduit, ex Exchange, send Command) (told bool, err error) {
	if b, ok := ex.(Beginner); ok && send.Name == "" {
		if send, err = b.Begin(ctx); err != nil {
			return lastWord(ctx, conduit, send), err
		}
	}
	for done := false; ; {
		if send.Name != "" {
			if err := conduit.Send(ctx, send); err != nil {
				return false, err
			}
		}
		if done {
			return false, nil
		}
		c, err := conduit.Receive(ctx)
		if err != nil {
			return false, err
		}
		if c.Name == CommandError {
			return false, refusal(c.Data)
		}
		send, done, err = ex.Step(ctx, c)
		if err != nil {
			return lastWord(ctx, conduit, send), err
		}
	}
}

// lastWord sends what goes along with an error, if there is anything, and reports whether it did.
func lastWord(ctx context.Context, conduit Conduit, c Command) bool {
	return c.Name != "" && conduit.Send(ctx, c) == nil
}

// refusal is the error that an ERROR command stands for.
func refusal(data []byte) error {
	reason, err := ParseError(data)
	if err != nil {
		return err
	}
	return &RefusedError{Reason: reason}
}

// Negotiate is [Handshake] without the bytes, for a peer in the same process: it runs the mechanism over a conduit.
// greet trades greetings with the peer; our first command, if there is one, has been sent by then, so that a mechanism
// whose sides do not wait for each other (NULL) takes no turn more than that. Limits of size do not apply, and nothing
// is encrypted afterwards. Its errors are those of Handshake, of greet and of the conduit.
func Negotiate(ctx context.Context, conduit Conduit, cfg Config,
	greet func(ctx context.Context, ours Greeting) (theirs Greeting, err error),
) (*Session, error) {
	n, err := newNegotiation(cfg)
	if err != nil {
		return nil, err
	}
	n.mostProperties = math.MaxInt
	if n.first.Name != "" {
		if err := conduit.Send(ctx, n.first); err != nil {
			return nil, err
		}
	}
	peer, err := greet(ctx, n.greeting())
	if err != nil {
		return nil, err
	}
	if err := n.greeted(peer); err != nil {
		return nil, err
	}
	if err := Converse(ctx, conduit, n.ex, Command{}); err != nil {
		return nil, err
	}
	return n.end()
}

// A negotiation is our side of one handshake.
type negotiation struct {
	cfg            Config
	mech           Mechanism
	local          Local
	ex             Exchange
	first          Command
	mostProperties int

	s             Session
	peerKnown     bool
	authenticated bool
}

// newNegotiation checks cfg, so that a mistake shows before a byte is sent.
func newNegotiation(cfg Config) (*negotiation, error) {
	m, err := cfg.metadata()
	if err != nil {
		return nil, err
	}
	n := &negotiation{
		cfg: cfg, mech: cfg.mechanism(), mostProperties: max(minProperties, cfg.maxMetadata()/propertyWeight),
	}
	name := n.mech.Name()
	if len(name) == 0 || len(name) > mechanismLength || !validMechanism([]byte(name)) {
		return nil, fail("handshake", ErrConfig, "mechanism %.64q; want a name of 1 to %d bytes of A-Z, 0-9 and -_.+", name,
			mechanismLength)
	}
	n.local = Local{
		Metadata:     AppendMetadata(make([]byte, 0, m.size()), m),
		PeerFirst:    cfg.Admit != nil,
		Asks:         cfg.Authenticate != nil,
		Peer:         n.peer,
		Authenticate: n.authenticate,
	}
	if n.ex, n.first, err = n.mech.New(n.local); err != nil {
		return nil, fmt.Errorf("zmtp: handshake: %s: %w", name, err)
	}
	return n, nil
}

// greeting is ours.
func (n *negotiation) greeting() Greeting {
	return Greeting{Version: highest, Mechanism: n.mech.Name(), AsServer: n.mech.AsServer()}
}

// greeted judges the peer's greeting.
func (n *negotiation) greeted(g Greeting) error {
	ours := n.mech.Name()
	switch {
	case g.Mechanism != ours:
		return fail("handshake", ErrMechanism, "the peer wants %s, ours is %s", g.Mechanism, ours)
	case g.AsServer && n.mech.AsServer():
		return fail("handshake", ErrMechanism, "the peer and we are both servers of %s", ours)
	}
	n.s.Mechanism = ours
	n.s.Version = g.Version.Common()
	return nil
}

// peer is [Local.Peer].
func (n *negotiation) peer(_ context.Context, metadata []byte) error {
	if n.peerKnown {
		return fail("handshake", ErrMalformed, "the peer gave its metadata twice")
	}
	m, err := parseMetadata(metadata, n.mostProperties)
	if err != nil {
		return err
	}
	peerType, _ := m.Get(PropertySocketType)
	if err := n.cfg.SocketType.Check(SocketType(peerType)); err != nil {
		return err
	}
	identity, _ := m.Get(PropertyIdentity)
	if len(identity) > MaxIdentity {
		return fail("handshake", ErrMalformed, "the peer's identity has %d bytes; want at most %d", len(identity),
			MaxIdentity)
	}
	n.s.PeerType, n.s.Identity, n.s.Metadata = SocketType(peerType), identity, m
	n.peerKnown = true
	if n.cfg.Admit != nil {
		if err := n.cfg.Admit(&n.s); err != nil {
			return fmt.Errorf("zmtp: handshake: %w", err)
		}
	}
	return n.confirm()
}

// authenticate is [Local.Authenticate].
func (n *negotiation) authenticate(ctx context.Context, credentials ...[]byte) error {
	if n.cfg.Authenticate != nil {
		claim := Claim{Mechanism: n.s.Mechanism, Credentials: credentials}
		if n.peerKnown {
			claim.Peer = &n.s
		}
		user, err := n.cfg.Authenticate(ctx, claim)
		if err != nil {
			return fmt.Errorf("zmtp: handshake: %w: %w", ErrDenied, err)
		}
		n.s.User = user
	}
	n.authenticated = true
	return n.confirm()
}

// confirm asks whether what the peer says of itself goes with who it is, once both are known.
func (n *negotiation) confirm() error {
	if n.cfg.Confirm == nil || !n.peerKnown || !n.authenticated {
		return nil
	}
	if err := n.cfg.Confirm(&n.s); err != nil {
		return fmt.Errorf("zmtp: handshake: %w: %w", ErrDenied, err)
	}
	return nil
}

// errShort is a mistake of a mechanism, which must not let anybody in.
var errShort = errors.New("the mechanism ended without having asked who the peer is and whether it may come in")

// end is what a finished exchange came to.
func (n *negotiation) end() (*Session, error) {
	if !n.peerKnown || !n.authenticated {
		return nil, fmt.Errorf("zmtp: handshake: %s: %w", n.s.Mechanism, errShort)
	}
	s := n.s // a copy, so that a session that lives for months does not keep all of the handshake
	return &s, nil
}
