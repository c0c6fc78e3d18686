package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/child"
)

// A result is what became of a plan.
type result struct {
	plan *plan
	findings
	took         time.Duration
	kills, stops int
	cuts, fills  int
}

// undone says what was planned and not done.
func (r *result) undone() string {
	p := r.plan
	var lack []string
	for _, c := range []struct {
		what       string
		done, want int
	}{
		{"kills", r.kills, 2 * p.Kills},
		{"stops", r.stops, 2 * p.Stops},
		{"fills", r.fills, p.Fills},
		{"cuts", r.cuts, p.Cuts - p.Cuts/10 - 1}, // the last ones may have come when nothing was sent any more
	} {
		if c.done < c.want && (c.what != "stops" || child.CanSuspend) {
			lack = append(lack, fmt.Sprintf("%s %d of %d", c.what, c.done, c.want))
		}
	}
	if r.accepted < p.Messages {
		lack = append(lack, fmt.Sprintf("messages %d of %d", r.accepted, p.Messages))
	}
	return strings.Join(lack, ", ")
}

func (r *result) ok() bool { return len(r.columns) == 0 && r.undone() == "" }

// A run is a plan being carried out. One goroutine does; what the processes say comes from others.
type run struct {
	*plan
	result  *result
	dir     string
	log     io.Writer
	cutters []*cutter  // one, or one for each receiver
	procs   []*process // the sender, then the receivers
	lives   []uint32   // that each of them has had
	before  uint64     // messages that were accepted in earlier lives of the sender
	gate    *os.File
	held    time.Time // the last event, or since when the next one waits
	eased   time.Time // when the sender was last let go on a little meanwhile,
	easedTo uint64    // as far as this
	resumes sync.WaitGroup
	unmount func()

	capacity int64 // of the spools

	mu      sync.Mutex
	settled uint32 // the life of the sender in which all was sent and settled, plus 1
	faults  []string
}

// carryOut runs a plan in a directory and returns what the checker says of it.
func carryOut(ctx context.Context, p *plan, dir string, log io.Writer) (*result, error) {
	r := &run{
		plan: p, result: &result{plan: p}, dir: dir, log: log, unmount: func() {},
		procs: make([]*process, p.Receivers+1), lives: make([]uint32, p.Receivers+1),
	}
	began := time.Now()
	err := r.open()
	if err == nil {
		err = r.play(ctx)
	}
	var broken *brokenError
	if err != nil && !errors.As(err, &broken) || ctx.Err() != nil {
		r.close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	if err == nil {
		err = r.end()
		errors.As(err, &broken)
	}
	r.close()
	f, err := check(p.scenario, dir, r.lives[0])
	if err != nil {
		return nil, err
	}
	if broken != nil {
		f.find(broken.column, "%v", broken.err)
	}
	for _, text := range r.faults {
		f.find(crashed, "%s", text)
	}
	r.result.findings, r.result.took = f, time.Since(began)
	for _, c := range r.cutters {
		r.result.cuts += int(c.done.Load())
	}
	return r.result, nil
}

// A brokenError ends a run, and is a finding of its own.
type brokenError struct {
	column string
	err    error
}

func (e *brokenError) Error() string { return e.err.Error() }

// open makes what the processes need.
func (r *run) open() (err error) {
	if r.Full {
		if r.capacity, r.unmount, err = makeSmall(r.dir); err != nil {
			return err
		}
	}
	if r.gate, err = os.Create(gatePath(r.dir)); err != nil {
		return err
	}
	if err := writeWord(r.gate, 0, 0); err != nil {
		return err
	}
	count, receiver := r.Receivers, 1
	if r.SenderBinds {
		count, receiver = 1, 0
	}
	for range count {
		c, err := newCutter()
		if err != nil {
			return err
		}
		r.cutters = append(r.cutters, c)
		c.run(receiver)
	}
	for who := sender; who < r.Receivers; who++ {
		if err := r.start(who); err != nil {
			return err
		}
	}
	return nil
}

// start starts another life of the sender or of a receiver.
func (r *run) start(who int) error {
	slim := *r.plan
	slim.Events = nil
	j := job{Who: who, Life: r.lives[who+1], Plan: &slim, Dir: r.dir, Before: r.before, Capacity: r.capacity}
	j.Spool = filepath.Join(r.dir, "spools", fmt.Sprintf("r%d", who), "q")
	if who == sender {
		j.Spool = filepath.Join(r.dir, "spools", "s", "q")
	}
	if err := os.MkdirAll(filepath.Dir(j.Spool), 0o700); err != nil {
		return err
	}
	switch {
	case (who == sender) == r.SenderBinds:
		j.Bind = "tcp://127.0.0.1:*"
	case who == sender:
		for _, c := range r.cutters {
			j.Connect = append(j.Connect, c.endpoint())
		}
	default:
		j.Connect = []string{r.cutters[0].endpoint()}
	}
	r.lives[who+1]++
	// It is ended by kill or finish, not by a context.
	p, err := startProcess(context.Background(), j, r.hear)
	if err != nil {
		return err
	}
	r.procs[who+1] = p
	return nil
}

// hear takes what a worker says.
func (r *run) hear(j *job, word, rest string) {
	switch word {
	case saysBound:
		c := r.cutters[0]
		if j.Who != sender {
			c = r.cutters[j.Who]
		}
		c.aim(strings.TrimPrefix(rest, "tcp://"))
	case saysSettled:
		r.mu.Lock()
		r.settled = j.Life + 1
		r.mu.Unlock()
	case saysFault:
		r.mu.Lock()
		r.faults = append(r.faults, j.name()+": "+rest)
		r.mu.Unlock()
	}
}

// play does what is planned until all messages were sent and settled.
func (r *run) play(ctx context.Context) error {
	events := r.Events
	moved, last := time.Now(), uint64(0)
	for {
		accepted, err := r.accepted()
		if err != nil {
			return err
		}
		received := r.received()
		if r.Grade == kept { // nobody does yet
			received = accepted
		}
		progress := accepted + received
		if err := r.openGate(events, accepted, received); err != nil {
			return err
		}
		switch {
		case r.due(events, progress):
			if err := r.do(ctx, events[0]); err != nil {
				return err
			}
			events, moved = events[1:], time.Now()
			continue
		case r.isSettled() && len(events) == 0:
			return nil
		case progress != last:
			moved, last = time.Now(), progress
		case time.Since(moved) > patience:
			return &brokenError{stuck, fmt.Errorf("%d accepted, %d received, then nothing for %v",
				accepted, received, patience)}
		}
		for _, p := range r.procs {
			select {
			case <-p.Done():
				if err := p.ended(); err != nil {
					return &brokenError{crashed, err}
				}
				return &brokenError{crashed, fmt.Errorf("%s ended by itself", p.name())}
			default:
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause(2 * time.Millisecond)
	}
}

func (r *run) isSettled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.settled > 0 && r.settled == r.lives[0]
}

// accepted counts the messages that were, in all lives of the sender.
func (r *run) accepted() (uint64, error) {
	n, err := acceptedIn(r.dir, r.lives[0]-1)
	return r.before + n, err
}

func acceptedIn(dir string, life uint32) (n uint64, err error) {
	ws, err := readTally(dir, life)
	if err != nil {
		return 0, err
	}
	for _, w := range ws {
		n += w
	}
	if info, err := os.Stat(refusalPath(dir, life)); err == nil {
		n -= uint64(info.Size() / 16)
	}
	return n, nil
}

// received counts what the receivers have written down: of subscribers the first, which gets all. Of requests it is
// the answers that the sender has written down.
func (r *run) received() (n uint64) {
	from, to := 0, r.Receivers
	switch {
	case r.Publishes:
		to = 1
	case r.Asks:
		from, to = sender, 0
	}
	for who := from; who < to; who++ {
		if info, err := os.Stat(journalPath(r.dir, who)); err == nil {
			n += uint64(info.Size() / recordSize)
		}
	}
	return n
}

// close ends all that is left.
func (r *run) close() {
	r.resumes.Wait()
	for _, p := range r.procs {
		if p != nil {
			p.Kill()
		}
	}
	for _, c := range r.cutters {
		c.close()
	}
	if r.gate != nil {
		_ = r.gate.Close() // it is read no more
	}
	r.unmount()
}
