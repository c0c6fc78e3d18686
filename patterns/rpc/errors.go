package rpc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// Errors that callers decide on; match them with [errors.Is]. What a handler returns is a [*patterns.Error]; that no
// reply has come is a [CallError].
var (
	// ErrNoResponders: no replica takes calls, and none is about to. Nothing was sent. It also matches
	// socket.ErrNoPeers.
	ErrNoResponders error = noResponders{}
	// ErrOverloaded: the service has more to do than it can; RetryAfter of the [*patterns.Error] says when to come
	// again. The handler has not begun.
	ErrOverloaded error = &patterns.Error{Code: patterns.CodeOverloaded}
)

// errHedge: Hedge alone would do calls twice that must not be.
var errHedge = errors.New("Hedge needs Idempotent, as two replicas may do the call")

type noResponders struct{}

func (noResponders) Error() string        { return "no responders" }
func (noResponders) Is(target error) bool { return target == socket.ErrNoPeers }

// A CallError says that a call has ended without a reply. Err says why: ErrNoResponders, socket.ErrPeerLost,
// socket.ErrClosed or the context's error; or it is a [*patterns.Error], by which the last attempt was refused, if the
// one before may have done the call.
type CallError struct {
	Method   string
	Peer     *socket.Peer // that had the call last, nil if none
	Attempts int          // how often it was sent
	// MayHaveRun: the handler may have begun, by any attempt or by an earlier call with the same key, and may have
	// ended. If not, it has not and will not.
	MayHaveRun bool
	Err        error
}

// Error reads "rpc: call add at ROUTER 10.0.0.7:7001: the peer is gone (it may have run)".
func (e *CallError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rpc: call %.64s", e.Method)
	if e.Peer != nil {
		fmt.Fprintf(&b, " at %s", e.Peer)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", %d attempts", e.Attempts)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.MayHaveRun {
		b.WriteString(" (it may have run)")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }
