package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/dispatch"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A disk is the spool of a pusher, and what of it is not written yet. A job is a message of the spool: its seq is the
// job's, a head with what else there is to it, and the body.
//
//	Push ── commit ──► machine ──► send ──► worker
//	                      ▲                   │
//	   Receipt ◄── commit ┴─── settled ◄── answer
//
// What is said to a worker waits until what was settled before is on disk. So a worker, which remembers as many answers
// as it has room for jobs, remembers all that the next life of the pusher may not know.
type disk struct {
	q       *spool.Spool
	cur     *spool.Cursor
	opening sync.Mutex // held by who opens it, comes before pusher.mu
	opened  bool       // guarded by opening
	ended   bool       // likewise
	wake    chan struct{}
	done    chan struct{}
	running sync.WaitGroup

	// Guarded by pusher.mu:
	jobs     int             // that are being committed
	bytes    int64           // of these
	unique   map[string]bool // of these
	given    uint64          // jobs up to here may have been given out, as it is on disk
	attempts map[uint64]bool // of these jobs they are on disk
	todo     todo
	dirty    bool     // there is something to do, or being done
	held     []func() // until that is done
}

// A todo is what is to be written.
type todo struct {
	settled  []spool.Range
	buried   []burial
	attempts map[uint64]int // 0 is none
	given    uint64
}

type burial struct {
	seq    uint64
	reason string
}

const (
	cursorName = "pipeline"
	givenKey   = "pipeline.given"
	// givenAhead is how many jobs are noted at a time as given out.
	givenAhead = 64
	// restGrace is for how long, after a pusher has begun, jobs that an earlier life has given out wait for the worker
	// that has them, which tries to connect every two seconds at least.
	restGrace = 3 * time.Second
)

func attemptsKey(seq uint64) string { return "pipeline.attempts." + strconv.FormatUint(seq, 10) }

func newDisk(q *spool.Spool) *disk {
	if q == nil {
		return nil
	}
	return &disk{
		q: q, wake: make(chan struct{}, 1), done: make(chan struct{}),
		unique: make(map[string]bool), attempts: make(map[uint64]bool),
	}
}

// open takes up what earlier lives have left, once.
func (p *pusher) open() error {
	d := p.disk
	if d == nil {
		return nil
	}
	d.opening.Lock()
	defer d.opening.Unlock()
	switch {
	case d.opened:
		return nil
	case d.ended:
		return socket.ErrClosed
	}
	for _, c := range d.q.Stats().Cursors {
		if c.Name != cursorName {
			return fmt.Errorf("%w: it has a cursor %q", ErrSpool, c.Name)
		}
	}
	var err error
	if d.cur, err = d.q.Cursor(cursorName, spool.CursorOptions{Start: spool.Start{At: spool.Earliest}}); err != nil {
		return err
	}
	if _, err = d.cur.Claim(p.gone); err != nil {
		return err
	}
	if err = p.load(); err != nil {
		d.cur.Unclaim()
		return err
	}
	d.opened = true
	d.running.Go(p.write)
	return nil
}

// load restores the jobs that are not settled.
func (p *pusher) load() error {
	d, now := p.disk, time.Now()
	if v, ok := d.q.Value(givenKey); ok && len(v) == 8 {
		d.given = binary.BigEndian.Uint64(v)
	}
	var all []*dispatch.Job[*entry]
	for e, err := range d.q.Browse(context.Background(), 0) {
		if err != nil {
			return err
		}
		j, err := stored(&e.Message)
		if err != nil {
			d.todo.buried = append(d.todo.buried, burial{e.Seq, "no job: " + err.Error()})
			continue
		}
		if v, ok := d.q.Value(attemptsKey(j.Seq)); ok && len(v) == 8 {
			j.Attempts = int(min(binary.BigEndian.Uint64(v), 1<<31-1))
			d.attempts[j.Seq] = true
		}
		if j.Seq <= d.given {
			j.Value.maybe = true
			if g := now.Add(restGrace); j.NotBefore.Before(g) {
				j.NotBefore = g
			}
		}
		j.Value.receipt = newReceipt(ID{p.id, j.Seq}, p.cfg.codec)
		all = append(all, j)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(d.todo.buried) > 0 {
		d.soon()
	}
	for _, j := range all {
		p.seq = max(p.seq, j.Seq)
		p.step(p.m.Restore(now, j))
	}
	return nil
}

// message is a job as it is stored.
func message(j *dispatch.Job[*entry]) (spool.Message, error) {
	e := j.Value
	h := patterns.Head{
		Method: j.To, Text: j.Unique, Key: j.Key, Type: e.typ, Headers: e.headers,
		List: []uint64{millis(j.NotBefore), millis(j.Expires)},
	}
	err := h.Validate()
	return spool.Message{Frames: [][]byte{h.AppendTo(nil), e.body}, Enqueued: e.pushed}, err
}

// stored is the job that is stored.
func stored(m *spool.Message) (*dispatch.Job[*entry], error) {
	if len(m.Frames) != 2 {
		return nil, patterns.ErrHead
	}
	h, err := patterns.ParseHead(m.Frames[0])
	if err != nil || len(h.List) != 2 {
		return nil, patterns.ErrHead
	}
	j := &dispatch.Job[*entry]{
		Seq: m.Seq, Key: h.Key, To: h.Method, Unique: h.Text, Size: len(m.Frames[1]),
		NotBefore: moment(h.List[0]), Expires: moment(h.List[1]),
		Value: &entry{typ: h.Type, body: m.Frames[1], headers: h.Headers, pushed: m.Enqueued},
	}
	if !j.Expires.After(m.Enqueued) { // of a dead letter that was accepted again
		j.Expires = time.Time{}
	}
	return j, nil
}

func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 0)) + 1 // rounded up, and 0 is none
}

func moment(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(min(ms, 1<<52)))
}

// commit puts jobs on disk, and gives them their numbers. mu, which the caller holds, is free meanwhile.
func (p *pusher) commit(ctx context.Context, jobs []*dispatch.Job[*entry], size int64) error {
	d := p.disk
	tx := d.q.Begin()
	for _, j := range jobs {
		m, err := message(j)
		if err == nil {
			err = tx.Append(m)
		}
		if err != nil {
			tx.Discard()
			return err
		}
	}
	unique := ""
	if len(jobs) > 0 {
		unique = jobs[0].Unique
	}
	if unique != "" {
		d.unique[unique] = true
	}
	d.jobs += len(jobs)
	d.bytes += size
	p.mu.Unlock()
	first, err := tx.Commit(ctx)
	p.mu.Lock()
	d.jobs -= len(jobs)
	d.bytes -= size
	delete(d.unique, unique)
	for i, j := range jobs {
		j.Seq = first + uint64(i)
	}
	if err != nil {
		p.room()
	}
	return err
}

// gone takes note of what the spool has lost, or somebody has removed from it. A worker that has it goes on.
func (p *pusher) gone(l spool.Loss) {
	if l.Why == spool.Buried { // by us
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	var lost []*dispatch.Job[*entry]
	for j := range p.m.All() {
		if j.Seq >= l.Seqs.From && j.Seq < l.Seqs.To && j.State() != dispatch.Held {
			lost = append(lost, j)
		}
	}
	for _, j := range lost {
		j.Value.reason = "the spool has it no more: " + l.Why.String()
		actions, _ := p.m.Cancel(time.Now(), j.Seq)
		p.step(actions)
	}
}
