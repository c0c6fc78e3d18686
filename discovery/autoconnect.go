package discovery

import (
	"context"
	"fmt"
	"slices"
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
// Of a Connector without the first two nothing is known but what it was told. The best endpoint of a node then counts
// as connected at once; the others are used only when a later record no longer has that one. A node that expired is
// disconnected after Policy.Drain, like one that left, and whoever says that it left is believed.
type Connector interface {
	Connect(endpoint string) error
	Disconnect(endpoint string) error
}

// A stater is a Connector that tells whether it is connected.
type stater interface {
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
	a := &connecting{
		s:       s,
		service: service,
		types:   p.Types,
		p:       p,
		at:      vantage{host: p.Host, exists: p.exists},
		nodes:   make(map[ID]*target),
		links:   make(map[string]*link),
		trying:  make(map[*target]struct{}),
		cooling: make(map[*alarm]struct{}),
		calls:   make(chan func()),
		done:    make(chan struct{}),
	}
	a.stater, _ = s.(stater)
	a.checker, a.p.checks = s.(checker)
	a.confirmer, _ = w.(Confirmer)
	if typed, ok := s.(interface{ Type() string }); ok && len(a.types) == 0 {
		a.types = fitting[typed.Type()]
	}
	a.at.links, _ = p.source() // without it nothing is on-link until the watch below succeeds
	defer a.end()
	// Its own context: the watch of interfaces has ended when this function returns.
	ctx, cancel := context.WithCancel(ctx)
	links := ifaces.Watch(ctx, 0, p.source)
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
			a.event(e)
		case now, open := <-links:
			if open && !ifaces.Diff(a.at.links, now).None() {
				a.moved(now)
			}
		case f := <-a.calls:
			f()
		}
		a.next()
	}
}

// connecting is the state of one AutoConnect. All of it belongs to the goroutine that runs autoConnect, which others
// reach by post.
type connecting struct {
	s         Connector
	stater    stater    // nil if s is none
	checker   checker   // likewise
	confirmer Confirmer // nil if there is none
	service   string
	types     []string
	p         Policy
	at        vantage

	nodes   map[ID]*target
	queue   []*target            // those that wait for a turn, oldest first
	trying  map[*target]struct{} // those in phase dialing
	links   map[string]*link     // by endpoint
	dials   int                  // links that never were up, those cooling included
	cooling map[*alarm]struct{}  // for links that were cut soon

	calls chan func()
	done  chan struct{}
	wg    sync.WaitGroup // trackers and alarms
}

// post has f called by the goroutine that owns the state, or never if that has ended.
func (a *connecting) post(f func()) {
	select {
	case a.calls <- f:
	case <-a.done:
	}
}

// end disconnects all and waits for all goroutines.
func (a *connecting) end() {
	close(a.done)
	for _, n := range a.nodes {
		a.silence(&n.step)
		a.silence(&n.over)
	}
	for _, l := range a.links {
		a.cut(l)
	}
	for al := range a.cooling {
		a.silence(&al)
	}
	a.wg.Wait()
}

// An alarm calls a function later, on the goroutine that owns the state.
type alarm struct {
	timer *time.Timer
	off   bool
}

func (a *connecting) alarm(d time.Duration, f func()) *alarm {
	al := &alarm{}
	a.wg.Add(1)
	al.timer = time.AfterFunc(d, func() {
		defer a.wg.Done()
		a.post(func() {
			if !al.off {
				al.off = true
				f()
			}
		})
	})
	return al
}

// silence makes sure that an alarm does not go off any more.
func (a *connecting) silence(at **alarm) {
	al := *at
	*at = nil
	if al == nil || al.off {
		return
	}
	al.off = true
	if al.timer.Stop() {
		a.wg.Done()
	}
}

func (a *connecting) tell(kind ChangeKind, n *target, endpoint string, err error) {
	if a.p.OnChange != nil {
		a.p.OnChange(Change{Kind: kind, Record: n.record, Endpoint: endpoint, Err: err})
	}
}

func (a *connecting) confirm(n *target) {
	if a.confirmer != nil && n.gone == "" {
		a.confirmer.Confirm(n.id)
	}
}

// A link is an endpoint that s was told to connect to, for one node or more.
type link struct {
	endpoint string
	users    []*target
	up       bool
	proven   bool // it was up before
	began    time.Time
	stop     func() // ends its tracker
	answer   answer
}

// acquire makes a node a user of the link to an endpoint.
func (a *connecting) acquire(n *target, endpoint string) (*link, error) {
	if l := a.links[endpoint]; l != nil {
		l.users = append(l.users, n)
		return l, nil
	}
	l := &link{endpoint: endpoint, users: []*target{n}, began: time.Now(), stop: func() {}}
	if err := a.connect(l); err != nil {
		return nil, err
	}
	a.links[endpoint] = l
	if a.stater == nil {
		l.up, l.proven = true, true
		return l, nil
	}
	a.dials++
	a.track(l)
	return l, nil
}

// track follows whether a link is up, until it is stopped.
func (a *connecting) track(l *link) {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	a.wg.Go(func() {
		for up := true; ; up = !up {
			wait := a.stater.WaitConnected
			if !up {
				wait = a.stater.WaitDisconnected
			}
			err := wait(ctx, l.endpoint)
			if ctx.Err() != nil {
				return
			}
			a.post(func() {
				if ctx.Err() == nil { // nor stopped meanwhile
					a.changed(l, up, err)
				}
			})
			if err != nil {
				return
			}
		}
	})
}

// release takes a user from a link, and ends it if that was the last.
func (a *connecting) release(n *target, l *link) {
	l.users = slices.DeleteFunc(l.users, func(u *target) bool { return u == n })
	if len(l.users) == 0 {
		a.cut(l)
	}
}

func (a *connecting) cut(l *link) {
	delete(a.links, l.endpoint)
	if !l.proven {
		a.cool(l)
	}
	l.stop()
	_ = a.s.Disconnect(l.endpoint) // fails only if somebody else has disconnected it
}

// cool frees the place of a link that never was up. Who takes back at once what it announced must not get us to dial
// the next one the sooner.
func (a *connecting) cool(l *link) {
	rest := time.Until(l.began.Add(backoffFirst))
	if rest <= 0 {
		a.dials--
		return
	}
	var al *alarm
	al = a.alarm(rest, func() {
		delete(a.cooling, al)
		a.dials--
	})
	a.cooling[al] = struct{}{}
}

// changed hears that a link is up or down, or, with an error, that s does not connect to it any more.
func (a *connecting) changed(l *link, up bool, err error) {
	if a.links[l.endpoint] != l {
		return // it has been cut since
	}
	users := slices.Clone(l.users)
	switch {
	case err != nil:
		l.up = false
		a.cut(l)
		for _, n := range users {
			a.broken(n, l, err)
		}
	case up:
		l.up = true
		if !l.proven {
			l.proven = true
			a.dials--
		}
		for _, n := range users {
			if n.phase == dialing && a.isAt(n, l) {
				a.connected(n, l)
			}
		}
	default:
		l.up = false
		for _, n := range users {
			if n.live == l {
				a.lost(n)
			}
		}
	}
}
