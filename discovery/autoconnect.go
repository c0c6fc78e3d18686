package discovery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// A Connector is what AutoConnect asks of a socket: Connect returns at once, and the socket then keeps connecting to
// the endpoint until Disconnect. Both are called by one goroutine at a time.
//
// A Connector may have two more methods, as the sockets of package socket do:
//
//	WaitConnected(ctx context.Context, endpoint string) error
//	WaitDisconnected(ctx context.Context, endpoint string) error
//
// They wait until an endpoint given to Connect has a live connection, or none. They return nil then, and an error as
// soon as ctx ends, or when the Connector does not connect to the endpoint any more.
//
// And it may have a third, by which it is told apart who answers at an endpoint:
//
//	ConnectNode(endpoint string, accept func(node [16]byte) error) error
//
// It is called in place of Connect. With each connection, before the socket takes any part in it, accept is called
// with the id that the peer shows, the zero one if none; unless it returns nil the connection ends at once, and the
// socket tries again. None of the methods may wait for a call of accept. Without this method whoever answers is taken
// for the node.
//
// And two more, for sockets that are encrypted by the key of each server:
//
//	NeedsServerKey() bool
//	ConnectServer(endpoint, key string, accept func(node [16]byte) error) error
//
// Where the first returns true as AutoConnect begins, the second is called in place of ConnectNode, with what
// [Record.Key] says. Nodes whose records have no key or no proof are not connected to then, see there.
//
// Of a Connector without the first two nothing is known but what it was told. The best endpoint of a node then counts
// as connected at once; the others are used only when a later record no longer has that one. A node that expired is
// disconnected after Policy.Drain, like one that left, and whoever says that it left is believed.
type Connector interface {
	Connect(endpoint string) error
	Disconnect(endpoint string) error
}

// A connWaiter is a Connector that tells whether it is connected.
type connWaiter interface {
	WaitConnected(ctx context.Context, endpoint string) error
	WaitDisconnected(ctx context.Context, endpoint string) error
}

// AutoConnect connects s to each node that w finds to offer a service ("": any), as p allows, until ctx ends. It then
// has disconnected all that it connected, and returns nil. It returns an error if w cannot be watched, or stops
// before ctx does.
//
// Who answers at an endpoint is asked who it is, where that can be told (see [Connector] and [Record.PeerID]):
// another than the node that was announced there gets no connection, so that no message goes to it, and the node's
// next endpoint has its turn. If there is none, PeerFailed says so with [ErrWrongNode].
//
// Of each node one endpoint is connected. The best is tried first, and each 250 ms the next as well, until one
// answers; the others are disconnected again. So for a moment there may be two connections to a node. When none
// answers, w is asked to confirm that the node is there (see [Confirmer]), and all starts again after a pause.
//
// A connection that works is kept, whatever is announced: when the record expires, for as long as the connection
// lasts; when it names other endpoints, until the connection is lost. Only when the node says goodbye it is ended,
// after Policy.Drain. Where records are not proven (see [Open]) that has to come from an address that the node was
// known by when it was connected; other endpoints said from elsewhere are tried behind its own once the connection is
// lost.
//
// Two nodes with the same endpoint share one connection, which stays until both have gone; if it can be told which of
// the two answers, that one alone counts as connected. Endpoints that the application connects itself should not be
// announced as well: they are disconnected with the node.
func AutoConnect(ctx context.Context, s Connector, w Watcher, service string, p Policy) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := w.Watch(ctx, Query{Group: p.Group, Service: service})
	if err != nil {
		return fmt.Errorf("discovery: watch for service %q: %w", service, err)
	}
	return autoConnect(ctx, s, w, events, service, p)
}

// autoConnect is AutoConnect with the watch begun.
func autoConnect(ctx context.Context, s Connector, w Watcher, events <-chan Event, service string, p Policy) error {
	p.setDefaults()
	a := &autoConnector{
		s:           s,
		service:     service,
		types:       p.Types,
		p:           p,
		locality:    locality{host: p.Host, exists: p.exists},
		nodes:       make(map[ID]*nodeState),
		links:       make(map[string]*link),
		trying:      make(map[*nodeState]struct{}),
		coolingDown: make(map[*timer]struct{}),
		calls:       make(chan func()),
		done:        make(chan struct{}),
	}
	a.waiter, _ = s.(connWaiter)
	a.checker, a.p.checks = s.(checker)
	if k, ok := s.(keyTaker); ok && k.NeedsServerKey() {
		a.keyTaker, a.p.checks = k, true
	}
	a.confirmer, _ = w.(Confirmer)
	if typed, ok := s.(interface{ Type() string }); ok && len(a.types) == 0 {
		a.types = fitting[typed.Type()]
	}
	a.locality.links, _ = p.source() // without it nothing is on-link until the watch below succeeds
	defer a.end()
	// Its own context: the watch of interfaces has ended when this function returns. It is not asked whether ctx has
	// ended: it ends a moment later, which the end of the other watch may come before.
	watching, cancel := context.WithCancel(ctx)
	links := ifaces.Watch(watching, 0, p.source)
	defer func() {
		cancel()
		for range links { // until it is closed
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-events:
			switch {
			case !open && ctx.Err() != nil:
				return nil
			case !open:
				return fmt.Errorf("discovery: the watch for service %q has ended: %w", service, ErrClosed)
			}
			a.handleEvent(e)
		case now, open := <-links:
			if open && !ifaces.Diff(a.locality.links, now).None() {
				a.interfacesChanged(now)
			}
		case f := <-a.calls:
			f()
		}
		a.next()
	}
}

// autoConnector is the state of one AutoConnect. All of it belongs to the goroutine that runs autoConnect, which others
// reach by post.
type autoConnector struct {
	s         Connector
	waiter    connWaiter // nil if s does not tell
	checker   checker    // likewise
	keyTaker  keyTaker   // nil unless s wants servers' keys
	confirmer Confirmer  // nil if there is none
	service   string
	types     []string
	p         Policy
	locality  locality

	nodes       map[ID]*nodeState
	queue       []*nodeState            // those that wait for a turn, oldest first
	trying      map[*nodeState]struct{} // those in phase dialing
	links       map[string]*link        // by endpoint
	dials       int                     // links that never were up, and places that are cooling down
	coolingDown map[*timer]struct{}     // end when the place of a link that was cut early is free again

	calls chan func()
	done  chan struct{}
	wg    sync.WaitGroup // trackers and timers
}

// post has f called by the goroutine that owns the state, or never if that has ended.
func (a *autoConnector) post(f func()) {
	select {
	case a.calls <- f:
	case <-a.done:
	}
}

// end disconnects all and waits for all goroutines.
func (a *autoConnector) end() {
	close(a.done)
	for _, n := range a.nodes {
		a.stopTimer(&n.stepTimer)
		a.stopTimer(&n.phaseTimer)
	}
	for _, l := range a.links {
		a.cut(l)
	}
	for tm := range a.coolingDown {
		a.stopTimer(&tm)
	}
	a.wg.Wait()
}

// A timer calls a function later, on the goroutine that owns the state.
type timer struct {
	t       *time.Timer
	stopped bool
}

// after starts a timer.
func (a *autoConnector) after(d time.Duration, f func()) *timer {
	tm := &timer{}
	a.wg.Add(1)
	tm.t = time.AfterFunc(d, func() {
		defer a.wg.Done()
		a.post(func() {
			if !tm.stopped {
				tm.stopped = true
				f()
			}
		})
	})
	return tm
}

// stopTimer makes sure that a timer, if there is one, does not call its function any more, and sets *at to nil.
func (a *autoConnector) stopTimer(at **timer) {
	tm := *at
	*at = nil
	if tm == nil || tm.stopped {
		return
	}
	tm.stopped = true
	if tm.t.Stop() {
		a.wg.Done()
	}
}

// notify calls Policy.OnChange.
func (a *autoConnector) notify(kind ChangeKind, n *nodeState, endpoint string, err error) {
	if a.p.OnChange != nil {
		c := Change{Kind: kind, Record: n.record, Endpoint: endpoint, Err: err}
		if kind == PeerConnected {
			c.Key = n.live.key
		}
		a.p.OnChange(c)
	}
}

// confirm has the backend ask whether a node is still there.
func (a *autoConnector) confirm(n *nodeState) {
	if a.confirmer != nil && n.gone == "" {
		a.confirmer.Confirm(n.id)
	}
}
