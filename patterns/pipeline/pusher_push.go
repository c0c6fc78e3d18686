package pipeline

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/socket"
)

// Push accepts a job, waiting for room until ctx ends, and with a spool for the disk. Headers of ctx go along. The
// error matches ErrDuplicate if its Unique key is pending, context errors, socket.ErrClosed after Shutdown or Close,
// and patterns.ErrHead if a key or the headers are too long; errors of the codec and of the spool are as they are.
// After one that matches spool.ErrUncertain the job may be found by the next life of the pusher.
func (p *Pusher[T]) Push(ctx context.Context, job T, opts ...PushOption) (*Receipt, error) {
	rs, err := p.p.push(ctx, []any{job}, opts)
	if err != nil {
		return nil, opError("push", err)
	}
	return rs[0], nil
}

// PushAll accepts all of the jobs or, with an error, none; see Push. They have to fit into what may be pending.
func (p *Pusher[T]) PushAll(ctx context.Context, jobs []T, opts ...PushOption) ([]*Receipt, error) {
	all := make([]any, len(jobs))
	for i, j := range jobs {
		all[i] = j
	}
	rs, err := p.p.push(ctx, all, opts)
	return rs, opNil("push", err)
}

// Flush waits until all jobs accepted before are settled, or until ctx ends.
func (p *Pusher[T]) Flush(ctx context.Context) error {
	p.p.mu.Lock()
	defer p.p.mu.Unlock()
	return opNil("flush", p.p.drained(ctx, p.p.seq))
}

// Shutdown accepts nothing more, waits until all jobs are settled, or until ctx ends, and closes.
func (p *Pusher[T]) Shutdown(ctx context.Context) error { return p.p.shutdown(ctx) }

// Close closes within a second. Receipts of what is not settled end with socket.ErrClosed; in a spool
// the jobs stay.
func (p *Pusher[T]) Close() error { return p.p.close() }

// errTooMany is why PushAll can never have room.
var errTooMany = errors.New("more jobs at once than may be pending")

func (p *pusher) push(ctx context.Context, values []any, opts []PushOption) ([]*Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := p.open(); err != nil {
		return nil, err
	}
	jobs, size, err := p.encode(ctx, values, opts)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.awaitRoom(ctx, jobs, size); err != nil {
		return nil, err
	}
	if p.disk != nil {
		if err := p.commit(ctx, jobs, size); err != nil {
			return nil, err
		}
	}
	receipts := make([]*Receipt, len(jobs))
	for i, j := range jobs {
		if p.disk == nil {
			j.Seq = p.seq + 1
		}
		p.seq = max(p.seq, j.Seq)
		receipts[i] = newReceipt(ID{p.id, j.Seq}, p.cfg.codec)
		j.Value.receipt = receipts[i]
	}
	for _, j := range jobs {
		if p.disk != nil {
			p.stats.accepted++
			if p.closed { // it is for the next life
				j.Value.receipt.settle(patterns.Raw{}, &JobError{ID: ID{p.id, j.Seq}, Err: socket.ErrClosed})
				continue
			}
			p.step(p.m.Restore(time.Now(), j)) // it has its room
			continue
		}
		actions, err := p.m.Push(j.Value.pushed, j)
		if err != nil { // two of PushAll share a Unique key
			panic("pipeline: a job has no room after all: " + err.Error())
		}
		p.stats.accepted++
		p.step(actions)
	}
	return receipts, nil
}

// encode makes jobs of values, and says how many bytes they take.
func (p *pusher) encode(ctx context.Context, values []any, opts []PushOption) ([]*dispatch.Job[*entry], int64, error) {
	var c jobConfig
	for _, o := range opts {
		if o != nil {
			o.setJob(&c)
		}
	}
	if c.unique != "" && len(values) > 1 {
		return nil, 0, ErrDuplicate
	}
	headers := patterns.HeadersFrom(ctx)
	if h := (patterns.Head{Key: c.key, Headers: headers}); h.Validate() != nil {
		return nil, 0, h.Validate()
	}
	jobs, size := make([]*dispatch.Job[*entry], len(values)), int64(0)
	for i, v := range values {
		body, err := p.cfg.codec.Append(nil, v)
		if err != nil {
			return nil, 0, err
		}
		size += int64(len(body))
		jobs[i] = &dispatch.Job[*entry]{
			Key: c.key, To: c.to, Unique: c.unique, Size: len(body),
			Value: &entry{typ: typeOf(p.cfg.codec, v), body: body, headers: headers},
		}
	}
	now := time.Now()
	for _, j := range jobs {
		j.Value.pushed = now
		if c.delay > 0 {
			j.NotBefore = now.Add(c.delay)
		}
		if c.ttl > 0 {
			j.Expires = now.Add(c.ttl)
		}
	}
	return jobs, size, nil
}

// typeOf is the type of a body: that of a Raw is its own.
func typeOf(c patterns.Codec, v any) string {
	if r, ok := v.(patterns.Raw); ok {
		return r.Type
	}
	return c.Type()
}

// A waiter waits for room.
type waiter struct{ woken chan struct{} }

// awaitRoom waits until there is room for jobs. Who came first has it first. The caller holds mu.
func (p *pusher) awaitRoom(ctx context.Context, jobs []*dispatch.Job[*entry], size int64) error {
	taken := func(unique string) bool {
		return unique != "" && (p.m.Pending(unique) != nil || p.disk != nil && p.disk.unique[unique])
	}
	room := func() bool {
		n, bytes := len(jobs), size
		if p.disk != nil {
			n, bytes = n+p.disk.jobs, bytes+p.disk.bytes
		}
		return p.m.Room(n, bytes)
	}
	if len(jobs) > p.cfg.pending || len(jobs) > 1 && size > p.cfg.bytes {
		return errTooMany
	}
	var w *waiter
	defer func() {
		if w != nil {
			i := slices.Index(p.waiting, w)
			p.waiting = slices.Delete(p.waiting, i, i+1)
			p.room() // there may be some for the next as well
		}
	}()
	for {
		switch {
		case p.closing:
			return socket.ErrClosed
		case len(jobs) > 0 && taken(jobs[0].Unique):
			return ErrDuplicate
		case room() && (len(p.waiting) == 0 || p.waiting[0] == w):
			return nil
		case w == nil:
			w = new(waiter)
			p.waiting = append(p.waiting, w)
		}
		w.woken = make(chan struct{})
		if err := p.await(ctx, w.woken); err != nil {
			return err
		}
	}
}

// room lets the one who waits for it first look again. The caller holds mu.
func (p *pusher) room() {
	if len(p.waiting) > 0 {
		p.waiting[0].wake()
	}
}

func (w *waiter) wake() {
	if w.woken != nil {
		close(w.woken)
		w.woken = nil
	}
}
