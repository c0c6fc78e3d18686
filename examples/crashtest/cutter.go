package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A cutter stands between whoever connects and the one that is bound, forwards what they say to each other, and cuts
// their connections as it is told.
type cutter struct {
	ln   net.Listener
	done atomic.Int64 // cuts
	all  sync.WaitGroup

	mu     sync.Mutex // before a pair's
	target string
	closed bool
	pairs  []*pair // the oldest first
	fresh  []*cut  // for connections to come
	queue  []*cut  // for any connection, when there is none
}

// A pair is one connection through a cutter: two of them.
type pair struct {
	conns [2]net.Conn // who connected, and the one that is bound

	mu   sync.Mutex
	back int // the direction from the receiver to the sender, by the side that it comes from
	cut  *cut
	left int64
}

// newCutter listens.
func newCutter() (*cutter, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &cutter{ln: ln}, nil
}

// run forwards until close. The receiver is 0 if it connects, 1 if it is bound.
func (c *cutter) run(receiver int) {
	c.all.Go(func() {
		for {
			conn, err := c.ln.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.serve(conn, receiver) })
		}
	})
}

// endpoint is where to connect to.
func (c *cutter) endpoint() string { return "tcp://" + c.ln.Addr().String() }

// aim sets the address that new connections go to.
func (c *cutter) aim(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target = target
}

func (c *cutter) serve(conn net.Conn, receiver int) {
	defer conn.Close()
	c.mu.Lock()
	target := c.target
	c.mu.Unlock()
	d := net.Dialer{Timeout: 10 * time.Second}
	to, err := d.DialContext(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	defer to.Close()
	p := &pair{conns: [2]net.Conn{conn, to}, back: receiver}
	if !c.enter(p) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { c.copy(p, 0) })
	both.Go(func() { c.copy(p, 1) })
	both.Wait()
	c.leave(p)
}

// enter adds a pair, which the first cut that waits is for.
func (c *cutter) enter(p *pair) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.pairs = append(c.pairs, p)
	for _, q := range []*[]*cut{&c.fresh, &c.queue} {
		if len(*q) > 0 {
			p.arm((*q)[0])
			*q = (*q)[1:]
			break
		}
	}
	return true
}

// leave takes a pair away. A cut that it did not live to see is for another.
func (c *cutter) leave(p *pair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, o := range c.pairs {
		if o == p {
			c.pairs = append(c.pairs[:i], c.pairs[i+1:]...)
			break
		}
	}
	p.mu.Lock()
	cut := p.cut
	p.mu.Unlock()
	if cut != nil {
		c.place(cut)
	}
}

// add has a cut made.
func (c *cutter) add(cut *cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !cut.Fresh {
		c.place(cut)
		return
	}
	c.fresh = append(c.fresh, cut)
	for _, p := range c.pairs {
		p.end(cut.Reset)
	}
}

// pending counts the cuts that are still to be made.
func (c *cutter) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.fresh) + len(c.queue)
	for _, p := range c.pairs {
		p.mu.Lock()
		if p.cut != nil {
			n++
		}
		p.mu.Unlock()
	}
	return n
}

// place gives a cut to a pair that has none, or has it wait for one. c.mu is held.
func (c *cutter) place(cut *cut) {
	if !cut.Fresh {
		for _, p := range c.pairs {
			if p.arm(cut) {
				return
			}
		}
		c.queue = append(c.queue, cut)
		return
	}
	c.fresh = append(c.fresh, cut)
}

// arm gives the pair a cut, if it has none.
func (p *pair) arm(cut *cut) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut != nil {
		return false
	}
	p.cut, p.left = cut, cut.Bytes
	return true
}

// allow says how many of n bytes that came from a side may be forwarded, and the cut if it is due then.
func (p *pair) allow(from, n int) (int, *cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut == nil || p.cut.Back != (from == p.back) {
		return n, nil
	}
	if int64(n) < p.left {
		p.left -= int64(n)
		return n, nil
	}
	due := p.cut
	p.cut = nil
	return int(p.left), due
}

// copy forwards one direction until its end, which it forwards too.
func (c *cutter) copy(p *pair, from int) {
	to := p.conns[1-from]
	b := make([]byte, 64<<10)
	for {
		n, err := p.conns[from].Read(b)
		n, due := p.allow(from, n)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				p.end(true)
				return
			}
		}
		switch {
		case due != nil:
			c.done.Add(1)
			p.end(due.Reset)
			return
		case errors.Is(err, io.EOF):
			if w, ok := to.(*net.TCPConn); ok {
				_ = w.CloseWrite() // the other side may be gone
			}
			return
		case err != nil:
			p.end(true)
			return
		}
	}
}

// end ends both connections.
func (p *pair) end(reset bool) {
	for _, conn := range p.conns {
		if t, ok := conn.(*net.TCPConn); ok && reset {
			_ = t.SetLinger(0) // it may be closed
		}
		conn.Close()
	}
}

// close ends everything.
func (c *cutter) close() {
	c.ln.Close()
	c.mu.Lock()
	c.closed = true
	for _, p := range c.pairs {
		p.end(true)
	}
	c.mu.Unlock()
	c.all.Wait()
}
