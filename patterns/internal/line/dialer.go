package line

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// A Dialer is the side that connects: one DEALER for each endpoint. Its methods may be called by any number of
// goroutines, but for Handler's, where those that close must not be called.
type Dialer struct {
	pattern Pattern
	handler Handler
	opts    []socket.DealerOption

	mu     sync.Mutex
	lines  map[string]*Line // by their endpoints as they were given, those that are connected to
	open   map[*Line]bool   // those too that were detached
	closed bool
}

// A Line is one endpoint of a Dialer.
type Line struct {
	endpoint string
	dealer   *socket.Dealer
	reader   reader
	dialer   *Dialer
}

// NewDialer returns a Dialer that is not connected. It has neither sockets nor goroutines until it is.
func NewDialer(p Pattern, h Handler, opts ...socket.DealerOption) *Dialer {
	return &Dialer{
		pattern: p, handler: h, opts: append([]socket.DealerOption{p.Option()}, opts...),
		lines: make(map[string]*Line), open: make(map[*Line]bool),
	}
}

// Endpoint is what was given to Connect.
func (l *Line) Endpoint() string { return l.endpoint }

// Connect begins to connect to an endpoint, as that of a socket does. To connect to the same endpoint again, however
// it is spelled, changes nothing.
func (d *Dialer) Connect(endpoint string) error {
	return d.connect(endpoint, func(s *socket.Dealer) error { return s.Connect(endpoint) })
}

// ConnectNode is Connect that accepts some nodes only, as that of a socket does.
func (d *Dialer) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	return d.connect(endpoint, func(s *socket.Dealer) error { return s.ConnectNode(endpoint, accept) })
}

func (d *Dialer) connect(endpoint string, by func(*socket.Dealer) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return &socket.PeerError{Op: "connect", Endpoint: endpoint, Err: socket.ErrClosed}
	}
	if d.find(endpoint) != nil {
		return nil
	}
	l := &Line{endpoint: endpoint, dealer: socket.NewDealer(d.opts...), dialer: d}
	if err := by(l.dealer); err != nil {
		return errors.Join(err, l.dealer.Close())
	}
	l.reader = reader{socket: l.dealer, pattern: d.pattern, handler: d.handler, line: l}
	d.lines[endpoint], d.open[l] = l, true
	l.reader.start()
	return nil
}

// find returns the line to an endpoint, however that is spelled. mu is held.
func (d *Dialer) find(endpoint string) *Line {
	if l := d.lines[endpoint]; l != nil {
		return l
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, l := range d.lines { // the sockets know about spelling
		if err := l.dealer.WaitConnected(over, endpoint); !errors.Is(err, socket.ErrNoEndpoint) {
			return l
		}
	}
	return nil
}

// Line returns the line to an endpoint, and otherwise an error that matches socket.ErrNoEndpoint.
func (d *Dialer) Line(op, endpoint string) (*Line, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.find(endpoint); l != nil {
		return l, nil
	}
	return nil, &socket.PeerError{Op: op, Endpoint: endpoint, Err: socket.ErrNoEndpoint}
}

// WaitConnected waits until the connection to an endpoint is up, as that of a socket does.
func (d *Dialer) WaitConnected(ctx context.Context, endpoint string) error {
	l, err := d.Line("wait for", endpoint)
	if err != nil {
		return err
	}
	return l.dealer.WaitConnected(ctx, endpoint)
}

// WaitDisconnected waits until there is no connection to an endpoint, as that of a socket does.
func (d *Dialer) WaitDisconnected(ctx context.Context, endpoint string) error {
	l, err := d.Line("wait for", endpoint)
	if err != nil {
		return err
	}
	return l.dealer.WaitDisconnected(ctx, endpoint)
}

// Detach gives up an endpoint, whose connection lasts until Close of its line, or of the Dialer. The error matches
// socket.ErrNoEndpoint if there is no such endpoint.
func (d *Dialer) Detach(endpoint string) (*Line, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.find(endpoint)
	if l == nil {
		return nil, &socket.PeerError{Op: "disconnect", Endpoint: endpoint, Err: socket.ErrNoEndpoint}
	}
	delete(d.lines, l.endpoint)
	return l, nil
}

// Disconnect gives up an endpoint and ends its connection.
func (d *Dialer) Disconnect(endpoint string) error {
	l, err := d.Detach(endpoint)
	if err != nil {
		return err
	}
	return l.Close()
}

// Endpoints returns the endpoints that are connected to, sorted.
func (d *Dialer) Endpoints() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.lines))
}

// Sockets returns the sockets of all endpoints, in no order, from which nobody else must receive.
func (d *Dialer) Sockets() []*socket.Dealer {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*socket.Dealer, 0, len(d.open))
	for l := range d.open {
		all = append(all, l.dealer)
	}
	return all
}

// Close ends the connection within a second. It is over when Close returns.
func (l *Line) Close() error {
	err := l.dealer.Close()
	l.ended()
	return err
}

// Shutdown waits until all that was sent has reached the peer, or until ctx ends, and closes.
func (l *Line) Shutdown(ctx context.Context) error {
	err := l.dealer.Shutdown(ctx)
	l.ended()
	return err
}

func (l *Line) ended() {
	l.reader.wait()
	l.dialer.mu.Lock()
	defer l.dialer.mu.Unlock()
	delete(l.dialer.open, l)
	if l.dialer.lines[l.endpoint] == l {
		delete(l.dialer.lines, l.endpoint)
	}
}

// Shutdown does so with all endpoints at once.
func (d *Dialer) Shutdown(ctx context.Context) error {
	return d.end(func(l *Line) error { return l.Shutdown(ctx) })
}

// Close closes all endpoints, within a second. All connections are over when it returns, and no new ones begin.
func (d *Dialer) Close() error { return d.end((*Line).Close) }

func (d *Dialer) end(by func(*Line) error) error {
	d.mu.Lock()
	d.closed = true
	lines := slices.Collect(maps.Keys(d.open))
	d.mu.Unlock()
	errs := make([]error, len(lines))
	var work sync.WaitGroup
	for i, l := range lines {
		work.Go(func() { errs[i] = by(l) })
	}
	work.Wait()
	return errors.Join(errs...)
}
