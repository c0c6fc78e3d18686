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
var Null Mechanism = null{}

type null struct{}

func (null) Name() string   { return mechanismNull }
func (null) AsServer() bool { return false }

func (null) New(local Local) (Exchange, Command, error) {
	ready := Command{CommandReady, local.Metadata}
	if local.PeerFirst {
		return &nullExchange{local, ready}, Command{}, nil
	}
	return &nullExchange{local, Command{}}, ready, nil
}

type nullExchange struct {
	local Local
	ready Command // not sent yet
}

// Step takes the peer's READY, which is all that comes.
func (e *nullExchange) Step(ctx context.Context, c Command) (Command, bool, error) {
	if c.Name != CommandReady {
		return Command{}, false, fail("handshake", ErrMalformed, "the first command is %.64q; want READY or ERROR", c.Name)
	}
	err := e.local.Peer(ctx, c.Data)
	if errors.Is(err, ErrSocketType) {
		return e.ready, false, err // the peer may know why
	}
	if err == nil {
		err = e.local.Authenticate(ctx)
	}
	if err != nil {
		return Command{}, false, err
	}
	return e.ready, true, nil
}
