package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A reached follows the endpoints of a socket. Of one that is connected to and has no peer it says why, before a second
// has passed and when the reason changes: a name may be misspelt. A peer that is just starting is there sooner. Of one
// that is bound it says so if somebody connects in vain. And it tells of peers that do not read, or break a rule.
type reached struct {
	con  *console
	name string        // of the verb
	over chan struct{} // closed when the socket is and all is known

	overflow string   // what the verb does with a message for a peer that is full; "" if it has no such flag
	connects []string // those to tell of; others are discovery's, which tells itself

	mu        sync.Mutex
	endpoints []string // in the order in which they came up
	states    map[string]*reaching
	misdeeds  map[socket.EventKind]time.Time // when those of a kind may be told again
	ended     bool
	endedAt   time.Time // what happened before is told still
	timer     *time.Timer
}

// reaching is one endpoint.
type reaching struct {
	bound bool
	peers int
	tried int       // attempts in vain since there was a peer
	from  time.Time // when there began to be no peer
	err   error     // of the last attempt; nil while there is none yet
	who   string    // who made it, at a bound endpoint
	said  string    // what was said of it last
	next  time.Time // when more may be said
}

const (
	sayAfter = 600 * time.Millisecond
	sayEvery = 10 * time.Second
)

// An eventful is a socket as far as its events go.
type eventful interface {
	Events(ctx context.Context) iter.Seq[socket.Event]
}

// watchEndpoints follows sock until it is closed: what it binds and those endpoints that it connects to.
func (a *app) watchEndpoints(name string, sock eventful, connects []string) *reached {
	r := &reached{
		con: a.con, name: name, connects: connects, over: make(chan struct{}), states: make(map[string]*reaching),
		misdeeds: make(map[socket.EventKind]time.Time),
	}
	r.timer = time.AfterFunc(sayAfter, r.say)
	go func() {
		defer close(r.over)
		for ev := range sock.Events(context.Background()) {
			r.take(ev)
		}
	}()
	return r
}

// take takes note of an event.
func (r *reached) take(ev socket.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(ev)
	s := r.states[ev.Endpoint]
	bound := ev.Kind == socket.Listening
	if s == nil && (bound || ev.Kind == socket.Connecting && slices.Contains(r.connects, ev.Endpoint)) {
		s = &reaching{bound: bound, from: ev.Time}
		r.states[ev.Endpoint] = s
		r.endpoints = append(r.endpoints, ev.Endpoint)
	}
	if errors.Is(ev.Err, socket.ErrClosed) || errors.Is(ev.Err, socket.ErrDisconnected) {
		r.setEnded(ev.Time) // it is we who end it
	}
	if s == nil || r.ended {
		return
	}
	switch ev.Kind {
	case socket.PeerUp:
		*s = reaching{bound: s.bound, peers: s.peers + 1}
		return
	case socket.PeerDown, socket.ProtocolError, socket.LimitHit:
		s.peers--
		s.from = ev.Time
		if !s.bound {
			s.err = ev.Err
		}
	case socket.ConnectFailed, socket.HandshakeFailed, socket.DuplicateIdentity:
		if s.bound && errors.Is(ev.Err, zmtp.ErrSilent) {
			return // somebody looked whether the port is open
		}
		s.tried += int(max(1, ev.Count))
		s.err, s.who = ev.Err, ev.Address
		if ev.Peer != nil {
			s.who = ev.Peer.String()
		}
	default:
		return
	}
	r.timer.Reset(max(0, sayAfter-time.Since(s.from)))
}

// tell tells of what a peer does, or has come to, the first time and again when a while has passed. What is missing is
// told each time.
func (r *reached) tell(ev socket.Event) {
	switch ev.Kind {
	case socket.SlowPeer, socket.Undelivered, socket.HeartbeatOff, socket.Throttled, socket.SubscriptionRefused,
		socket.ProtocolError, socket.LimitHit, socket.PeerForeign, socket.StateLost, socket.Fenced, socket.Forked,
		socket.SpoolFailing:
		if !r.late(ev) && !ev.Time.Before(r.misdeeds[ev.Kind]) {
			r.misdeeds[ev.Kind] = ev.Time.Add(sayEvery)
			r.con.notef("%s: %s", r.name, r.words(ev))
		}
	case socket.SubscriptionEnded:
		if !r.late(ev) {
			r.con.printf("%s", ev)
		}
	case socket.Gap:
		r.con.printf("%s of a publisher missing, which has lost or dropped them (%s): %s",
			countOf(ev.Count, "message"), ev.Reason, ev.Peer)
	default:
	}
}

// words is what an event comes to, for people.
func (r *reached) words(ev socket.Event) string {
	switch ev.Kind {
	case socket.LimitHit, socket.ProtocolError:
		return fmt.Sprintf("%s was disconnected: %s", ev.Peer, socket.Explain(ev.Err))
	case socket.SlowPeer:
		switch r.overflow {
		case "drop-newest", "drop-oldest", "conflate":
			return fmt.Sprintf("%s is too slow, dropping (--overflow block waits for it)", ev.Peer)
		case "disconnect":
			return fmt.Sprintf("%s is too slow, disconnecting it (--overflow block waits for it)", ev.Peer)
		}
	default:
	}
	return ev.String() + meanings[ev.Kind]
}

// meanings are what comes of events that do not say so themselves.
var meanings = map[socket.EventKind]string{
	socket.PeerForeign: ": it does not acknowledge, or ask for it: what is under way when it is lost does not come again",
	socket.StateLost:   ": it knows nothing any more of what it got, which may come twice",
}

// say tells of endpoints that have had no peer for long enough, if there is something new to tell.
func (r *reached) say() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	wait := time.Duration(-1)
	for _, e := range r.endpoints {
		s := r.states[e]
		if r.ended || s.peers > 0 || s.bound && s.err == nil {
			continue
		}
		due := s.from.Add(sayAfter)
		if s.next.After(due) {
			due = s.next
		}
		if d := due.Sub(now); d > 0 {
			if wait < 0 || d < wait {
				wait = d
			}
			continue
		}
		text := s.notice(e)
		if text == s.said {
			continue
		}
		s.said, s.next = text, now.Add(sayEvery)
		if s.err == nil {
			s.next = now // what comes of it is news
		}
		r.con.notef("%s: %s", r.name, text)
	}
	if wait >= 0 {
		r.timer.Reset(wait)
	}
}

// notice says why there is no peer, and what may be done about it.
func (s *reaching) notice(endpoint string) string {
	_, wrongType := errors.AsType[*zmtp.SocketTypeError](s.err)
	switch {
	case s.bound && wrongType:
		return fmt.Sprintf("%s could not become a peer at %s: it is %s", s.who, endpoint, s.why())
	case s.bound:
		return fmt.Sprintf("%s could not become a peer at %s: %s", s.who, endpoint, s.why())
	case wrongType:
		return endpoint + " is " + s.why()
	case errors.Is(s.err, zmtp.ErrNotZMTP):
		return endpoint + " accepts connections but does not speak ZMTP (another program's port?)"
	case errors.Is(s.err, syscall.ECONNREFUSED), errors.Is(s.err, fs.ErrNotExist):
		return fmt.Sprintf("%s: %s; still trying (is the other side running?)", endpoint, s.why())
	}
	return fmt.Sprintf("%s: %s; still trying", endpoint, s.why())
}

// why is the cause alone.
func (s *reaching) why() string {
	if s.err == nil {
		return "no answer yet"
	}
	return socket.Explain(s.err)
}

// setOverflow says what the socket does with messages for a peer that is full.
func (r *reached) setOverflow(f *socketFlags) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.overflow = f.overflow; f.overflow == "" && f.verb.is(overflows) && f.store == nil {
		r.overflow = f.verb.overflow()
	}
}

// end stops telling: what happens from now on is the end of the socket.
func (r *reached) end() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setEnded(time.Now())
	r.timer.Stop()
}

func (r *reached) setEnded(at time.Time) {
	if !r.ended {
		r.ended, r.endedAt = true, at
	}
}

// late reports whether an event belongs to the end of the socket.
func (r *reached) late(ev socket.Event) bool { return r.ended && ev.Time.After(r.endedAt) }

// explain adds to an error what keeps endpoints from having a peer, if there is none at all: that is the reason. It
// waits for the socket to be closed.
func (r *reached) explain(err error) error {
	e, ok := errors.AsType[*statusError](err)
	if r == nil || !ok || isBrokenPipe(err) {
		return err
	}
	<-r.over
	r.mu.Lock()
	defer r.mu.Unlock()
	if why := r.missing(); why != "" && !strings.Contains(err.Error(), noPeer) {
		return &statusError{e.status, fmt.Errorf("%w: %s: %s", err, noPeer, why)}
	}
	return err
}

const noPeer = "no peer"

// nobody is why there is no peer, without the number of attempts; "" if that is not known.
func (r *reached) nobody() string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var why []string
	for _, name := range r.endpoints {
		if s := r.states[name]; s.err != nil && len(r.endpoints) > 1 {
			why = append(why, name+": "+s.why())
		} else if s.err != nil {
			why = append(why, s.why())
		}
	}
	return strings.Join(why, "; ")
}

// missing says why no endpoint has a peer: "connection refused (9 attempts)", behind the endpoint's name if there are
// several. It is "" if one has, and if nobody has tried to become one where the socket listens. mu is held.
func (r *reached) missing() string {
	var why []string
	for _, name := range r.endpoints {
		s := r.states[name]
		switch {
		case s.bound && s.err == nil:
			continue
		case s.peers > 0:
			continue
		}
		text := s.why()
		if s.tried > 0 {
			text += fmt.Sprintf(" (%s)", countOf(s.tried, "attempt"))
		}
		if len(r.endpoints) > 1 {
			text = name + ": " + text
		}
		why = append(why, text)
	}
	return strings.Join(why, "; ")
}
