package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket"
)

var submitVerb = &taskVerb{
	name: "submit", by: binds | connects | finds,
	short: "Give each line as a job to one of the workers, and see that it is done",
	long: `Jobs are the lines of standard input, or --data. Each is with one worker at a time: work, or any of
package patterns/pipeline. One that a worker gives back, or has when it is lost, goes to another, up to
--max-attempts times; a job may be done twice then. Jobs live in the memory of submit, which ends when all are
settled.

With --spool DIR a job is accepted, and printed by --confirm, once it is on disk in DIR, and stays there until it is
settled, whoever is killed meanwhile: the next run with the same DIR begins with what is left. A worker that has a job
while submit is killed does it to its end, and says so to the next run. DIR takes up to 1 GiB, or --spool-max; then
submit waits. Jobs that come to nothing are dead letters there: yodel spool dead DIR lists them.

` + valueHelp + `

With --wait the result of each job is printed, in the order of the lines; with --json as {"job":…,"result":…}, or
with "error" and "attempts" in place of "result". A job that comes to nothing is told on standard error, and makes
the status 1 at the end, as does a line that is no JSON.

At the end of the input it waits up to --linger for jobs to be settled, by default for ever; those that are not are
a failure (status 1); in DIR they are kept. With --timeout it gives up when nothing could be sent and nothing was
settled for that long, and no worker has a job: status 3 if none was settled at all, else 1. Ctrl-C stops reading and
leaves one more second; then jobs that are not settled are told, and lost unless there is a DIR.

` + readerHelp,
	begin: func(fs *pflag.FlagSet, f *taskFlags) taskRun {
		s := &submitter{taskFlags: f}
		fs.StringVar(&f.data, "data", "", "submit `JSON` once (--count N: N times); -: the lines of standard input")
		fs.IntVar(&f.count, "count", 0, "stop after `N` jobs; 0: at the end of the input")
		fs.BoolVar(&s.wait, "wait", false, "print the result of each job")
		f.registerSpool(fs, "keep jobs in `DIR` until they are settled")
		f.thing = "job"
		fs.BoolVar(&s.confirm, "confirm", false,
			"print each line on standard output once it is accepted; with --spool, once it is on disk")
		fs.StringVar(&s.key, "key", "", "do these jobs one after the other, and after all others with `KEY`")
		fs.DurationVar(&s.ttl, "ttl", 0, "give up a job that no worker has had after `D` (default never)")
		fs.IntVar(&s.attempts, "max-attempts", 20, "give up a job after `N` attempts that came to nothing")
		fs.DurationVar(&f.linger, "linger", 0, "wait at the end for up to `D` for jobs to be settled (default for ever)")
		return s
	},
}

// A submitter is submit.
type submitter struct {
	*taskFlags
	wait     bool
	confirm  bool
	key      string
	ttl      time.Duration
	attempts int
	lingers  bool // --linger is given

	push   *pipeline.Pusher[patterns.Raw]
	unsent int64         // lines that are no JSON
	busy   atomic.Uint64 // how often it was seen that a worker has a job
}

// maxPending is how many jobs may wait to be settled.
const maxPending = 10_000

func (s *submitter) check(fs *pflag.FlagSet, _ []string) error {
	s.lingers = fs.Changed("linger")
	switch {
	case fs.Changed("key") && (s.key == "" || len(s.key) > 64):
		return usagef("--key %.32q: it must have 1 to 64 bytes", s.key)
	case fs.Changed("max-attempts") && s.attempts < 1:
		return usagef("--max-attempts %d: it must be 1 or more", s.attempts)
	case s.wait && s.confirm:
		return usagef("--wait and --confirm exclude each other: both print")
	}
	return checkSpool(fs, s.spoolMax, "")
}

func (s *submitter) open(t *task) party {
	s.push = pipeline.NewPusher[patterns.Raw](
		pipeline.WithCodec(patterns.JSON()), pipeline.WithPending(maxPending, 0),
		pipeline.WithMaxAttempts(s.attempts), pipeline.WithRefused(t.say), pipeline.WithSpool(s.store),
		pipeline.WithRouter(secured[socket.RouterOption](&s.security)...),
		pipeline.WithDealer(secured[socket.DealerOption](&s.security)...))
	return s.push
}

func (s *submitter) summary(t *task) string {
	st := s.push.Stats()
	text := fmt.Sprintf("%d of %s done", st.Done, countOf(st.Accepted+s.before, "job"))
	if st.Redelivered > 0 {
		text += fmt.Sprintf("; %d given again", st.Redelivered)
	}
	return text
}

func (s *submitter) run(ctx context.Context, t *task) error {
	src, err := s.source(t.app, "a job")
	if err != nil {
		return err
	}
	defer src.close()
	if s.store != nil { // what is left there is taken up now, even if nothing is bound or submitted
		if _, err := s.push.PushAll(ctx, nil); err != nil {
			return failf("%w", err)
		}
	}
	t.out = newPrinter(t.stdout, "line", nil)
	read, stopReading := ctx, func() {}
	if s.wait || s.confirm {
		read, stopReading = t.whileRead(ctx)
	}
	defer stopReading()
	work, cancel := context.WithCancelCause(read)
	defer cancel(nil)
	defer cancelWhenIdle(s.progress, s.timeout, cancel)()

	receipts := make(chan *pipeline.Receipt, maxPending)
	settled := make(chan error, 1)
	go func() {
		err := s.settle(t, receipts)
		if err != nil {
			cancel(err)
		}
		settled <- err
	}()
	err = s.submitAll(work, t, src, receipts)
	close(receipts)
	why := s.drain(ctx, work)
	t.closing.Store(true)
	_ = s.push.Close() // which settles what is left
	if e := <-settled; e != nil {
		return e
	}
	if interrupted(ctx, err) {
		err = nil
	}
	return s.status(err, why)
}

// progress is what the pusher has come to.
func (s *submitter) progress() tally {
	st := s.push.Stats()
	if st.Held > 0 || st.Waiting+st.Delayed == 0 {
		s.busy.Add(1) // whoever has it is at work, or there is nothing to do
	}
	return tally{st.Accepted, st.Done + st.Rejected + st.Expired + st.TooOften + s.busy.Load()}
}

func (s *submitter) submitAll(ctx context.Context, t *task, src source, receipts chan<- *pipeline.Receipt) error {
	opts := []pipeline.PushOption{pipeline.Key(s.key), pipeline.TTL(s.ttl)}
	for n := 0; s.count == 0 || n < s.count; n++ {
		it, err := src.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case src.refuses(err):
			t.con.printf("submit: %v; not sent", err)
			s.unsent++
			continue
		case err != nil:
			return err
		}
		r, err := s.push.Push(ctx, jsonBody(it.frames[0]), opts...)
		if err != nil {
			return err
		}
		select {
		case receipts <- r:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if s.confirm {
			if err := t.out.printNow(it.line); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle tells what becomes of jobs, in the order in which they were accepted.
func (s *submitter) settle(t *task, receipts <-chan *pipeline.Receipt) error {
	for r := range receipts {
		<-r.Done()
		err := s.settleOne(t, r)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *submitter) settleOne(t *task, r *pipeline.Receipt) error {
	err := r.Err()
	if errors.Is(err, socket.ErrClosed) {
		return nil // it is counted
	}
	lost, _ := errors.AsType[*pipeline.JobError](err)
	if lost != nil {
		t.failed.Add(1)
		t.con.printf("submit: job %v: %s", lost.ID, jobFate(lost))
	} else {
		t.done.Add(1)
	}
	if !s.wait {
		return nil
	}
	line, err := s.result(t, r, lost)
	if err != nil || line == nil {
		return err
	}
	return t.out.printNow(line)
}

// jobFate is why a job came to nothing.
func jobFate(e *pipeline.JobError) string {
	text := fmt.Sprintf("%v after %s", e.Err, countOf(e.Attempts, "attempt"))
	if errors.Is(e.Err, pipeline.ErrExpired) {
		text = e.Err.Error()
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// result is what --wait prints; nil if that is nothing.
func (s *submitter) result(t *task, r *pipeline.Receipt, lost *pipeline.JobError) ([]byte, error) {
	line := appendJSON([]byte(`{"job":`), r.ID().String())
	if lost != nil {
		if !t.json {
			return nil, nil
		}
		line = appendJSON(append(line, `,"error":`...), jobFate(lost))
		return append(appendCount(line, "attempts", lost.Attempts), '}'), nil
	}
	var value patterns.Raw
	err := r.Result(&value)
	text := []byte("null")
	if err == nil {
		text, err = toJSON(value)
	}
	if err != nil {
		return nil, failf("the result of job %v: %w", r.ID(), err)
	}
	if !t.json {
		return text, nil
	}
	return append(append(append(line, `,"result":`...), text...), '}'), nil
}

// drain waits until all jobs are settled, and returns why it did not wait any longer.
func (s *submitter) drain(ctx, work context.Context) error {
	wait, cancel := context.WithCancelCause(context.WithoutCancel(work))
	defer cancel(nil)
	if s.lingers {
		linger := time.AfterFunc(s.linger, func() { cancel(errLinger) })
		defer linger.Stop()
	}
	defer context.AfterFunc(work, func() {
		if ctx.Err() == nil { // nobody reads, or nothing was done for --timeout
			cancel(context.Cause(work))
			return
		}
		time.AfterFunc(interruptedLinger, func() { cancel(errInterrupted) })
	})()
	if err := s.push.Flush(wait); err != nil {
		return context.Cause(wait)
	}
	return nil
}

// status is what it all comes to, if submitting ended with err and waiting with why.
func (s *submitter) status(err, why error) error {
	st := s.push.Stats()
	nothing := st.Rejected + st.Expired + st.TooOften + st.Canceled // of what an earlier run has left, too
	left, where := st.Accepted-st.Done-nothing, "lost"
	if s.store != nil {
		left, where = s.left(), "kept in "+s.spool
	}
	switch {
	case isBrokenPipe(why):
		return why
	case errors.Is(why, errIdle) && st.Done+nothing == 0:
		return nothingf("nothing was done for %v: %s not settled, and %s", s.timeout, countOf(left, "job"), where)
	case left > 0 && why == nil: // the disk has not taken that they are settled
		return failf("%s not settled, and %s", countOf(left, "job"), where)
	case left > 0:
		return failf("%s not settled, and %s: %w", countOf(left, "job"), where, why)
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	switch {
	case err != nil && !errors.Is(err, errIdle):
		return failf("%w", err)
	case nothing > 0 && s.store != nil:
		return failf("%s came to nothing: see yodel spool dead %s", countOf(nothing, "job"), s.spool)
	case nothing > 0:
		return failf("%s came to nothing", countOf(nothing, "job"))
	case s.unsent > 0:
		return failf("%s not sent", countOf(s.unsent, "line"))
	}
	return nil
}
