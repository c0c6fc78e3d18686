package socket

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A record is what an endpoint remembers of the attempts to have a peer there: its own or, where the socket listens,
// those of others. It is guarded by core.mu.
type record struct {
	attempts, failures uint64
	inARow             uint64    // failures since there was a peer
	err                error     // of the last failure, or why the last peer was lost
	who                string    // whom that was about, where the socket listens
	at                 time.Time // when it was
	next               time.Time // when the next attempt begins; zero while one is under way, and where there is none
}

// attempt notes that an attempt begins.
func (c *core) attempt(ep *endpointState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ep.record.attempts++
	ep.record.next = time.Time{}
}

// fail notes that one has failed, or that a peer was lost, and then tells ev of it, so that whoever has had the event
// finds the record. What this side ended itself is no failure, nor is a look whether a port is open.
func (c *core) fail(ep *endpointState, ev Event) {
	ev.Endpoint, ev.inbound = ep.name, ep.bound
	c.mu.Lock()
	if !byUs(ev.Err) && !ev.quiet {
		ep.record.failures++
		ep.record.inARow++
		ep.record.keep(ev)
	}
	c.mu.Unlock()
	c.events.add(ev)
}

func (r *record) keep(ev Event) {
	r.err, r.at, r.who = ev.Err, time.Now(), ev.Address
	if ev.Peer != nil {
		r.who = ev.Peer.String()
	}
}

// byUs reports whether it was this side that ended a connection, so that its end says nothing about the peer.
func byUs(err error) bool {
	return errors.Is(err, ErrDisconnected) || errors.Is(err, ErrClosed) || errors.Is(err, ErrSuperseded)
}

// retry notes when the next attempt begins.
func (c *core) retry(ep *endpointState, in time.Duration) {
	c.mu.Lock()
	ep.record.next = time.Now().Add(in)
	c.mu.Unlock()
	c.events.add(Event{Kind: Retrying, Endpoint: ep.name, Retry: in})
}

// stats is the endpoint as Stats shows it; core.mu is held.
func (ep *endpointState) stats() EndpointStats {
	s := EndpointStats{
		Endpoint: ep.name, Bound: ep.bound, Up: ep.up,
		Attempts: ep.record.attempts, Failures: ep.record.failures, FailedInARow: ep.record.inARow,
		LastErr: ep.record.err, LastFrom: ep.record.who, LastTime: ep.record.at, NextTry: ep.record.next,
	}
	if ep.bound {
		s.Endpoint = ep.listening()
	} else {
		s.LastFrom = ""
	}
	return s
}

// endpointStats lists the endpoints that fit, in the order of their names; core.mu is held.
func (c *core) endpointStats(fits func(ep *endpointState) bool) []EndpointStats {
	all := make([]EndpointStats, 0, len(c.bound)+len(c.connected))
	for _, ep := range c.bound {
		if fits(ep) {
			all = append(all, ep.stats())
		}
	}
	for _, ep := range c.connected {
		if fits(ep) {
			all = append(all, ep.stats())
		}
	}
	slices.SortFunc(all, func(a, b EndpointStats) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return all
}

func everyEndpoint(*endpointState) bool { return true }

// lost keeps why a peer was lost. The next attempt may succeed, so that it is no failure yet.
func (r *record) lost(l *link, cause error) {
	if !byUs(cause) {
		r.keep(Event{Peer: l.peer, Err: cause})
	}
}

// probed reports whether a connection that came in was nothing but a look whether the port is open, as TCP health
// checks take.
func (ep *endpointState) probed(err error) bool { return ep.bound && errors.Is(err, zmtp.ErrSilent) }
