package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// A relay stands between the members that connect and the one that is bound, and forwards what they say to each other,
// the end of a stream too. It can reset its connections, freeze them, and turn to another address.
type relay struct {
	ln      net.Listener
	network string
	closed  chan struct{}
	all     sync.WaitGroup

	mu     sync.Mutex
	target string
	pairs  map[*pair]struct{}
}

// A pair is one connection through a relay: two of them.
type pair struct {
	conns [2]net.Conn
	mu    sync.Mutex
	thaw  chan struct{} // not nil: frozen until it is closed
}

// newRelay listens, at a path for ipc.
func newRelay(network, path string) (*relay, error) {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = path
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	r := &relay{ln: ln, network: network, closed: make(chan struct{}), pairs: make(map[*pair]struct{})}
	r.all.Go(r.accept)
	return r, nil
}

// address is where the relay listens.
func (r *relay) address() string { return r.ln.Addr().String() }

// aim sets the address that new connections go to.
func (r *relay) aim(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

func (r *relay) accept() {
	for {
		c, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.all.Go(func() { r.serve(c) })
	}
}

func (r *relay) serve(c net.Conn) {
	defer c.Close()
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	d := net.Dialer{Timeout: grace}
	to, err := d.DialContext(context.Background(), r.network, target)
	if err != nil {
		return
	}
	defer to.Close()
	p := &pair{conns: [2]net.Conn{c, to}}
	r.mu.Lock()
	r.pairs[p] = struct{}{}
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(r.closed, 0, 1) })
	both.Go(func() { p.copy(r.closed, 1, 0) })
	both.Wait()
	r.mu.Lock()
	delete(r.pairs, p)
	r.mu.Unlock()
}

// copy forwards one direction until its end, which it forwards too.
func (p *pair) copy(closed <-chan struct{}, from, to int) {
	b := make([]byte, 32<<10)
	for {
		n, err := p.conns[from].Read(b)
		p.wait(closed)
		if n > 0 {
			if _, err := p.conns[to].Write(b[:n]); err != nil {
				p.reset()
				return
			}
		}
		if err == io.EOF { //nolint:errorlint // Read returns it as it is
			if w, ok := p.conns[to].(interface{ CloseWrite() error }); ok {
				_ = w.CloseWrite() // the other side may be gone
			}
			return
		}
		if err != nil {
			p.reset()
			return
		}
	}
}

// wait waits while the pair is frozen.
func (p *pair) wait(closed <-chan struct{}) {
	p.mu.Lock()
	thaw := p.thaw
	p.mu.Unlock()
	if thaw == nil {
		return
	}
	select {
	case <-thaw:
	case <-closed:
	}
}

// reset ends both connections, with a reset where the transport has one.
func (p *pair) reset() {
	for _, c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // it may be closed
		}
		c.Close()
	}
}

// current returns the pairs there are now.
func (r *relay) current() (ps []*pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.pairs {
		ps = append(ps, p)
	}
	return ps
}

// cut resets all connections.
func (r *relay) cut() {
	for _, p := range r.current() {
		p.reset()
	}
}

// stall freezes all connections, which look alive to both ends, and resets them after a while. New ones are forwarded.
func (r *relay) stall(d time.Duration) {
	thaw := make(chan struct{})
	ps := r.current()
	for _, p := range ps {
		p.mu.Lock()
		p.thaw = thaw
		p.mu.Unlock()
	}
	r.all.Go(func() {
		select {
		case <-time.After(d):
		case <-r.closed:
		}
		for _, p := range ps {
			p.reset()
		}
		close(thaw)
	})
}

// close ends everything.
func (r *relay) close() {
	close(r.closed)
	r.ln.Close()
	r.cut()
	r.all.Wait()
}
