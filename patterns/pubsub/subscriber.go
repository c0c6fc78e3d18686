package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
	"github.com/yodel-mq/yodel/socket"
)

// A Subscriber receives what publishers publish under the subjects that it has subscribed to, decoded into values of
// type T. It connects to any number of publishers, each a [Publisher], or a PUB or XPUB of any ZeroMQ library; what
// they publish is merged, each publisher's in its order.
//
// What comes is received by [Subscriber.Events]. Some events wait here, and the publisher holds back others, while they
// are not asked for; a publisher drops, and counts, what it has no room for. A subscriber that gets events from a
// [Publisher] is told how many it has missed: see [Event.Missed].
//
// All methods may be called by any number of goroutines.
type Subscriber[T any] struct {
	*subscriber
}

// An Event is what was published, and how it came.
type Event[T any] struct {
	// Subject is what it was published under: of a foreign publisher its topic, whatever that is.
	Subject string
	// Value is what was published.
	Value T
	// Headers are those of the publisher's context, nil if there were none.
	Headers patterns.Headers
	// Time is when it was published, to the millisecond; zero unless the publisher says so, see [WithTime].
	Time time.Time
	// From is who sent it. Behind a proxy that is the proxy.
	From *socket.Peer
	// Seq is the publisher's count of all that it published, also for others; 0 from a foreign publisher.
	Seq uint64
	// Attempt is how often it was given to somebody before, of a group.
	Attempt int
	// Replay tells that it was published before the subscription was made.
	Replay bool
	// Missed is how many events of the same connection did not come, as was found out since the one before; they may
	// have been a little older than that. -1 means that nobody knows. It is 0 behind a proxy and from foreign
	// publishers, which tell nothing.
	Missed int
}

// Stats counts, from the beginning.
type Stats struct {
	// Received: events that came, of whatever use.
	Received uint64
	// Missed: events that did not come, as far as is known.
	Missed uint64
	// Filtered: came, but no pattern matches them. Foreign publishers know only prefixes, and a proxy sends what others
	// have subscribed to as well.
	Filtered uint64
	// Duplicates: came again, and were left out.
	Duplicates uint64
	// Late: came from a connection that is over, behind what its successor had brought already, and were left out.
	Late uint64
	// Undecodable: came, but the head or the body is not what it should be. They were left out.
	Undecodable uint64
}

// NewSubscriber returns a Subscriber that is not connected. It does no I/O.
func NewSubscriber[T any](opts ...SubscriberOption) *Subscriber[T] {
	cfg := subscriberConfig{codec: patterns.Msgpack(patterns.Limits{})}
	for _, o := range opts {
		if o != nil {
			o.subscriber(&cfg)
		}
	}
	return &Subscriber[T]{newSubscriber(cfg)}
}

// subscriber is a Subscriber whatever the type of its values.
type subscriber struct {
	cfg subscriberConfig

	mu       sync.Mutex
	lines    map[string]*line // by endpoint, as it was given
	requests []request
	tree     subject.Tree[struct{}] // of the patterns of plain requests
	closed   bool

	running sync.WaitGroup
	done    chan struct{} // closed by Close
	parcels chan []parcel // from the lines

	reading  atomic.Bool // there is a loop over Events, or Handle
	handling atomic.Bool // it is Handle
	rest     []parcel    // of the last from parcels; of who reads
	unsaid   []giver     // with something settled since the last flush; of who reads

	replays   atomic.Bool // something is replayed when a connection was lost
	reminding sync.Once

	received, missed, filtered, duplicates, undecodable, late atomic.Uint64
}

func newSubscriber(cfg subscriberConfig) *subscriber {
	return &subscriber{
		cfg: cfg, lines: make(map[string]*line), done: make(chan struct{}), parcels: make(chan []parcel),
	}
}

// Connect checks an endpoint and returns at once; the subscriber then keeps connecting to it until Disconnect or Close,
// and subscribes anew whenever it is connected. To connect to the same endpoint again changes nothing.
func (s *subscriber) Connect(endpoint string) error {
	return s.connect(endpoint, func(x *socket.XSub) error { return x.Connect(endpoint) })
}

// ConnectNode is Connect for an endpoint at which somebody else may come to listen: see [socket.Sub.ConnectNode].
func (s *subscriber) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	return s.connect(endpoint, func(x *socket.XSub) error { return x.ConnectNode(endpoint, accept) })
}

func (s *subscriber) connect(endpoint string, how func(*socket.XSub) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return failed("connect", socket.ErrClosed)
	}
	if s.line(endpoint) != nil {
		return nil
	}
	l := s.newLine(endpoint)
	for i := range s.requests {
		if err := l.subscribe(&s.requests[i]); err != nil {
			_ = l.sock.Close()
			return failed("connect", err)
		}
	}
	if err := how(l.sock); err != nil {
		_ = l.sock.Close()
		return failed("connect", err)
	}
	s.lines[endpoint] = l
	s.running.Go(l.read)
	return nil
}

// line returns the line to an endpoint, however that is spelled, nil if there is none. mu is held.
func (s *subscriber) line(endpoint string) *line {
	if l := s.lines[endpoint]; l != nil {
		return l
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, l := range s.lines { // the sockets know about spelling
		if err := l.sock.WaitConnected(over, endpoint); !errors.Is(err, socket.ErrNoEndpoint) {
			return l
		}
	}
	return nil
}

// Disconnect stops connecting to an endpoint, given as to Connect. What had come by then is received still. The error
// matches socket.ErrNoEndpoint if there is no such endpoint.
func (s *subscriber) Disconnect(endpoint string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.line(endpoint)
	if l == nil {
		return failed("disconnect", fmt.Errorf("%w: %s", socket.ErrNoEndpoint, endpoint))
	}
	delete(s.lines, l.endpoint)
	err := l.sock.Disconnect(endpoint)
	s.running.Go(l.leave)
	return failed("disconnect", err)
}

// WaitConnected waits until the connection to an endpoint given to Connect is up; see [socket.Sub.WaitConnected].
func (s *subscriber) WaitConnected(ctx context.Context, endpoint string) error {
	return s.wait(ctx, endpoint, (*socket.XSub).WaitConnected)
}

// WaitDisconnected waits until there is no connection to an endpoint given to Connect.
func (s *subscriber) WaitDisconnected(ctx context.Context, endpoint string) error {
	return s.wait(ctx, endpoint, (*socket.XSub).WaitDisconnected)
}

func (s *subscriber) wait(ctx context.Context, endpoint string,
	until func(*socket.XSub, context.Context, string) error,
) error {
	s.mu.Lock()
	l := s.line(endpoint)
	s.mu.Unlock()
	if l == nil {
		return failed("wait", fmt.Errorf("%w: %s", socket.ErrNoEndpoint, endpoint))
	}
	return failed("wait", until(l.sock, ctx, endpoint))
}

// Type returns the type of the sockets, "XSUB".
func (s *subscriber) Type() string { return "XSUB" }

// Subscribe asks every publisher, now and later, for events whose subject matches a pattern: a subject in which a token
// may be "*", for any one token, and the last may be ">", for one or more, or "#", for any number, also none. It does
// not wait for them to hear of it; see [Publisher.WaitSubscribers]. To subscribe to the same again does nothing.
// Several subscriptions may match an event, which comes once. The error matches ErrPattern, or socket.ErrClosed.
func (s *subscriber) Subscribe(pattern string, opts ...SubscribeOption) error {
	r := request{pattern: pattern}
	for _, o := range opts {
		if o != nil {
			o.subscribe(&r)
		}
	}
	if err := subject.CheckPattern(pattern); err != nil {
		return failed("subscribe", err)
	}
	if err := r.check(); err != nil {
		return failed("subscribe", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return failed("subscribe", socket.ErrClosed)
	}
	if slices.Contains(s.requests, r) {
		return nil
	}
	if r.plain() {
		if _, err := s.tree.Add(pattern, struct{}{}); err != nil {
			return failed("subscribe", err)
		}
	}
	s.requests = append(s.requests, r)
	if r.hold {
		s.replays.Store(true)
	}
	for _, l := range s.lines {
		if err := l.subscribe(&r); err != nil {
			return failed("subscribe", err)
		}
	}
	return nil
}

// Unsubscribe ends all subscriptions to a pattern, whatever their options. The error matches ErrNotSubscribed if there
// is none. Events that have come already are received still.
func (s *subscriber) Unsubscribe(pattern string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return failed("unsubscribe", socket.ErrClosed)
	}
	kept := s.requests[:0:0]
	for _, r := range s.requests {
		if r.pattern != pattern {
			kept = append(kept, r)
			continue
		}
		for _, l := range s.lines {
			l.unsubscribe(&r)
			delete(l.streams, groupKey{r.durable, r.pattern})
		}
	}
	if len(kept) == len(s.requests) {
		return failed("unsubscribe", fmt.Errorf("%w: %q", ErrNotSubscribed, pattern))
	}
	s.requests = kept
	s.tree.Remove(pattern, struct{}{})
	return nil
}

// wanted tells whether a pattern of ours matches.
func (s *subscriber) wanted(subject string) bool {
	var one [1]struct{}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tree.Match(one[:0], subject)) > 0
}

// Sockets returns the sockets, one for each endpoint, for their events and figures. Nobody else must receive from them.
func (s *subscriber) Sockets() []*socket.XSub {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*socket.XSub, 0, len(s.lines))
	for _, l := range s.lines {
		all = append(all, l.sock)
	}
	return all
}

// Stats counts what came, and what did not.
func (s *subscriber) Stats() Stats {
	return Stats{
		Received: s.received.Load(), Missed: s.missed.Load(), Filtered: s.filtered.Load(),
		Duplicates: s.duplicates.Load(), Late: s.late.Load(), Undecodable: s.undecodable.Load(),
	}
}

// Close ends all connections and loops over Events, within a second. What was not received is lost. It returns nil.
func (s *subscriber) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	lines := s.lines
	s.lines = nil
	s.mu.Unlock()
	for _, l := range lines {
		s.running.Go(l.close) // side by side
	}
	s.running.Wait()
	return nil
}
