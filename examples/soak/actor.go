package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// An actor is a member at work: its socket, the goroutines that send and receive on it, and what it has to report.
type actor struct {
	member
	key      key
	scenario int
	w        *worker
	sock     socket.Socket
	rand     *rand.Rand // of the goroutine that sends

	quietOnce sync.Once
	stop      chan struct{} // closed: send no more
	ending    atomic.Bool
	sending   sync.WaitGroup
	receiving sync.WaitGroup
	watching  sync.WaitGroup
	unwatch   context.CancelFunc
	stopProxy context.CancelFunc // nil: no proxy

	flushing sync.Mutex // held from taking what is to be reported until it is

	mu      sync.Mutex
	paused  time.Time // receive nothing until then
	lanes   map[int]*lane
	conns   map[*socket.Peer]*incoming
	other   uint64
	answers uint64
	asked   asked
}

// A lane is what was sent on one stream and not reported yet.
type lane struct {
	last    uint64
	refused runs
	dirty   bool
}

// An incoming is what came on one connection and was not reported yet.
type incoming struct {
	id  int
	got map[stream]runs
}

// newActor makes the socket of a member.
func newActor(ctx context.Context, w *worker, c command) (*actor, error) {
	s, err := c.Member.newSocket(c.Key)
	if err != nil {
		return nil, err
	}
	a := &actor{
		member: *c.Member, key: c.Key, scenario: c.Scenario, w: w, sock: s,
		rand:  rand.New(rand.NewPCG(c.Seed, uint64(c.Key.Member)<<8|uint64(c.Key.Life))),
		stop:  make(chan struct{}),
		lanes: make(map[int]*lane),
		conns: make(map[*socket.Peer]*incoming),
	}
	ctx, a.unwatch = context.WithCancel(ctx)
	a.watching.Go(func() { a.followEvents(ctx) })
	a.watching.Go(func() { a.keepReporting(ctx) })
	return a, nil
}

// followEvents reports the connections as they come and go.
func (a *actor) followEvents(ctx context.Context) {
	for e := range a.sock.Events(ctx) {
		switch e.Kind {
		case socket.PeerUp:
			a.report(report{Says: saysUp, Conn: a.incoming(e.Peer).id, Peer: whose(e.Peer), At: e.Time})
		case socket.PeerDown, socket.ProtocolError, socket.LimitHit:
			r := report{Says: saysDown, Conn: a.incoming(e.Peer).id, Peer: whose(e.Peer), At: e.Time}
			r.Ending, r.Sent = a.ending.Load(), a.lasts()
			if e.Err != nil {
				r.Text = e.Err.Error()
				r.Clean = errors.Is(e.Err, socket.ErrDisconnected) || errors.Is(e.Err, io.EOF)
				r.Silent = errors.Is(e.Err, socket.ErrHeartbeat)
			}
			a.report(r)
		case socket.Missed:
			a.fault(stuck, fmt.Errorf("missed %d events", e.Count))
		default: // what led to these
		}
	}
}

// keepReporting reports what was sent and received, and looks at the ledger.
func (a *actor) keepReporting(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var named report
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.flush()
			st := a.sock.Stats() // of that moment or later: it names whatever has gone of what was reported as sent
			if err := st.Check(); err != nil {
				a.fault(unnamed, err)
			}
			l := ledgerOf(st.Ledger)
			now := report{Says: saysNamed, Last: total(l.Dropped), Other: total(l.Discarded)}
			if now.Last != named.Last || now.Other != named.Other {
				named = now
				a.report(now)
			}
		}
	}
}

// incoming is the record of a connection.
func (a *actor) incoming(p *socket.Peer) *incoming {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.incomingLocked(p)
}

func (a *actor) incomingLocked(p *socket.Peer) *incoming {
	in := a.conns[p]
	if in == nil {
		in = &incoming{id: len(a.conns), got: make(map[stream]runs)}
		a.conns[p] = in
	}
	return in
}

// whose is the member at the other end, zero if it is none.
func whose(p *socket.Peer) (k key) {
	if p != nil && k.UnmarshalText([]byte(p.Metadata[metaKey])) != nil {
		return key{}
	}
	return k
}

// lasts is how far the lanes are.
func (a *actor) lasts() map[int]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[int]uint64)
	for n, l := range a.lanes {
		out[n] = l.last
	}
	return out
}

// flush reports what was sent and received since the last time. One caller at a time does, or what one has taken later
// could be reported before what another has taken earlier.
func (a *actor) flush() {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	var rs []report
	a.mu.Lock()
	for n, l := range a.lanes {
		if l.dirty {
			rs = append(rs, report{Says: saysSent, Stream: stream{a.key, n}, Last: l.last, Runs: l.refused})
			l.refused, l.dirty = nil, false
		}
	}
	for _, in := range a.conns {
		for id, got := range in.got {
			rs = append(rs, report{Says: saysGot, Conn: in.id, Stream: id, Runs: got})
			delete(in.got, id)
		}
	}
	a.mu.Unlock()
	for _, r := range rs {
		a.report(r)
	}
}

func (a *actor) report(r report) {
	r.Key = a.key
	a.w.say(r)
}

// fault reports what must not be.
func (a *actor) fault(column string, err error) {
	a.report(report{Says: saysFault, Column: column, Text: fmt.Sprintf("%s %s: %v", a.Role, a.key, err)})
}

// quiet stops sending and waits until it has stopped. A proxy goes on.
func (a *actor) quiet() {
	a.quietOnce.Do(func() { close(a.stop) })
	a.sending.Wait()
	a.flush()
	for _, p := range a.sock.Stats().Peers {
		n := p.Accepted.Messages - total(ledgerOf(p.Ledger).Dropped)
		a.report(report{Says: saysFor, Conn: a.incoming(p.Peer).id, Last: n})
	}
}

// end shuts the socket down, or closes it, and reports its last ledger.
func (a *actor) end(ctx context.Context, c command) error {
	a.quiet()
	if a.stopProxy != nil {
		a.stopProxy()
		a.receiving.Wait()
	}
	a.ending.Store(true)
	var err error
	began := time.Now()
	if c.Close {
		err = a.sock.Close()
	} else {
		within, cancel := context.WithTimeout(ctx, c.For)
		err = a.sock.Shutdown(within)
		cancel()
	}
	limit := grace
	if !c.Close {
		limit += c.For
	}
	if took := time.Since(began); took > limit {
		a.fault(stuck, fmt.Errorf("it took %v to end", took.Round(time.Millisecond)))
	}
	a.receiving.Wait()
	a.watching.Go(func() {}) // the events end by themselves
	a.unwatch()
	a.watching.Wait()
	a.flush()
	st := a.sock.Stats()
	if err := st.Check(); err != nil {
		a.fault(unnamed, err)
	}
	if len(st.Peers) > 0 {
		a.fault(unnamed, fmt.Errorf("%d peers after its end", len(st.Peers)))
	}
	a.mu.Lock()
	r := report{Says: saysLedger, Ledger: ledgerOf(st.Ledger), Other: a.other, Answers: a.answers, Asked: &a.asked}
	a.mu.Unlock()
	a.report(r)
	return err
}

// grace is how much longer than its own limit a call may take on a machine that is busy with many processes.
const grace = 10 * time.Second

// close ends what is left when the worker ends.
func (a *actor) close() {
	a.quietOnce.Do(func() { close(a.stop) })
	a.unwatch()
	_ = a.sock.Close() // what matters was reported
	a.sending.Wait()
	a.receiving.Wait()
	a.watching.Wait()
}

// pause makes the socket receive nothing for a while.
func (a *actor) pause(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = time.Now().Add(d)
}

// awaitTurn waits while the actor is paused, and for the time that the work on one message takes.
func (a *actor) awaitTurn(ctx context.Context) {
	a.mu.Lock()
	wait := max(a.Delay, time.Until(a.paused))
	a.mu.Unlock()
	if wait <= 0 {
		return
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

// over: an error that says that the socket or the whole worker ends.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, socket.ErrClosed)
}
