package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/child"
)

const (
	ahead = 500 // messages may be on their way beyond the next thing that is to be done

	manyCuts = 2                     // of which no more than so many wait at a time,
	holdFor  = 2 * time.Second       // for so long,
	slowly   = 100                   // while so many messages go on
	every    = 10 * time.Millisecond // in such a time, in which there is an acknowledgement to cut as well
)

// due: it is time for the next event. Cuts need something that is sent, and so wait for each other.
func (r *run) due(events []event, progress uint64) bool {
	switch {
	case len(events) == 0:
		return false
	case r.isSettled():
		return true
	case progress < events[0].At:
		return false
	case events[0].Do == doCut && r.pendingCuts() >= manyCuts && time.Since(r.held) < holdFor:
		return false
	}
	r.held = time.Now()
	return true
}

func (r *run) pendingCuts() (n int) {
	for _, c := range r.cutters {
		n += c.pending()
	}
	return n
}

// openGate lets the sender go on as far as the next event, so that what is done does not come when all is over.
func (r *run) openGate(events []event, accepted, received uint64) error {
	to := uint64(math.MaxUint64 / 2)
	if len(events) > 0 {
		to = max(events[0].At+ahead, received) - received
		if accepted+received >= events[0].At && time.Since(r.eased) >= every {
			r.eased, r.easedTo = time.Now(), accepted+slowly
		}
		to = max(to, r.easedTo)
	}
	return writeWord(r.gate, 0, to)
}

// do does one thing.
func (r *run) do(ctx context.Context, e event) error {
	pause(e.Wait)
	say(r.log, "%s: at %d: %s %s\n", r.Scenario, e.At, e.Do, r.whom(e))
	switch e.Do {
	case doCut:
		r.cutters[e.Who%len(r.cutters)].add(e.Cut)
		return nil
	case doStop:
		if child.CanSuspend {
			p := r.procs[e.Who+1]
			p.Suspend()
			r.resumes.Go(func() {
				pause(e.For)
				p.Resume()
			})
		}
		r.result.stops++
		return nil
	case doKill:
		return r.kill(e)
	case doFill:
		return r.fill(ctx, e)
	}
	return fmt.Errorf("crashtest: no event %q", e.Do)
}

func (r *run) whom(e event) string {
	switch e.Do {
	case doCut:
		return fmt.Sprintf("%+v", *e.Cut)
	case doFill:
		return ""
	}
	return r.procs[e.Who+1].name()
}

// kill kills a process and starts it again, at once or after a while; or starts it at once and kills it while it is
// still looking at what it finds.
func (r *run) kill(e event) error {
	if err := r.killOne(e.Who); err != nil {
		return err
	}
	if !e.Again {
		pause(e.For)
		return r.start(e.Who)
	}
	if err := r.start(e.Who); err != nil {
		return err
	}
	pause(e.For)
	if err := r.killOne(e.Who); err != nil {
		return err
	}
	return r.start(e.Who)
}

// killOne kills a process.
func (r *run) killOne(who int) error {
	p := r.procs[who+1]
	select {
	case <-p.Done(): // by itself
		if err := p.ended(); err != nil {
			return &brokenError{crashed, err}
		}
	default:
	}
	p.Kill()
	if err := p.ended(); err != nil {
		return &brokenError{crashed, err}
	}
	r.result.kills++
	if who != sender {
		return nil
	}
	n, err := acceptedIn(r.dir, p.Life)
	r.before += n
	return err
}

// fill keeps the receiver away until the sender's disk is full, which is when no more is accepted for a while, or all
// was.
func (r *run) fill(ctx context.Context, e event) error {
	if err := r.openGate(nil, 0, 0); err != nil {
		return err
	}
	if err := r.killOne(0); err != nil {
		return err
	}
	r.result.kills-- // not one of those
	for began := time.Now(); ; {
		was, err := r.accepted()
		if err != nil {
			return err
		}
		pause(500 * time.Millisecond)
		now, err := r.accepted()
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case now == was || now >= r.Messages:
			if now < r.Messages {
				r.result.fills++
			}
			if e.Again {
				if err := r.killOne(sender); err != nil {
					return err
				}
				r.result.kills--
				if err := r.start(sender); err != nil {
					return err
				}
				pause(e.Wait)
			}
			return r.start(0)
		case time.Since(began) > 5*patience:
			return &brokenError{stuck, fmt.Errorf("the disk was not full after %v", time.Since(began))}
		}
	}
}

// end has the processes end by themselves: the sender first, which has nothing left.
func (r *run) end() error {
	r.resumes.Wait()
	for _, p := range r.procs {
		if err := p.finish(); err != nil {
			return &brokenError{crashed, err}
		}
	}
	return nil
}
