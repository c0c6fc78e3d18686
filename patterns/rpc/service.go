package rpc

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/gate"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/patterns/internal/once"
	"github.com/yodel-mq/yodel/socket"
)

// A Service answers calls of its methods, from Bind on until Serve ends. Its socket is a ROUTER; its callers are
// [Client]s, and plain REQ, DEALER and ROUTER sockets. All methods may be called by any number of goroutines.
type Service struct {
	cfg    serviceConfig
	id     string
	codecs codecs
	bound  *line.Bound
	served sync.WaitGroup // handlers, and what sends their replies

	mu       sync.Mutex
	methods  map[string]*method
	callers  map[*caller]bool
	memory   *once.Memory[keyed, *kept]
	lasting  map[*call]bool // those with keys whose handlers run, whatever becomes of their callers
	gate     *gate.Gate[*caller, *call]
	due      *time.Timer // when the gate wants to be asked
	counters counters
	stray    uint64
	refusals []refusal     // to be sent once the lock is released
	calls    int           // that are in the gate or run, and replies that are being sent
	draining bool          // refuse what is new
	closed   bool          // start nothing
	changed  chan struct{} // closed at each change that may end a drain
	over     chan struct{} // closed by Close
}

// NewService returns a service that has no methods and is not bound. It does no I/O.
func NewService(opts ...ServiceOption) *Service {
	cfg := serviceConfigOf(opts)
	s := &Service{
		cfg:      cfg,
		id:       newServiceID(),
		codecs:   newCodecs(cfg.codecs),
		methods:  make(map[string]*method),
		callers:  make(map[*caller]bool),
		memory:   newMemory(&cfg),
		lasting:  make(map[*call]bool),
		gate:     gate.New[*caller, *call](gate.Config{Limit: cfg.concurrency, Queue: cfg.queue, Wait: cfg.wait}),
		counters: make(counters),
		changed:  make(chan struct{}),
		over:     make(chan struct{}),
	}
	s.bound = line.NewBound(line.Service, (*serviceHandler)(s), identified(s.id, cfg.router)...)
	s.reserve()
	return s
}

// Bind listens at an endpoint and returns the actual one, as that of a socket. Methods should be there by then: a call
// of one that is not ends with the code unimplemented.
func (s *Service) Bind(ctx context.Context, endpoint string) (actual string, err error) {
	return s.bound.Bind(ctx, endpoint)
}

// Connect takes calls from the DEALER of a proxy, as that of a socket. Behind a proxy calls cannot be cancelled, only
// their deadlines end them, and there are no streams; unless both sockets of the proxy say that what belongs to one
// call goes to one service, which a proxy with affinity sees to (package socket/proxy), by
//
//	socket.WithMetadata("X-Yodel-Proxy", "affinity")
//
// All callers behind a proxy share what one may have at once. They are not told of a service that is lost there: a call
// ends by its deadline then, which a stream should have too.
func (s *Service) Connect(endpoint string) error { return s.bound.Connect(endpoint) }

// Endpoints lists the endpoints that the service is bound to.
func (s *Service) Endpoints() []string { return s.bound.Socket().Endpoints() }

// Type returns "ROUTER".
func (s *Service) Type() string { return s.bound.Socket().Type() }

// NodeID returns the id that the service shows to its peers; see discovery.Announceable.
func (s *Service) NodeID() [16]byte { return s.bound.Socket().NodeID() }

// Socket returns the socket, for its events and figures. Nobody else must receive from it.
func (s *Service) Socket() socket.Socket { return s.bound.Socket() }

// Stats returns what the service has done, and is doing.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Methods: s.counters.snapshot(), Stray: s.stray,
		Running: s.gate.Running(), Queued: s.gate.Queued(), Limit: s.gate.Limit(),
	}
}

// closePatience is how long Close waits for handlers that do not heed their context.
const closePatience = 500 * time.Millisecond

// Close ends all handlers' contexts and closes within a second. Callers find the service gone. To let calls end first,
// end the context of Serve.
func (s *Service) Close() error {
	s.mu.Lock()
	if !s.closed {
		close(s.over)
	}
	s.closed, s.draining = true, true
	for who := range s.callers {
		who.cancelAll(socket.ErrClosed)
	}
	for c := range s.lasting {
		c.cancel(socket.ErrClosed)
	}
	if s.due != nil {
		s.due.Stop()
	}
	s.mu.Unlock()
	err := s.bound.Close()
	ended := make(chan struct{})
	go func() {
		s.served.Wait()
		close(ended)
	}()
	late := time.NewTimer(closePatience)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		err = errors.Join(err, errors.New("rpc: closed while handlers run that do not heed their context"))
	}
	return err
}
