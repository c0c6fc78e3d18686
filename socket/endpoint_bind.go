package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// An endpointState is one address that a socket is bound to or connects to.
type endpointState struct {
	endpointConfig // of a connected one

	name   string // of a bound one, the actual endpoint
	key    string // of a connected one, the form that all spellings of its name share
	asked  string // what Bind was given
	bound  bool
	ln     transport.Listener // if bound
	cancel context.CancelFunc // ends the attempts to connect
	up     int                // links that have joined, guarded by core.mu
	spent  bool               // no peer is to be waited for any more, guarded by core.out.mu
	endID  endID              // of a connected one, by which its peer knows the socket, or tells it from its rivals
	record record             // of the attempts, guarded by core.mu
}

// Endpoints returns what the socket is bound to, sorted; nothing once it is closed. They are the actual endpoints
// that Bind returned, but for tcp on all addresses of the host, which is "tcp://*:5555" here, or "tcp://0.0.0.0:5555"
// for IPv4 alone: Bind returns what a peer on this host can connect to.
func (c *core) Endpoints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	var all []string
	for _, ep := range c.bound {
		all = append(all, ep.listening())
	}
	slices.Sort(all)
	return all
}

// listening is the endpoint with its wildcard, if it has one.
func (ep *endpointState) listening() string {
	ln, ok := ep.ln.(interface{ Addr() net.Addr })
	if !ok {
		return ep.name
	}
	at, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return ep.name
	}
	host := "*"
	if at.IP.To4() != nil {
		host = "0.0.0.0"
	}
	scheme, _, _ := strings.Cut(ep.name, "://")
	return scheme + "://" + host + ":" + strconv.Itoa(at.Port)
}

// Bind listens at endpoint and returns the actual one, to which a peer on this host can connect: a wildcard port or
// path is filled in, of a range of ports ("tcp://*:5000-5100") the first that is free, a wildcard host is the
// loopback address there, and a relative path is absolute. It returns once the address is bound; ctx bounds only
// that. A socket may be bound to many endpoints and connected to others. The error matches transport.ErrAddress for
// an endpoint that is not well formed, transport.ErrAddressInUse for one that is taken.
func (c *core) Bind(ctx context.Context, endpoint string) (actual string, err error) {
	defer func() {
		if err != nil {
			c.events.add(Event{Kind: BindFailed, Endpoint: endpoint, Err: err})
			err = &PeerError{Op: "bind", Endpoint: endpoint, Err: err}
		}
	}()
	t, ep, err := c.resolve(endpoint, transport.ForBind)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return "", err
	}
	ln, err := t.Listen(ctx, ep.Address)
	if err != nil {
		return "", err
	}
	actual = transport.Endpoint{Scheme: ep.Scheme, Address: ln.Address()}.String()
	return actual, c.listen(&endpointState{name: actual, asked: endpoint, bound: true, ln: ln})
}

// BindListener is Bind for a listener that exists already, such as one passed on by systemd or wrapped by the caller
// (libzmq ZMQ_USE_FD). The endpoint it returns is made of the listener's network and address, wildcards included, and
// names it to Unbind. The socket closes the listener.
func (c *core) BindListener(ln net.Listener) (endpoint string, err error) {
	scheme := ln.Addr().Network()
	if scheme == "unix" {
		scheme = "ipc"
	}
	endpoint = transport.Endpoint{Scheme: scheme, Address: ln.Addr().String()}.String()
	err = c.ready()
	if err == nil {
		err = c.listen(&endpointState{name: endpoint, asked: endpoint, bound: true, ln: givenListener{ln}})
	}
	if err != nil {
		ln.Close()
		c.events.add(Event{Kind: BindFailed, Endpoint: endpoint, Err: err})
		return "", &PeerError{Op: "bind", Endpoint: endpoint, Err: err}
	}
	return endpoint, nil
}

// givenListener is a listener that no transport made.
type givenListener struct{ net.Listener }

func (l givenListener) Address() string { return l.Addr().String() }

// listen begins to accept connections at an endpoint.
func (c *core) listen(e *endpointState) error {
	c.mu.Lock()
	if c.closing || c.bound[e.name] != nil {
		closing := c.closing
		c.mu.Unlock()
		e.ln.Close()
		if closing {
			return ErrClosed
		}
		return transport.ErrAddressInUse
	}
	c.bound[e.name] = e
	c.wg.Add(1)
	c.mu.Unlock()
	c.events.add(Event{Kind: Listening, Endpoint: e.name})
	go c.acceptLoop(e)
	return nil
}

// resolve finds the transport for an endpoint and checks what can be checked without I/O.
func (c *core) resolve(endpoint string, use transport.Use) (transport.Transport, transport.Endpoint, error) {
	if err := c.ready(); err != nil {
		return nil, transport.Endpoint{}, err
	}
	ep, err := transport.ParseEndpoint(endpoint)
	if err != nil {
		return nil, ep, err
	}
	t, ok := c.cfg.transports[ep.Scheme]
	if !ok {
		fix := "write tcp://, ipc:// or inproc://, or add one by WithTransport"
		if ep.Scheme == "tls" {
			fix = "add the one of package transport/mtls by WithTransport"
		}
		return nil, ep, &transport.AddressError{
			Endpoint: endpoint, Problem: fmt.Sprintf("no transport for %q", ep.Scheme+"://"), Fix: fix,
		}
	}
	return t, ep, t.Validate(ep.Address, use)
}

// An incoming is the handshake of an accepted connection.
type incoming struct {
	conn   net.Conn
	since  time.Duration
	cancel context.CancelFunc // ends it
}

// handshakeGrace is how long a handshake may take before it gives way to a newer one. When thousands come back at
// once, to end those that had just begun would only make them come again: of 10,000 dealers that came at once 9 in 10
// attempts were wasted, and it took twenty times as long.
const handshakeGrace = 100 * time.Millisecond

// awaitRoom waits, with too many handshakes under way, until one of them is over or the oldest has had its time.
func (c *core) awaitRoom() {
	for {
		c.mu.Lock()
		left := time.Duration(0)
		if len(c.incoming) >= c.cfg.limits.MaxHandshakes {
			left = c.incoming[0].since + handshakeGrace - c.now()
		}
		c.mu.Unlock()
		if left <= 0 {
			return
		}
		select {
		case <-c.shaken:
		case <-time.After(left):
		case <-c.done:
			return
		}
	}
}

// acceptLoop takes connections in until the listener is closed. It waits for none of them for longer than
// handshakeGrace.
func (c *core) acceptLoop(ep *endpointState) {
	defer c.wg.Done()
	pause := 5 * time.Millisecond
	for {
		conn, err := ep.ln.Accept()
		if err == nil {
			pause = 5 * time.Millisecond
			c.accepted(ep, conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		c.attempt(ep)
		c.fail(ep, Event{Kind: AcceptFailed, Err: err, Retry: pause})
		select {
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		case <-c.done:
			return
		}
	}
}

// accepted starts the handshake with a connection that came in. When too many are under way the oldest gives way. One
// that is over another limit is turned away before it waits for that.
func (c *core) accepted(ep *endpointState, conn net.Conn) {
	c.attempt(ep)
	from, err := c.takeIn(conn)
	if err != nil {
		at := address(conn)
		conn.Close()
		c.fail(ep, Event{Kind: HandshakeFailed, Address: at, Err: err})
		return
	}
	c.awaitRoom()
	c.mu.Lock()
	if c.closing || c.bound[ep.name] != ep {
		c.mu.Unlock()
		conn.Close()
		c.exit(from)
		return
	}
	var evicted incoming
	if len(c.incoming) >= c.cfg.limits.MaxHandshakes {
		evicted = c.incoming[0]
		c.incoming = slices.Delete(c.incoming, 0, 1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.incoming = append(c.incoming, incoming{conn, c.now(), cancel})
	c.handshakes[conn] = struct{}{}
	c.wg.Add(1)
	c.mu.Unlock()
	if evicted.conn != nil {
		evicted.cancel() // it may be waiting for an authenticator
		evicted.conn.Close()
	}
	c.events.add(Event{Kind: Accepted, Endpoint: ep.name, Address: address(conn)})
	go func() {
		defer c.wg.Done()
		defer cancel()
		defer c.exit(from)
		c.runConn(ctx, ep, conn, nil)
	}()
}

// takeIn counts a connection that came in by its address, unless it is over a limit.
func (c *core) takeIn(conn net.Conn) (*fromAddress, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crowded() {
		return nil, ErrTooManyPeers
	}
	return c.enter(conn)
}

// crowded reports whether no peer may come in any more. mu is held.
func (c *core) crowded() bool {
	limit := c.cfg.limits.MaxPeers
	return limit > 0 && c.taken >= limit
}

// Unbind stops listening at an endpoint and ends the connections that came in there. It may be given as it was bound,
// also with the actual port in place of a wildcard or a range, as Bind or Endpoints returned it, by the name of the
// interface that has its address, or spelled otherwise; a name that fits several endpoints is the first one's in
// alphabetical order. Messages queued for its connections go to other peers where the role allows that. The error
// matches ErrNoEndpoint if there is no such endpoint; otherwise it is that of closing the listener, which is out of use
// all the same.
func (c *core) Unbind(endpoint string) error {
	ep := c.boundAt(endpoint)
	c.mu.Lock()
	if ep == nil || c.bound[ep.name] != ep {
		c.mu.Unlock()
		return &PeerError{Op: "unbind", Endpoint: endpoint, Err: ErrNoEndpoint}
	}
	delete(c.bound, ep.name)
	c.mu.Unlock()
	err := ep.ln.Close()
	c.dropLinks(ep)
	c.events.add(Event{Kind: Unbound, Endpoint: ep.name, Err: err})
	if err != nil {
		return &PeerError{Op: "unbind", Endpoint: endpoint, Err: err}
	}
	return nil
}

// dropLinks ends the connections of one endpoint.
func (c *core) dropLinks(ep *endpointState) {
	c.mu.Lock()
	var links []*link
	for l := range c.links {
		if l.ep == ep {
			links = append(links, l)
		}
	}
	c.mu.Unlock()
	for _, l := range links {
		l.closeGracefully()
	}
}

func address(conn net.Conn) string {
	if a := conn.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}
