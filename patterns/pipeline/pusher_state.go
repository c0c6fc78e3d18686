package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// pusher is a Pusher behind its types: jobs are bodies here.
type pusher struct {
	cfg  pusherConfig
	id   [16]byte
	ends ends
	disk *disk // nil without a spool

	mu      sync.Mutex // guards what follows
	m       *dispatch.Machine[*entry]
	seq     uint64
	peers   map[dispatch.Worker]*peer
	last    dispatch.Worker            // the number given last
	known   map[string]dispatch.Worker // Yodel workers by their connection, also those that are gone
	timer   *time.Timer
	waiting []*waiter       // for room, the first come first
	idle    []chan struct{} // for something to be settled
	closing bool            // no new jobs
	closed  bool
	stats   counters
	dead    deadLetters
}

// An entry is what the machine keeps with a job.
type entry struct {
	receipt *Receipt
	typ     string // of the body
	body    []byte
	headers patterns.Headers
	pushed  time.Time
	reason  string // what was said of the last attempt
	maybe   bool   // an earlier life of the pusher may have given it out
	result  patterns.Raw
}

func newPusher(c pusherConfig) *pusher {
	p := &pusher{
		cfg: c, peers: make(map[dispatch.Worker]*peer), known: make(map[string]dispatch.Worker),
		m: dispatch.New[*entry](dispatch.Config{
			Lease: c.lease, MaxAttempts: c.attempts, MaxJobs: c.pending, MaxBytes: c.bytes,
		}),
	}
	rand.Read(p.id[:])
	if p.disk = newDisk(c.spool); p.disk != nil {
		p.id = c.spool.ID()
	}
	p.ends = newEnds(line.Pusher, p, c.commonConfig)
	return p
}

// step has something happen to the machine, and carries out what comes of it. The caller holds mu.
func (p *pusher) step(actions []dispatch.Action[*entry]) {
	settled := false
	for _, a := range actions {
		switch a.Kind {
		case dispatch.Assign:
			p.assign(a.Job, a.Worker)
		case dispatch.Settle:
			p.settle(a.Job, a.Outcome)
			settled = true
		case dispatch.Revoke:
			p.peers[a.Worker].tell(patterns.Head{Kind: patterns.KindCancel, Seq: a.Job.Seq})
		case dispatch.Again:
			p.stats.redelivered++
			if p.disk != nil {
				p.disk.note(a.Job.Seq, a.Job.Attempts)
			}
		}
	}
	if settled {
		p.room()
		for _, c := range p.idle {
			close(c)
		}
		p.idle = nil
	}
	p.schedule()
}

// schedule sets the timer to when the machine has something to do by itself. The caller holds mu.
func (p *pusher) schedule() {
	at, ok := p.m.Next()
	switch {
	case p.closed || !ok:
		if p.timer != nil {
			p.timer.Stop()
		}
	case p.timer == nil:
		p.timer = time.AfterFunc(max(time.Until(at), 0), p.tick)
	default:
		p.timer.Reset(max(time.Until(at), 0))
	}
}

func (p *pusher) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.step(p.m.Tick(time.Now()))
	}
}

// assign sends a job to a worker.
func (p *pusher) assign(j *dispatch.Job[*entry], w dispatch.Worker) {
	e := j.Value
	h := patterns.Head{
		Seq: j.Seq, Attempt: uint64(j.Attempts), Key: j.Key, Type: e.typ, Headers: e.headers,
	}
	if e.maybe {
		h.Attempt = max(h.Attempt, 1)
	}
	if p.disk != nil {
		p.disk.give(j.Seq)
	}
	if !j.Expires.IsZero() {
		h.Left = max(time.Until(j.Expires), time.Millisecond)
	}
	c := p.peers[w]
	c.job = j.Seq
	body := e.body
	if strings.HasPrefix(c.conn.Peer.Endpoint, "inproc:") { // what a receiver in this process gets is its own to change
		body = append([]byte(nil), body...)
	}
	c.send(h, body)
}

// settle tells the Receipt what became of a job.
func (p *pusher) settle(j *dispatch.Job[*entry], how dispatch.Outcome) {
	e := j.Value
	var err error
	switch how {
	case dispatch.Done:
		p.stats.done++
	case dispatch.Rejected:
		p.stats.rejected++
		err = ErrRejected
	case dispatch.TooOften:
		p.stats.tooOften++
		err = ErrTooOften
	case dispatch.Expired:
		p.stats.expired++
		err = ErrExpired
	case dispatch.Canceled:
		p.stats.canceled++
		err = ErrCanceled
	}
	var failed *JobError
	if err != nil {
		failed = &JobError{ID: ID{p.id, j.Seq}, Attempts: j.Attempts, Reason: e.reason, Err: err}
	}
	dead := failed != nil && how != dispatch.Canceled
	switch {
	case p.disk != nil && dead:
		p.disk.settle(j.Seq, epitaph(failed))
	case p.disk != nil:
		p.disk.settle(j.Seq, "")
	case dead:
		p.dead.add(j, failed)
	}
	p.disk.behind(func() {
		if failed != nil {
			e.receipt.settle(patterns.Raw{}, failed)
			return
		}
		e.receipt.settle(e.result, nil)
	})
}

// await waits for a channel without mu, which the caller holds.
func (p *pusher) await(ctx context.Context, c <-chan struct{}) error {
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shutdown refuses new jobs, waits until all are settled, or until ctx ends, and closes.
func (p *pusher) shutdown(ctx context.Context) error {
	p.mu.Lock()
	p.closing = true
	p.wakeAll()
	err := p.drained(ctx, ^uint64(0))
	p.mu.Unlock()
	if err == nil {
		err = p.ends.shutdown(ctx)
	}
	return opNil("shutdown", errors.Join(err, p.close()))
}

// drained waits until all jobs up to a number are settled. The caller holds mu.
func (p *pusher) drained(ctx context.Context, seq uint64) error {
	for {
		j := p.m.Oldest()
		if j == nil || j.Seq > seq {
			return p.written(ctx)
		}
		if p.closed {
			return socket.ErrClosed
		}
		c := make(chan struct{})
		p.idle = append(p.idle, c)
		if err := p.await(ctx, c); err != nil {
			return err
		}
	}
}

// written waits until all that was settled is on disk. The caller holds mu.
func (p *pusher) written(ctx context.Context) error {
	if p.disk == nil || !p.disk.dirty {
		return nil
	}
	c := make(chan struct{})
	p.disk.behind(func() { close(c) })
	return p.await(ctx, c)
}

// wakeAll frees all who wait. The caller holds mu.
func (p *pusher) wakeAll() {
	for _, w := range p.waiting {
		w.wake()
	}
	for _, c := range p.idle {
		close(c)
	}
	p.idle = nil
}

func (p *pusher) close() error {
	p.mu.Lock()
	was := p.closed
	p.closing, p.closed = true, true
	p.wakeAll()
	p.schedule()
	p.mu.Unlock()
	err := p.ends.close()
	p.disk.end()
	if was {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for j := range p.m.All() {
		e := &JobError{ID: ID{p.id, j.Seq}, Attempts: j.Attempts, Reason: j.Value.reason, Err: socket.ErrClosed}
		j.Value.receipt.settle(patterns.Raw{}, e)
	}
	return err
}
