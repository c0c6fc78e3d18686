package sockettest

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// faults is connections that break and peers that are killed: what may be lost, and what must not happen to the rest.
func faults() []behaviour {
	return []behaviour{
		{name: "cuts-lose-only-what-was-under-way", needs: []Capability{Cuts}, run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL")
			r := p.relay(pull.bind())
			push.connect(r.endpoint)
			cuts(p, push, pull, r)
			if s, ok := push.Socket.(Ledgered); ok {
				push.close()
				if l := s.Stats(); l.Accepted != l.Delivered {
					p.Errorf("accepted %v, delivered %v, dropped %v; a message that did not leave must wait for the next connection",
						l.Accepted, l.Delivered, l.Dropped)
				}
			}
		}},
		{name: "cuts-of-what-is-received", needs: []Capability{Cuts}, run: func(p *pairing) {
			pull, push := p.local("PULL"), p.remote("PUSH")
			r := p.relay(pull.bind())
			push.connect(r.endpoint)
			cuts(p, push, pull, r)
		}},
		{name: "cut-at-every-byte", needs: []Capability{Cuts}, run: func(p *pairing) {
			// Wherever in the greeting, the handshake or a message the connection ends, the next one works, and no
			// part of a message is taken for a whole one.
			pull, push := p.local("PULL"), p.remote("PUSH")
			at := pull.bind()
			r := p.relay(at)
			for n := range int64(40) {
				r.limits(n * 7)
			}
			push.connect(r.endpoint)
			var c Checker
			w := newWindow()
			p.abreast(func() {
				for w.take() {
					stamp := c.Stamp("push")
					push.send(stamp, stamp)
				}
			}, func() {
				defer w.close()
				until := p.soon()
				for seen := 0; seen < 100 || !r.unlimited(); {
					m, err := pull.take(moment / 8)
					if until.Err() != nil {
						p.Fatalf("nothing for %v, after %d messages: %v", p.patience, seen, err)
					}
					if err != nil { // whatever was under way went with a connection
						w.refill()
						continue
					}
					if len(m) != 2 || m[0] != m[1] {
						p.Fatalf("received %s, which is no whole message", show(m))
					}
					c.See("pull", m[0])
					w.give()
					seen++
					until = p.soon() // forty connections take their time on a busy machine
				}
			})
			if err := c.CheckUnordered(); err != nil {
				p.Error(err)
			}
		}},
		{name: "request-survives-a-cut", needs: []Capability{Cuts, CallContext}, run: func(p *pairing) {
			// No cut makes a requester hang: it has the reply or an error, and the next request is answered.
			req, rep := p.local("REQ", Options{Correlate: true}), p.remote("REP")
			r := p.relay(rep.bind())
			req.connect(r.endpoint)
			const rounds = 20
			stop := make(chan struct{})
			p.abreast(func() {
				for {
					if m, err := rep.take(moment / 4); err == nil {
						_ = rep.try(p.patience, m...) // the requester may have gone
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			}, func() {
				defer close(stop)
				for i := range rounds {
					req.send(fmt.Sprint(i))
					if i%3 == 1 {
						r.cut()
					}
					m, err := req.take(p.patience)
					switch {
					case p.soon().Err() != nil:
					case err == nil && m[0] != fmt.Sprint(i):
						p.Fatalf("request %d got the reply %s", i, show(m))
					case err != nil && i%3 == 0: // no cut in this round, nor in the one before
						p.Fatalf("request %d: %v", i, err)
					}
				}
			})
		}},
		{name: "receiver-killed", remote: []Capability{Killing}, run: func(p *pairing) {
			push, pull := p.local("PUSH"), p.remote("PULL", Options{Killable: true})
			at := pull.bind()
			push.connect(at)
			var c Checker
			const n, kills = 300, 3
			for round := range kills + 1 {
				w := newWindow()
				p.abreast(func() {
					for w.take() {
						push.send(c.Stamp("push"))
					}
				}, func() {
					defer w.close()
					for range n {
						c.See("b", w.recv(pull)[0])
					}
					if round < kills {
						pull.kill()
						w.refill()
						pull = p.remote("PULL", Options{Killable: true})
						pull.rebind(at)
						c.See("b", w.recv(pull)[0])
					}
				})
			}
			more := ended(p, push, pull, &c)
			if s, ok := push.Socket.(Ledgered); ok {
				push.close()
				l, sent := s.Stats(), uint64(c.Report().Sent+more)
				if l.Accepted.Messages != sent || l.Delivered.Messages != sent {
					p.Errorf("sent %d; accepted %v, delivered %v, dropped %v", sent, l.Accepted, l.Delivered, l.Dropped)
				}
			}
		}},
		{name: "sender-killed", needs: []Capability{PeerCount}, remote: []Capability{Killing}, run: func(p *pairing) {
			pull := p.local("PULL")
			at := pull.bind()
			var c Checker
			for range 3 {
				push := p.remote("PUSH", Options{Killable: true})
				push.connect(at)
				for range 100 {
					push.send(c.Stamp("push"), strings.Repeat("x", 1000))
				}
				for range 50 {
					c.See("b", pull.recv()[0])
				}
				push.kill()
				pull.peers(0)
				seeAll(p, pull, &c)
			}
			if err := c.CheckUnordered(); err != nil {
				p.Error(err)
			}
		}},
	}
}

// cuts sends a stream of stamped messages through a relay that breaks all connections now and then. What came must have
// come once and in order; what is missing was under way at a cut.
func cuts(p *pairing, from, to *end, r *relay) {
	p.Helper()
	const n, times = 200, 5
	var c Checker
	w := newWindow()
	p.abreast(func() {
		for w.take() {
			from.send(c.Stamp("a"), strings.Repeat("x", 500))
		}
	}, func() {
		defer w.close()
		for i := range times + 1 {
			for range n {
				c.See("b", w.recv(to)[0])
			}
			if i < times { // the last connection stays
				r.cut()
				w.refill()
			}
		}
	})
	ended(p, from, to, &c)
}

// A window keeps a sender from running far ahead of a receiver, whatever the kernel would hold.
type window struct {
	tokens chan struct{}
	closed chan struct{}
}

func newWindow() *window {
	w := &window{make(chan struct{}, 300), make(chan struct{})}
	w.refill()
	return w
}

// take waits until another message may be sent; false ends the sending.
func (w *window) take() bool {
	select {
	case <-w.closed:
		return false
	default:
	}
	select {
	case <-w.tokens:
		return true
	case <-w.closed:
		return false
	}
}

// give lets one more message be sent, for one that has come.
func (w *window) give() {
	select {
	case w.tokens <- struct{}{}:
	default:
	}
}

// refill gives for all that may have been lost.
func (w *window) refill() {
	for range cap(w.tokens) {
		w.give()
	}
}

// recv receives one message. When nothing comes, what was sent last may have gone with a connection that was already
// broken, and the sender may go on.
func (w *window) recv(e *end) []string {
	e.p.Helper()
	until := e.p.soon()
	for {
		m, err := e.take(moment)
		if err == nil {
			w.give()
			return m
		}
		if until.Err() != nil {
			e.p.Fatalf("%s: nothing comes any more: %v", e.who, err)
		}
		w.refill()
	}
}

func (w *window) close() { close(w.closed) }

// ended receives what is left of a stream and checks it. It returns how many messages it has sent to see the end: the
// first may have gone with a connection that was already broken.
func ended(p *pairing, from, to *end, c *Checker) (more int) {
	p.Helper()
	done := make(chan struct{})
	p.abreast(func() {
		tick := time.NewTicker(moment)
		defer tick.Stop()
		for {
			from.send("end")
			more++
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}, func() {
		defer close(done)
		for m := to.recv(); m[0] != "end"; m = to.recv() {
			c.See("b", m[0])
		}
	})
	if err := c.CheckUnordered(); err != nil {
		p.Error(err)
	}
	return more
}

// A relay passes bytes on between sockets, and breaks connections when told to.
type relay struct {
	p        *pairing
	endpoint string // to connect to instead of the target
	target   string
	ln       net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	plan   []int64 // after how many bytes from the connecting side each of the next connections breaks
	closed bool
}

// relay stands in for a bound endpoint; it listens on tcp whatever the transport of its target.
func (p *pairing) relay(target string) *relay {
	p.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		p.Fatal(err)
	}
	r := &relay{p: p, endpoint: "tcp://" + ln.Addr().String(), target: target, ln: ln, conns: make(map[net.Conn]struct{})}
	r.wg.Go(r.accept)
	p.Cleanup(func() {
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
		ln.Close()
		r.cut()
		r.wg.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		in, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.pass(in) })
	}
}

// pass joins one connection with one to the target until either ends.
func (r *relay) pass(in net.Conn) {
	defer in.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.p.Context()), r.p.patience)
	defer cancel()
	out, err := r.p.f.Dial(ctx, r.target)
	if err != nil {
		return // as a target that refuses
	}
	defer out.Close()
	limit := int64(-1)
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.conns[in], r.conns[out] = struct{}{}, struct{}{} // both: either may be stuck in a write
	if len(r.plan) > 0 {
		limit, r.plan = r.plan[0], r.plan[1:]
	}
	r.mu.Unlock()
	var from io.Reader = in
	if limit >= 0 {
		from = io.LimitReader(in, limit)
	}
	var wg sync.WaitGroup
	both := func(to io.Writer, from io.Reader) func() {
		return func() {
			_, _ = io.Copy(to, from)
			in.Close()
			out.Close()
		}
	}
	wg.Go(both(in, out))
	wg.Go(both(out, from))
	wg.Wait()
	r.mu.Lock()
	delete(r.conns, in)
	delete(r.conns, out)
	r.mu.Unlock()
}

// cut breaks all connections there are; what is under way is lost.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as of a machine that went away
		}
		c.Close()
	}
}

// limits has one of the next connections break after n bytes from the side that connects.
func (r *relay) limits(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan = append(r.plan, n)
}

// unlimited reports whether all such breaks have been.
func (r *relay) unlimited() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.plan) == 0
}
