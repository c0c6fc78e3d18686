package proxy

import (
	"context"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// A Control pauses and watches a running proxy; see [WithControl]. The zero value is ready; it must not be copied. Its
// methods may be called by any number of goroutines.
type Control struct {
	forth, back counter

	mu      sync.Mutex
	resumed chan struct{} // not nil while paused
}

// Pause stops forwarding: nothing that was received after it returned goes on, but for one message in each direction
// nothing more is received either, and senders feel it as backpressure. To pause twice is to pause once.
func (c *Control) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed == nil {
		c.resumed = make(chan struct{})
	}
}

// Resume goes on forwarding.
func (c *Control) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed != nil {
		close(c.resumed)
		c.resumed = nil
	}
}

// wait waits while the proxy is paused.
func (c *Control) wait(ctx context.Context) {
	c.mu.Lock()
	resumed := c.resumed
	c.mu.Unlock()
	if resumed == nil {
		return
	}
	select {
	case <-resumed:
	case <-ctx.Done():
	}
}

// Stats returns the counts so far.
func (c *Control) Stats() Stats {
	return Stats{c.forth.snapshot(), c.back.snapshot()}
}

// Stats counts what a proxy has forwarded since it began.
type Stats struct {
	// Forth is from the frontend to the backend, Back the other way.
	Forth, Back Counts
}

// Counts counts one direction: what was received is forwarded, dropped, or in hand (one message at most).
type Counts struct {
	// Received from one socket, and Forwarded: accepted by the other.
	Received, Forwarded socket.Count
	// Dropped had no peer to go to, was over a limit of the other socket, or could not be sent before the end.
	Dropped socket.Count
	// Uncaptured of those had no copy sent by [WithCapture], which refused it or had no room before the end.
	Uncaptured socket.Count
}

// A counter is the Counts of one direction while the proxy runs.
type counter struct {
	mu     sync.Mutex
	counts Counts
}

// add counts a message in one of the counter's own counts.
func (c *counter) add(to *socket.Count, m socket.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to.Messages++
	to.Bytes += uint64(m.Size())
}

func (c *counter) snapshot() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}
