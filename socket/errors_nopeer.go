package socket

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A NoPeerError is the error of a call that waited until its context ended, on a socket without a peer: it says what
// has become of each endpoint. Send, Recv, Do, Shutdown, WaitPeers, WaitConnected and their like return one; find it by
// [errors.As]. It matches whatever Err matches, the context's own error among it, and none of the LastErr in Endpoints.
type NoPeerError struct {
	// Err is what would be returned if there were a peer.
	Err error
	// Endpoints are those without a peer, sorted by name. None at all means that the socket is neither bound nor
	// connected to anything. Of a call that waits for several peers, or for one endpoint, they are those that it lacks.
	Endpoints []EndpointStats
}

// maxNamed is how many endpoints the text of a NoPeerError names.
const maxNamed = 3

// Error reads "socket: recv: context deadline exceeded (no peer: tcp://127.0.0.1:5900: connection refused, 7
// attempts)". It names the first three endpoints.
func (e *NoPeerError) Error() string { return e.Err.Error() + " (no peer: " + e.Why() + ")" }

// Why is the part of the text that says why there is no peer: "tcp://127.0.0.1:5900: connection refused, 7 attempts".
func (e *NoPeerError) Why() string {
	if len(e.Endpoints) == 0 {
		return "the socket is neither bound nor connected"
	}
	var b strings.Builder
	for i, ep := range e.Endpoints {
		if i == maxNamed {
			fmt.Fprintf(&b, "; and %d more", len(e.Endpoints)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(ep.String())
	}
	return b.String()
}

// Unwrap returns Err.
func (e *NoPeerError) Unwrap() error { return e.Err }

// ended is opError for a call that may have waited: if it gave up for want of a peer, the error says why there is none.
// It costs nothing unless there is an error.
func (c *core) ended(ctx context.Context, op string, err error) error {
	if err != nil {
		err = c.endedBy(ctx, op, err)
	}
	return err
}

// endedBy is apart so that ended is inlined.
func (c *core) endedBy(ctx context.Context, op string, err error) error {
	return c.explained(ctx, wrapped(op, err))
}

// explained adds to the error of a call that ended with its context why there is no peer, if there is none. No lock is
// held.
func (c *core) explained(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	if _, said := errors.AsType[*NoPeerError](err); said {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up > 0 || c.closing {
		return err
	}
	return &NoPeerError{Err: err, Endpoints: c.endpointStats(everyEndpoint)}
}

// lacking is explained for a call that waits for several peers, of which some may be there: it names the endpoints that
// are connected to in vain. Where the socket listens, nobody can tell whether another peer should have come.
func (c *core) lacking(ctx context.Context, err error) error {
	if err = c.explained(ctx, err); err == nil || ctx.Err() == nil || !errors.Is(err, context.Cause(ctx)) {
		return err
	}
	if _, said := errors.AsType[*NoPeerError](err); said {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	without := c.endpointStats(func(ep *endpointState) bool { return !ep.bound && ep.up == 0 })
	if len(without) == 0 || c.closing {
		return err
	}
	return &NoPeerError{Err: err, Endpoints: without}
}

// missing is what Shutdown says of endpoints, of which it needs to know before it ends them: nil with a peer.
func (c *core) missing() []EndpointStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up > 0 || c.closing {
		return nil
	}
	return c.endpointStats(everyEndpoint)
}
