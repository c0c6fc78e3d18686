package pubsub

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
	"github.com/yodel-mq/yodel/socket"
)

// Properties by which both sides know each other; see WIRE.md.
const (
	property      = "X-Yodel-Pattern"
	publisherIs   = "pub/1"
	subscriberIs  = "sub/1"
	newestVersion = 1
)

// A Publisher sends values of type T to all who have subscribed to a pattern that matches their subject. It is bound;
// subscribers connect to it, a [Subscriber], or a SUB or XSUB of any ZeroMQ library, which subscribes to prefixes.
//
//   - Each event is matched here, so that what nobody has subscribed to goes nowhere, and is encoded once for all.
//   - A subscriber that is too slow misses events, as soon as its queue is full; nobody else does, and Publish does not
//     wait. [WithXPub] with [socket.WithOverflow] changes that.
//   - Each gets what it gets in the order in which it was published.
//
// All methods may be called by any number of goroutines.
type Publisher[T any] struct {
	*publisher
}

// NewPublisher returns a Publisher that is not bound. It does no I/O.
func NewPublisher[T any](opts ...PublisherOption) *Publisher[T] {
	cfg := publisherConfig{
		codec: patterns.Msgpack(patterns.Limits{}), beat: defaultBeat, unacked: defaultUnacked, lease: defaultLease,
	}
	for _, o := range opts {
		if o != nil {
			o.publisher(&cfg)
		}
	}
	return &Publisher[T]{newPublisher(cfg)}
}

// Publish sends a value under a subject: 1 to 16 tokens with dots between them, at most 255 bytes. It waits, until
// ctx ends, only under the policy [socket.Block], for a group that has too much to do already (see [WithUnacked]),
// and for the disk (see [WithSpool]). After an error nobody gets the event but, maybe, durable subscribers. Headers
// of ctx go along (see [patterns.WithHeaders]). v may be changed afterwards. The error matches ErrSubject,
// socket.ErrTooLarge or socket.ErrClosed, or is what the codec says; that nobody is subscribed is no error.
func (p *Publisher[T]) Publish(ctx context.Context, subject string, v T) error {
	var h patterns.Head
	var body []byte
	if raw, ok := any(v).(patterns.Raw); ok {
		h.Type, body = raw.Type, append(body, raw.Data...)
	} else {
		var err error
		if body, err = p.cfg.codec.Append(nil, v); err != nil {
			return failed("publish", err)
		}
		h.Type = p.cfg.codec.Type()
	}
	return failed("publish", p.publish(ctx, subject, &h, body))
}

// publisher is a Publisher whatever the type of its values.
type publisher struct {
	sock *socket.XPub
	cfg  publisherConfig
	id   [16]byte // who counts

	starting sync.Once
	ending   sync.Once
	done     chan struct{} // closed when the goroutines are to end
	running  sync.WaitGroup
	wake     chan struct{} // for the clock

	// turn is held, by having put something into it, by who sends, so that events go out in the order of their numbers,
	// and by who changes who gets what. It comes before mu.
	turn chan struct{}
	to   []*socket.Peer // whom the message under way is for; of who has the turn

	mu      sync.Mutex
	remotes map[*socket.Peer]*remote
	tree    subject.Tree[*remote]
	foreign prefixes[*remote]
	matched []*remote // whom the event under way is for; of who has the turn
	round   uint64
	count   uint64        // of events that were published
	resting bool          // the clock is set for later than the next beat
	tick    time.Time     // for which the clock is set
	changed chan struct{} // closed, and another one made, when a subscription has come or gone, or somebody waits for room
	waiting int           // who waits for room
	numbers uint64        // of connections
	history history

	groups  map[groupKey]*group
	grouped subject.Tree[*group]
	sharing []*group // whom the event under way is for; of who has the turn
	workers dispatch.Worker

	durables *durables
}

func newPublisher(cfg publisherConfig) *publisher {
	p := &publisher{
		cfg:  cfg,
		done: make(chan struct{}), wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), changed: make(chan struct{}),
		remotes: make(map[*socket.Peer]*remote), groups: make(map[groupKey]*group), resting: true, history: cfg.history,
	}
	p.durables = newDurables()
	rand.Read(p.id[:])
	opts := append([]socket.XPubOption(nil), cfg.xpub...)
	p.sock = socket.NewXPub(append(opts,
		socket.WithManual(), socket.WithMetadata(property, publisherIs))...)
	return p
}

// Bind listens at an endpoint and returns the actual one; see [socket.Pub.Bind]. A publisher may be bound to several.
func (p *publisher) Bind(ctx context.Context, endpoint string) (actual string, err error) {
	if err := p.openSpool(); err != nil {
		return "", failed("bind", err)
	}
	p.starting.Do(func() {
		p.running.Go(p.receive)
		p.running.Go(p.clock)
	})
	actual, err = p.sock.Bind(ctx, endpoint)
	return actual, failed("bind", err)
}

// Endpoints returns what the publisher is bound to, sorted.
func (p *publisher) Endpoints() []string { return p.sock.Endpoints() }

// Type returns the type of the socket, "XPUB".
func (p *publisher) Type() string { return p.sock.Type() }

// Socket returns the socket below, for its events and its ledger, and to unbind it. It is not for sending.
func (p *publisher) Socket() socket.Socket { return p.sock }

// Shutdown closes the publisher once everything that was published is with the subscribers, or ctx ends, whose error it
// returns then; see [socket.Pub.Shutdown]. It does not wait for acknowledgements: what members of groups have not
// acknowledged, or nobody was given, is lost with the publisher; what is for durable subscriptions stays in the spool.
func (p *publisher) Shutdown(ctx context.Context) error {
	p.beatAll(ctx) // so that they know that this was all; what groups have not done is lost
	err := p.sock.Shutdown(ctx)
	p.end()
	return failed("shut down", err)
}

// Close closes the publisher within a second; what is queued has half a second to leave. It returns nil.
func (p *publisher) Close() error {
	err := p.sock.Close()
	p.end()
	return failed("close", err)
}

func (p *publisher) end() {
	p.starting.Do(func() {})
	p.ending.Do(func() {
		p.endDurables()
		close(p.done)
	})
	p.running.Wait()
	p.leaveSpool()
}

// take takes the turn.
func (p *publisher) take(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *publisher) give() { <-p.turn }

func (p *publisher) publish(ctx context.Context, name string, h *patterns.Head, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := subject.Check(name); err != nil {
		return err
	}
	if headers := patterns.HeadersFrom(ctx); len(headers) > 0 {
		h.Headers = headers
		if err := h.Validate(); err != nil {
			return err
		}
	}
	if p.cfg.time {
		h.Time = time.Now()
	}
	if p.cfg.origin {
		h.Origin = p.id
	}
	if err := p.store(ctx, name, h, body); err != nil {
		return err
	}
	if err := p.takeWithRoom(ctx, name); err != nil {
		return err
	}
	defer p.give()
	p.mu.Lock()
	p.count++
	h.Seq = p.count
	p.matched = p.audience(p.matched[:0], name)
	to := p.matched
	for _, r := range to {
		r.meant++
	}
	if len(to) > 0 {
		p.beatSoon()
	}
	p.mu.Unlock()
	err := p.sendTo(ctx, event(name, h, body), to)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil { // nobody has it
		for _, r := range to {
			r.meant--
		}
		return err
	}
	if p.history.keeps() || len(p.sharing) > 0 {
		e := &published{subject: name, head: *h, body: body, at: p.now()}
		p.history.add(e)
		p.share(p.sharing, e)
	}
	return nil
}

// takeWithRoom takes the turn once there is room for an event in all groups that it is for, which are in sharing then.
func (p *publisher) takeWithRoom(ctx context.Context, name string) error {
	for {
		if err := p.take(ctx); err != nil {
			return err
		}
		p.mu.Lock()
		p.sharing = p.grouped.Match(p.sharing[:0], name)
		if !p.full(p.sharing) {
			p.mu.Unlock()
			return nil
		}
		p.waiting++
		changed := p.changed
		p.mu.Unlock()
		p.give()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.done:
			err = socket.ErrClosed
		}
		p.mu.Lock()
		p.waiting--
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// event makes the message of an event.
func event(name string, h *patterns.Head, body []byte) socket.Msg {
	b := h.AppendTo(append(make([]byte, 0, len(name)+32), name...))
	return socket.NewMsg(b[:len(name):len(name)], b[len(name):], body)
}
