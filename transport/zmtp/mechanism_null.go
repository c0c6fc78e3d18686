package zmtp

import (
	"context"
	"errors"
)

// mechanismNull is the name of the mechanism without security.
const mechanismNull = "NULL"

// Null is the NULL mechanism of RFC 37, which proves nothing and encrypts nothing: each side sends READY with its
// metadata, without waiting for the other's unless [Local.PeerFirst] is set. Two ends that both wait so would wait for
// ever.
//
// An authenticator is asked before READY goes out, as by libzmq: without credentials, and before the peer has said
// anything of itself. So whoever asks does not wait for the peer, which may be one that waits for our READY. A peer
// that is refused gets an ERROR ([Refusal]) in place of READY.
var Null Mechanism = null{}

type null struct{}

func (null) Name() string   { return mechanismNull }
func (null) AsServer() bool { return false }

func (null) New(local Local) (Exchange, Command, error) {
	ready := Command{CommandReady, local.Metadata}
	if local.PeerFirst || local.Asks {
		return &nullExchange{local: local, ready: ready}, Command{}, nil
	}
	return &nullExchange{local: local}, ready, nil
}

type nullExchange struct {
	local    Local
	ready    Command // not sent yet
	admitted bool    // Authenticate was called
}

// Begin implements [Beginner].
func (e *nullExchange) Begin(ctx context.Context) (Command, error) {
	if e.local.PeerFirst || !e.local.Asks {
		return Command{}, nil
	}
	if err := e.authenticate(ctx); err != nil {
		return Refusal(err), err
	}
	ready := e.ready
	e.ready = Command{}
	return ready, nil
}

func (e *nullExchange) authenticate(ctx context.Context) error {
	e.admitted = true
	return e.local.Authenticate(ctx)
}

// Step takes the peer's READY, which is all that comes.
func (e *nullExchange) Step(ctx context.Context, c Command) (Command, bool, error) {
	if c.Name != CommandReady {
		return Command{}, false, fail("handshake", ErrMalformed, "the first command is %.64q; want READY or ERROR", c.Name)
	}
	err := e.local.Peer(ctx, c.Data)
	switch {
	case errors.Is(err, ErrSocketType) && !e.local.Asks:
		return e.ready, false, err // the peer may know why
	case err != nil:
		return Command{}, false, err
	}
	if !e.admitted {
		if err := e.authenticate(ctx); err != nil {
			return Refusal(err), false, err
		}
	}
	return e.ready, true, nil
}
