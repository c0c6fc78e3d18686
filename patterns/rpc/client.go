package rpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/balance"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// A Client calls the methods of a service, which may have any number of replicas: each call goes to one of them. It
// has a DEALER for each endpoint. Services are a [Service] each, or plain REP, ROUTER and DEALER sockets. All methods
// may be called by any number of goroutines.
type Client struct {
	cfg    clientConfig
	codecs codecs
	dialer *line.Dialer
	born   time.Time
	work   sync.WaitGroup // lines that are being closed

	mu       sync.Mutex
	replicas map[*line.Line]*replica // those that have been up
	set      *balance.Set[*replica]
	budget   *balance.Budget
	trying   map[string]time.Time // endpoints whose first attempt is under way, and for how long a call waits for it
	served   bool                 // there has been a replica
	failure  error                // the last of an attempt to connect
	change   chan struct{}        // closed when a replica comes, or an attempt has failed
	lastID   uint32
	held     map[keyed]*holder
	ended    []heldUntil // in the order in which they were released
	counters counters
	stray    uint64
	waiting  int
	closed   bool
}

// NewClient returns a client that is not connected. It does no I/O.
func NewClient(opts ...ClientOption) *Client {
	cfg := clientConfigOf(opts)
	c := &Client{
		cfg:      cfg,
		codecs:   newCodecs(cfg.codecs),
		born:     time.Now(),
		replicas: make(map[*line.Line]*replica),
		set:      balance.New[*replica](rand.IntN),
		budget:   balance.NewBudget(cfg.budget),
		trying:   make(map[string]time.Time),
		change:   make(chan struct{}),
		held:     make(map[keyed]*holder),
		counters: make(counters),
	}
	c.dialer = line.NewDialer(line.Call, (*clientHandler)(c), cfg.dealer...)
	return c
}

// Connect adds a replica: it returns at once, and the client then keeps connecting to the endpoint until Disconnect or
// Close, as a socket does.
func (c *Client) Connect(endpoint string) error {
	c.expect(endpoint)
	if err := c.dialer.Connect(endpoint); err != nil {
		c.unexpect(endpoint)
		return fmt.Errorf("rpc: %w", err)
	}
	return nil
}

// ConnectNode is Connect that accepts some nodes only; see discovery.Connector.
func (c *Client) ConnectNode(endpoint string, accept func(node [16]byte) error) error {
	c.expect(endpoint)
	if err := c.dialer.ConnectNode(endpoint, accept); err != nil {
		c.unexpect(endpoint)
		return fmt.Errorf("rpc: %w", err)
	}
	return nil
}

// expect lets calls wait for an endpoint, unless it is known.
func (c *Client) expect(endpoint string) {
	if _, err := c.dialer.Line("connect", endpoint); err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trying[endpoint] = time.Now().Add(c.cfg.patience)
}

func (c *Client) unexpect(endpoint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.trying, endpoint)
	c.changed()
}

// Disconnect takes a replica away. It gets no new calls; those that are out there end first, and then the connection
// does. The error matches socket.ErrNoEndpoint if the client does not connect to the endpoint.
func (c *Client) Disconnect(endpoint string) error {
	l, err := c.dialer.Detach(endpoint)
	if err != nil {
		return fmt.Errorf("rpc: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.trying, l.Endpoint())
	c.changed()
	r := c.replicas[l]
	if r == nil {
		r = &replica{line: l}
		c.replicas[l] = r
	}
	r.retired = true
	c.set.Drain(r)
	c.retire(r)
	return nil
}

// retire ends the connection to a replica that was taken away, once it has no calls. mu is held.
func (c *Client) retire(r *replica) {
	if !r.retired || len(r.calls) > 0 || r.ending || c.closed {
		return
	}
	r.ending = true
	c.work.Go(func() {
		_ = r.line.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.set.Remove(r)
		delete(c.replicas, r.line)
	})
}

// WaitConnected waits until the connection to an endpoint is up, as that of a socket.
func (c *Client) WaitConnected(ctx context.Context, endpoint string) error {
	return c.dialer.WaitConnected(ctx, endpoint)
}

// WaitDisconnected waits until there is no connection to an endpoint, as that of a socket.
func (c *Client) WaitDisconnected(ctx context.Context, endpoint string) error {
	return c.dialer.WaitDisconnected(ctx, endpoint)
}

// WaitReplicas waits until at least n replicas take calls.
func (c *Client) WaitReplicas(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		usable, closed, change := c.set.Usable(), c.closed, c.change
		c.mu.Unlock()
		switch {
		case usable >= n:
			return nil
		case closed:
			return fmt.Errorf("rpc: wait for replicas: %w", socket.ErrClosed)
		case ctx.Err() != nil:
			return fmt.Errorf("rpc: wait for %d replicas, of which there are %d: %w", n, usable, context.Cause(ctx))
		}
		select {
		case <-change:
		case <-ctx.Done():
		}
	}
}

// Type returns "DEALER".
func (c *Client) Type() string { return "DEALER" }

// Stats returns what the client has done, and is doing.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Methods: c.counters.snapshot(), Queued: c.waiting, Stray: c.stray}
	for _, r := range c.replicas {
		s.Running += len(r.calls)
	}
	return s
}

// Sockets returns the DEALERs, for their events and figures. Nobody else must receive from them.
func (c *Client) Sockets() []*socket.Dealer { return c.dialer.Sockets() }

// Close ends all connections within a second, and all calls with an error that matches socket.ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.changed()
	c.mu.Unlock()
	err := c.dialer.Close()
	c.work.Wait()
	return err
}

// changed wakes those who wait for a replica. mu is held.
func (c *Client) changed() {
	close(c.change)
	c.change = make(chan struct{})
}
