package socket

import (
	"fmt"
	"strings"
	"time"
)

// EndpointStats is what has become of one endpoint of a socket, bound or connected.
type EndpointStats struct {
	// Endpoint is its name: as Endpoints lists it if the socket is bound there, with its wildcard, otherwise as it was
	// given to Connect.
	Endpoint string
	// Bound says that the socket listens there; otherwise it connects.
	Bound bool
	// Up is how many peers are connected by way of it now.
	Up int
	// Attempts is how often the socket has tried to connect there since Connect, the attempt under way included; of one
	// that is bound, how many connections came in.
	Attempts uint64
	// Failures is how many of them came to nothing: no connection, or no handshake. What Close and Disconnect cut short
	// does not count, nor do connections that came in and ended without a byte, as those of TCP health checks do.
	Failures uint64
	// FailedInARow is how many of these there were since a peer was connected there last.
	FailedInARow uint64
	// LastErr is why the last of them failed, or why a peer was lost after that: an Err of ConnectFailed,
	// HandshakeFailed, AcceptFailed or PeerDown. It stays when a peer is connected again; nil if there was none. [Explain]
	// puts it in few words.
	LastErr error
	// LastFrom is who that was about, at an endpoint that is bound: an address or, after the handshake, the peer in words.
	LastFrom string
	// LastTime is when that was.
	LastTime time.Time
	// NextTry is when the next attempt to connect begins; zero while one is under way or a peer is connected.
	NextTry time.Time
}

// String says on one line what has become of the endpoint: "tcp://127.0.0.1:5900: connection refused, 7 attempts".
func (e EndpointStats) String() string {
	var b strings.Builder
	b.WriteString(e.Endpoint)
	switch {
	case e.Up > 0:
		fmt.Fprintf(&b, ": %s", plural(uint64(e.Up), "peer"))
	case e.LastErr != nil && e.LastFrom != "":
		fmt.Fprintf(&b, ": %s: %s", e.LastFrom, Explain(e.LastErr))
	case e.LastErr != nil:
		fmt.Fprintf(&b, ": %s", Explain(e.LastErr))
	case e.Bound:
		b.WriteString(": nobody has connected")
	default:
		b.WriteString(": no answer yet")
	}
	if n := e.FailedInARow; n > 0 && e.Up == 0 {
		fmt.Fprintf(&b, ", %s", plural(n, "attempt"))
	}
	return b.String()
}
