package socket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/fairness"
	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/socket/internal/waitlist"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A core is what all socket types have in common: endpoints, links, the outbox and the inbox, events and the way
// down. What a type does differently it says as its behaviour.
//
// Locks guard memory only: nothing waits for a peer, a timer or the application while it holds one. Which lock guards
// what, and in which order they are taken, stands in internal/lockorder and in DESIGN.md.
type core struct {
	out         outbox
	requests    *requests    // of a Req with a store; nil of any other
	diskReplies *diskReplies // of a Rep with a spool for them; nil of any other
	in          inbox
	reads       *inbox     // what the application receives from: in, or that of disk
	disk        *diskInbox // nil without WithInbox

	typ       zmtp.SocketType
	cfg       config
	role      role
	beginning beginning // nil for none
	endID     endID     // by which peers at bound endpoints know the socket
	born      time.Time
	nameable  func(endpoint, id string) error // see behaviour

	yielder    fairness.Yielder
	flood      flood
	heartbeats heartbeatTimer
	known      known
	events     eventLog
	lingering  atomic.Int32   // connections that a lingeringClose has
	done       chan struct{}  // closed when the socket begins to close for good
	wg         sync.WaitGroup // every goroutine of the socket but the logger
	logged     chan struct{}  // closed when the logger is done; nil without one

	mu              lockorder.Mutex[lockorder.Core]
	bound           map[string]*endpointState // by actual endpoint
	connected       map[string]*endpointState
	links           map[*link]struct{}
	readOnly        map[*link]struct{} // links that are not among them any more, and are still being read
	up              int                // links that have joined
	taken           int                // of links, those that came in at a bound endpoint
	peers           waitlist.List
	handshakes      map[net.Conn]struct{}
	incoming        []incoming    // handshakes of accepted connections, oldest first
	shaken          chan struct{} // tells those who accept that one of them is over
	authentications chan struct{} // has room for as many as may be asked about at once; nil without an authenticator
	draining        bool          // Shutdown waits for the queues
	lostUnconfirmed unconfirmed   // of connections that broke meanwhile
	closing         bool
	closeOnce       sync.Once     // closes closeCalled
	closeCalled     chan struct{} // Close was called, which ends the wait of a Shutdown
	closed          chan struct{} // closed when Close or Shutdown is through
	addresses       addresses     // that connections came in from
}

func newCore(cfg config, b behaviour) *core {
	c := &core{
		typ:         b.typ,
		cfg:         cfg,
		role:        b.role,
		nameable:    b.nameable,
		born:        time.Now(),
		endID:       cfg.receiverID(),
		done:        make(chan struct{}),
		bound:       make(map[string]*endpointState),
		connected:   make(map[string]*endpointState),
		links:       make(map[*link]struct{}),
		readOnly:    make(map[*link]struct{}),
		handshakes:  make(map[net.Conn]struct{}),
		closed:      make(chan struct{}),
		closeCalled: make(chan struct{}),
		shaken:      make(chan struct{}, 1),
	}
	if c.role == nil {
		c.role = baseRole{}
	}
	if cfg.authenticator != nil {
		c.authentications = make(chan struct{}, cfg.limits.MaxAuthentications)
	}
	c.beginning = c.begin
	lockorder.Own(c, &c.mu, &c.out.mu, &c.in.recv, &c.in.mu, &c.known.mu, &c.flood.mu, &c.heartbeats.mu, &c.events.mu)
	c.out.outBehaviour = b.out
	c.out.env = outEnv{
		cfg:      &c.cfg,
		events:   &c.events,
		writers:  &c.wg,
		born:     c.born,
		replies:  b.in.receives,
		admit:    c.in.admit,
		schedule: c.heartbeats.schedule,
	}
	if b.out.sharedRate {
		c.out.sendRate = new(rateDetector)
	}
	if cfg.store != nil && b.typ == zmtp.Pub {
		c.out.durables = newDurables(&c.out, cfg.store)
	} else if cfg.store != nil && b.typ == zmtp.Req {
		c.cfg.overflow = Block
	} else if cfg.store != nil {
		c.cfg.reliable = true
		c.cfg.noSpool = b.typ != zmtp.Push && b.typ != zmtp.Dealer
		c.cfg.overflow = Block // of the store's room the store decides
		if c.cfg.window == defaultWindow {
			c.cfg.window.messages = defaultStoreWindow
		}
		c.out.spooled = newSpooled(&c.out, cfg.store, c.cfg.assignments)
	}
	c.in.inBehaviour, c.in.inboxConfig, c.in.env = b.in, cfg.inboxConfig(), c.inboxEnv()
	c.reads = &c.in
	switch {
	case cfg.inbox != nil:
		c.disk = newDiskInbox(c, b.in)
		c.in.inBehaviour = inBehaviour{receives: true, answers: b.in.answers, mixed: true}
		c.reads = &c.disk.app
	case cfg.takenIn != nil:
		c.in.taken = newTakenNotes(c)
	}
	if b.in.notifies {
		c.in.notices = newNotices(c)
	}
	if cfg.logger != nil {
		c.logged = make(chan struct{})
		go func() {
			defer close(c.logged)
			c.events.logTo(cfg.logger, cfg.label)
		}()
	}
	return c
}

// now is the time since the socket was made. It costs less than time.Now and never goes back.
func (c *core) now() time.Duration { return time.Since(c.born) }

// Type returns the socket's type as ZMTP names it, for example "PUSH".
func (c *core) Type() string { return string(c.typ) }

// Events follows what happens to the socket: it yields the events remembered so far, up to 1,024, and then each new one
// as it comes, until ctx ends or the socket closes. With a context that has ended it yields what is remembered and
// stops. A reader that falls behind by more than 1,024 is told how many it [Missed]; the socket never waits for it. Any
// number of readers may follow at once, each at its own speed.
func (c *core) Events(ctx context.Context) iter.Seq[Event] { return c.events.all(ctx) }

// Stats returns the socket's ledger and that of each connected peer, at one moment for each direction. It balances at
// every call; see [Ledger].
//
// It is made for being looked at now and then. Each call allocates, sorts the peers by address, and holds up sending
// and then receiving while it copies some 150 bytes and the reasons of each peer: about a microsecond a peer. Over
// inproc it also has every message handed over that senders keep on their side for a moment, on either side of this
// socket, so that to call it for every message ends the batching there.
func (c *core) Stats() Stats {
	links := c.snapshot()
	slices.SortFunc(links, func(a, b *link) int { return slices.Compare([]byte(a.peer.Address), []byte(b.peer.Address)) })

	s := Stats{
		Label: c.cfg.label, Peers: make([]PeerStats, len(links)), Events: c.events.counted(),
		Refused: c.events.refusals(),
	}
	c.mu.Lock()
	if !c.closing {
		s.Endpoints = c.endpointStats(everyEndpoint)
	}
	c.mu.Unlock()
	c.out.mu.Lock()
	for _, l := range links {
		l.carrier.flush()
	}
	c.out.counts.fill(&s.Ledger)
	if c.out.spooled != nil {
		c.out.spooled.fill(&s.Ledger)
	}
	if c.requests != nil {
		c.requests.fill(&s.Ledger)
	}
	if c.out.durables != nil {
		c.out.durables.fill(&s.Ledger)
	}
	s.Redelivered, s.AtMostOnce = c.out.redelivered, c.out.atMostOnce
	s.Unwanted = c.out.unwanted.list()
	for i, l := range links {
		l.out.counts.fill(&s.Peers[i].Ledger)
		l.out.shape(&s.Peers[i])
	}
	c.out.mu.Unlock()
	for _, l := range links {
		l.carrier.pull()
	}
	c.in.recv.Lock()
	c.in.mu.Lock()
	c.in.enterTaken()
	c.in.counts.fill(&s.Ledger)
	s.UnderWay = c.in.parts
	for i, l := range links {
		l.in.counts.fill(&s.Peers[i].Ledger)
		s.Peers[i].Peer = l.peer
		s.Peers[i].UnderWay = l.in.underway.bytes
		l.in.shape(&s.Peers[i])
		l.shape(&s.Peers[i])
	}
	c.in.mu.Unlock()
	c.in.recv.Unlock()
	c.reads.fill(&s, c.reads != &c.in)
	return s
}

// WaitPeers waits until at least n peers are connected, which means that their handshake is done. It returns an error
// if ctx ends or the socket closes first: a [NoPeerError] if an endpoint that it connects to has no peer. For a
// publisher see also [Pub.WaitSubscribers].
func (c *core) WaitPeers(ctx context.Context, n int) error {
	return c.lacking(ctx, c.waitPeers(ctx, n))
}

func (c *core) waitPeers(ctx context.Context, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.up < n {
		if c.closing {
			return opError("wait for peers", ErrClosed)
		}
		w := c.peers.Join()
		c.mu.Unlock()
		err := w.Wait(ctx)
		c.mu.Lock()
		c.peers.Leave(w, err)
		if err != nil {
			return fmt.Errorf("socket: wait for %d peers, have %d: %w", n, c.up, err)
		}
	}
	return nil
}

// sendable checks what Send is given.
func (c *core) sendable(m Msg) error {
	lim := &c.cfg.limits
	switch {
	case len(m.Frames) == 0:
		return ErrNoFrames
	case lim.MaxFrames > 0 && len(m.Frames) > lim.MaxFrames:
		return fmt.Errorf("%w: a message of %d frames, the limit is %d", ErrTooLarge, len(m.Frames), lim.MaxFrames)
	case lim.MaxMessage > 0 && int64(m.Size()) > lim.MaxMessage:
		return fmt.Errorf("%w: a message of %d bytes, the limit is %d", ErrTooLarge, m.Size(), lim.MaxMessage)
	}
	return nil
}

// each yields messages until ctx ends (as the error) or the socket closes (silently).
func (c *core) each(ctx context.Context, recv func(context.Context) (Msg, error)) iter.Seq2[Msg, error] {
	return each(ctx, recv)
}

func each[M any](ctx context.Context, recv func(context.Context) (M, error)) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		var none M
		for {
			m, err := recv(ctx)
			switch {
			case err == nil:
				if !yield(m, nil) {
					return
				}
				continue
			case !isClosed(err):
				yield(none, err)
			}
			return
		}
	}
}

// sendTo sends to one given peer.
func (c *core) sendTo(ctx context.Context, wait bool, p *Peer, m Msg) error {
	if err := c.sendable(m); err != nil {
		return opError("send", err)
	}
	if c.out.spooled != nil {
		return opError("send", errSpooledRoute)
	}
	l := c.linkTo(p)
	err := c.out.route(ctx, wait, func() *link { return l }, m, Block)
	if errors.Is(err, ErrPeerLost) {
		return &PeerError{Op: "send to", Peer: p, Err: ErrPeerLost}
	}
	return c.ended(ctx, "send", err)
}

// recv is Recv of the roles that hand out what is in the inbox as it is.
func (c *core) recv(ctx context.Context) (Msg, error) {
	if err := c.startStorage(); err != nil {
		return Msg{}, opError("recv", err)
	}
	m, err := c.reads.get(ctx, true, nil)
	return m, c.ended(ctx, "recv", err)
}

// startStorage begins to keep what is received, where the options say so. It is called by whoever comes first: Bind,
// Connect or who receives. It is small so that it is inlined in Recv.
func (c *core) startStorage() error {
	if c.disk == nil && c.in.taken == nil {
		return nil
	}
	return c.startStored()
}

func (c *core) startStored() error {
	if c.disk != nil {
		return c.disk.start()
	}
	return c.in.taken.start(c)
}

// next is Next of the same roles.
func (c *core) next(ctx context.Context) (*Delivery, error) {
	var d issued
	err := c.startStorage()
	var m Msg
	if err == nil {
		m, err = c.reads.get(ctx, true, &d)
	}
	if err != nil {
		return nil, c.ended(ctx, "next", err)
	}
	d.Msg = m
	return &d.Delivery, nil
}

// tryRecv is recv for a caller that does not wait.
func (c *core) tryRecv() (Msg, error) {
	if err := c.startStorage(); err != nil {
		return Msg{}, opError("recv", err)
	}
	m, err := c.reads.get(context.Background(), false, nil)
	if errors.Is(err, ErrWouldBlock) { // to look in vain allocates nothing
		return m, errNothingCame
	}
	return m, opError("recv", err)
}

// sendBalanced is Send of the roles whose messages go to one peer of many as they are.
func (c *core) sendBalanced(ctx context.Context, wait bool, m Msg) error {
	err := c.sendable(m)
	switch {
	case err != nil:
	case c.out.spooled != nil:
		err = c.out.spooled.send(ctx, wait, m)
	default:
		err = c.out.balance(ctx, wait, m)
	}
	return c.ended(ctx, "send", err)
}
