package socket

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// Connect checks endpoint and returns at once; the socket then keeps connecting to it, and connects again when the
// connection is lost, until Disconnect or Close. Whether and when it succeeds is told by events, WaitConnected and
// WaitPeers. To connect to the same endpoint again, however it is spelled, changes nothing. A relative ipc path is
// that of the working directory at this moment, whatever becomes of it later. The error matches transport.ErrAddress
// for an endpoint that is not well formed; what only an attempt can show, such as a name that nobody has, is told by
// events. [ConnectWith] takes options for this one endpoint.
func (c *core) Connect(endpoint string) error { return c.connect(endpoint, endpointConfig{}) }

func (c *core) connect(endpoint string, cfg endpointConfig) error {
	t, parsed, err := c.resolve(endpoint, transport.ForConnect)
	if err != nil {
		return &PeerError{Op: "connect", Endpoint: endpoint, Err: err}
	}
	parsed = canonical(t, parsed, transport.ForConnect)
	ctx, cancel := context.WithCancel(context.Background())
	ep := &endpointState{
		name: endpoint, key: parsed.String(), endpointConfig: cfg, cancel: cancel, endID: newEndID(),
	}
	c.mu.Lock()
	if c.closing || c.connected[ep.key] != nil {
		closing := c.closing
		c.mu.Unlock()
		cancel()
		if closing {
			return &PeerError{Op: "connect", Endpoint: endpoint, Err: ErrClosed}
		}
		return nil
	}
	c.connected[ep.key] = ep
	c.wg.Add(1)
	c.mu.Unlock()

	c.out.mu.Lock()
	c.out.connecting++
	c.out.spaceWaiters.WakeAll() // messages may wait for the first peer now
	c.out.mu.Unlock()
	pause := backoff{first: c.cfg.reconnect, limit: c.cfg.reconnectMax}
	go c.connectLoop(ctx, ep, t, parsed.Address, pause, true)
	return nil
}

// connectLoop keeps one connection up. Unless it is the first, an attempt has just been lost.
func (c *core) connectLoop(ctx context.Context, ep *endpointState, t transport.Transport, addr string,
	pause backoff, first bool,
) {
	defer c.wg.Done()
	replaced := false // another goroutine connects from now on; this one reads what is left
	again := func(lasted time.Duration) {
		if !c.cfg.connectOnce {
			replaced = true
			next := pause
			next.lasted(lasted)
			c.wg.Add(1)
			go c.connectLoop(ctx, ep, t, addr, next, false)
		}
	}
	for ; ctx.Err() == nil; first = true {
		if first {
			lasted := c.connectOnce(ctx, ep, t, addr, again)
			pause.lasted(lasted)
			if lasted > 0 && c.cfg.connectOnce {
				c.expire(ep)
				return
			}
		}
		if ctx.Err() != nil || replaced {
			return
		}
		d := pause.next()
		c.retry(ep, d)
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
}

// connectOnce makes one attempt and serves the connection until it is lost. It returns how long the connection
// lasted, zero without a handshake.
func (c *core) connectOnce(ctx context.Context, ep *endpointState, t transport.Transport, addr string,
	again func(lasted time.Duration),
) time.Duration {
	c.attempt(ep)
	c.events.add(Event{Kind: Connecting, Endpoint: ep.name})
	dial, cancel := ctx, context.CancelFunc(func() {})
	if c.cfg.connectTimeout > 0 {
		dial, cancel = context.WithTimeoutCause(ctx, c.cfg.connectTimeout, ErrTimeout)
	}
	conn, err := t.Dial(dial, addr)
	if err != nil && errors.Is(context.Cause(dial), ErrTimeout) {
		err = ErrTimeout
	}
	cancel()
	if err != nil {
		if ctx.Err() == nil {
			c.fail(ep, Event{Kind: ConnectFailed, Err: err})
		}
		return 0
	}
	c.mu.Lock()
	if ctx.Err() != nil {
		c.mu.Unlock()
		conn.Close()
		return 0
	}
	c.handshakes[conn] = struct{}{}
	c.mu.Unlock()
	c.events.add(Event{Kind: Connected, Endpoint: ep.name, Address: address(conn)})
	begin := c.now()
	lasted := func() time.Duration { return max(1, c.now()-begin) }
	if !c.runConn(ctx, ep, conn, func() { again(lasted()) }) {
		return 0
	}
	return lasted()
}

// WaitConnected waits until the connection to an endpoint, as it was given to Connect or spelled otherwise, is up:
// its handshake is done. With a context that has ended it tells at once whether it is. The error matches ErrNoEndpoint
// if the socket does not connect to the endpoint, or stops to meanwhile.
func (c *core) WaitConnected(ctx context.Context, endpoint string) error {
	return c.waitEndpoint(ctx, endpoint, true)
}

// WaitDisconnected waits until there is no connection to an endpoint given to Connect, as WaitConnected waits for one.
func (c *core) WaitDisconnected(ctx context.Context, endpoint string) error {
	return c.waitEndpoint(ctx, endpoint, false)
}

func (c *core) waitEndpoint(ctx context.Context, endpoint string, up bool) error {
	key := c.spelling(endpoint, transport.ForConnect)
	c.mu.Lock()
	defer c.mu.Unlock()
	ep := c.connectedTo(endpoint, key)
	if ep == nil {
		return &PeerError{Op: "wait for", Endpoint: endpoint, Err: ErrNoEndpoint}
	}
	for (ep.up > 0) != up {
		switch {
		case c.closing:
			return opError("wait for "+endpoint, ErrClosed)
		case up && c.connected[ep.key] != ep:
			return &PeerError{Op: "wait for", Endpoint: endpoint, Err: ErrNoEndpoint}
		case ctx.Err() != nil: // wait might see a wake-up first
			err := context.Cause(ctx)
			if up {
				err = &NoPeerError{Err: err, Endpoints: []EndpointStats{ep.stats()}}
			}
			return &PeerError{Op: "wait for", Endpoint: endpoint, Err: err}
		}
		w := c.peers.Join()
		c.mu.Unlock()
		err := w.Wait(ctx)
		c.mu.Lock()
		c.peers.Leave(w, err)
	}
	return nil
}

// Disconnect stops connecting to an endpoint, given as to Connect or spelled otherwise, and ends the connection to
// it. Messages queued for it go to other peers where the role allows that. The error matches ErrNoEndpoint if the
// socket does not connect there.
func (c *core) Disconnect(endpoint string) error {
	key := c.spelling(endpoint, transport.ForConnect)
	c.mu.Lock()
	ep := c.connectedTo(endpoint, key)
	if ep != nil {
		delete(c.connected, ep.key)
	}
	c.peers.WakeAll() // who waits for this connection
	c.mu.Unlock()
	if ep == nil {
		return &PeerError{Op: "disconnect", Endpoint: endpoint, Err: ErrNoEndpoint}
	}
	c.giveUp(ep)
	return nil
}

// expire ends what Connect began once the connection was lost, for WithoutReconnect.
func (c *core) expire(ep *endpointState) {
	c.mu.Lock()
	current := c.connected[ep.key] == ep
	if current {
		delete(c.connected, ep.key)
		c.peers.WakeAll()
	}
	c.mu.Unlock()
	if !current { // Disconnect was quicker
		return
	}
	c.giveUp(ep)
	o := &c.out
	o.mu.Lock()
	if o.connecting == 0 && !o.hasLive() && o.assigned == nil {
		o.dropBacklog(o.backlog.n, PeerGone)
		o.drained()
	}
	o.mu.Unlock()
}

// spend ends the time in which messages may wait for the peer at an endpoint. out.mu is held.
func (o *outbox) spend(ep *endpointState) {
	if !ep.spent {
		ep.spent = true
		o.connecting--
	}
}

func (c *core) giveUp(ep *endpointState) {
	ep.cancel()
	c.out.mu.Lock()
	c.out.spend(ep)
	c.out.mu.Unlock()
	c.dropLinks(ep)
	c.events.add(Event{Kind: Disconnected, Endpoint: ep.name})
}

// A backoff is the pause between attempts to connect: it doubles up to a limit, and each pause is drawn between half of
// it and all of it.
type backoff struct {
	first, limit, now time.Duration
	brief             bool // the last connection did not last
}

func (b *backoff) next() time.Duration {
	if b.now == 0 {
		b.now = b.first
	} else {
		b.now = min(2*b.now, b.limit)
	}
	return b.now/2 + rand.N(b.now/2+1)
}

// maxSettled bounds how long a connection must last to count as a success, which is as long as the longest pause.
const maxSettled = 5 * time.Second

// lasted lets the pauses start over after a connection that lasted so long, zero being none. One that is lost soon
// may do so once, for its peer may have been restarted; a peer that hangs up after each handshake must not be told
// everything anew at the shortest pause for ever.
func (b *backoff) lasted(d time.Duration) {
	switch {
	case d >= min(b.limit, maxSettled):
		b.brief = false
		b.reset()
	case d > 0 && !b.brief:
		b.brief = true
		b.reset()
	}
}

func (b *backoff) reset() { b.now = 0 }
