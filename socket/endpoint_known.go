package socket

import (
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// known is what a socket has learned about its peers and needs for their next connections. A peer that comes in has no
// name that could be relied on, and is known by its host. The lists are bounded; the oldest entry makes room.
type known struct {
	mu lockorder.Mutex[lockorder.Known]
	// Where a peer hung up in the middle of the handshake. Until one succeeds there they are made in parts, in which a
	// peer of ZMTP 2 tells its version; that costs a round trip.
	hungUp recent
	// Peers that have answered a PING, and peers that have not and hung up on their first one: those get none any more.
	answers, hates recent
	// Peers that have hung up so while they were not read, so that an answer may have come: twice is no coincidence.
	suspects recent
}

// pingKills is the time within which a peer hangs up on a PING that it cannot stand. One that hangs up later has other
// reasons.
const pingKills = 2 * time.Second

// failed notes a handshake that failed.
func (k *known) failed(ep *endpointState, conn net.Conn, err error) {
	if !unexplained(err) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hungUp.add(whereabouts(ep, conn))
}

// succeeded notes a handshake that did not.
func (k *known) succeeded(ep *endpointState, conn net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.hungUp.names) > 0 {
		k.hungUp.remove(whereabouts(ep, conn))
	}
}

// wary reports whether the handshake is to be made in parts.
func (k *known) wary(ep *endpointState, conn net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.hungUp.names) > 0 && k.hungUp.has(whereabouts(ep, conn))
}

// unexplained reports whether the peer ended a handshake without a word about why.
func unexplained(err error) bool {
	for _, reason := range []error{
		zmtp.ErrNotZMTP, zmtp.ErrVersion, zmtp.ErrMechanism, zmtp.ErrMalformed, zmtp.ErrTooLarge, zmtp.ErrSocketType,
		zmtp.ErrRefused, zmtp.ErrDenied, zmtp.ErrConfig, transport.ErrHandshake,
		ErrTimeout, ErrEvicted, ErrTooManyPeers, ErrDisconnected, ErrClosed,
	} {
		if errors.Is(err, reason) {
			return false
		}
	}
	return true
}

// answered notes that a peer has shown that it knows PING.
func (k *known) answered(l *link) {
	who := whoabouts(l)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answers.add(who)
	k.hates.remove(who)
}

// spares reports whether a peer is to get no PING.
func (k *known) spares(l *link) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.hates.names) > 0 && !l.peer.yodel && k.hates.has(whoabouts(l))
}

// ended looks at why a link has ended, and reports whether its peer is one that hangs up on PING.
func (k *known) ended(l *link, cause error) bool {
	if l.peer.yodel || l.life.pings.Load() != 1 || l.life.answered.Load() {
		return false
	}
	late := l.core.now()-time.Duration(l.life.ping.Load()) > pingKills
	if late || !byPeer(cause) && !errors.Is(cause, errSentError) {
		return false
	}
	who := whoabouts(l)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answers.has(who) {
		return false
	}
	if l.life.paused.Load() && !k.suspects.has(who) {
		k.suspects.add(who)
		return false
	}
	k.hates.add(who)
	return true
}

// whereabouts is where a peer is expected again: at an endpoint that is connected, or from the host it came from.
func whereabouts(ep *endpointState, conn net.Conn) string {
	if !ep.bound {
		return ep.name
	}
	at := address(conn)
	if host, _, err := net.SplitHostPort(at); err == nil {
		at = host
	}
	return at + " at " + ep.name
}

// whoabouts is whereabouts with what a peer has said about itself. Which properties it sends tells one implementation
// from another.
func whoabouts(l *link) string {
	who := []string{whereabouts(l.ep, l.conn), l.peer.Type, string(l.peer.Identity)}
	return strings.Join(append(who, slices.Sorted(maps.Keys(l.peer.Metadata))...), "\x00")
}

// recent is a short list without doubles, the newest entry last.
type recent struct{ names []string }

const maxRecent = 256

func (r *recent) add(name string) {
	r.remove(name)
	if len(r.names) == maxRecent {
		r.names = slices.Delete(r.names, 0, 1)
	}
	r.names = append(r.names, name)
}

func (r *recent) has(name string) bool { return slices.Contains(r.names, name) }

func (r *recent) remove(name string) {
	if i := slices.Index(r.names, name); i >= 0 {
		r.names = slices.Delete(r.names, i, i+1)
	}
}
