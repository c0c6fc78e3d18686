package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/socket"
)

var workVerb = &taskVerb{
	name: "work", by: binds | connects | finds,
	short: "Do jobs by a command",
	long: `For each job of submit, or of any pusher of package patterns/pipeline, sh runs --exec with the job as
JSON on standard input. YODEL_JOB names it for good, and YODEL_ATTEMPT says how many attempts there were before,
which may have done something. Up to --parallel commands run at once, and no job is taken that none is free for.

  status 0                the job is done; what was written to standard output, JSON, is its result
  status 65 (EX_DATAERR)  it is never to come again, for the reason in the last line of standard error
  status 75 (EX_TEMPFAIL) it comes again after --retry-after, here or elsewhere
  any other               it comes again after a second, twice as long with each attempt; so does one that is killed
                          after --exec-timeout, and one whose output is no JSON

A command that fails is told on standard error with its attempt. If this tool is killed its jobs go to other workers
a second later.

` + valueHelp + `

With --count N the tool ends with status 0 after N jobs that were done or refused for good. With --timeout it gives
up when no job ended for that long: status 3 if there was none at all, 1 if less than --count, 0 otherwise. At the
end, also by Ctrl-C, commands that run have --linger to end; then they are killed, and their jobs go to others. A
second Ctrl-C ends at once.`,
	begin: func(fs *pflag.FlagSet, f *taskFlags) taskRun {
		w := &doer{taskFlags: f}
		f.registerExec(fs, "job", "its output is the result", 1)
		fs.DurationVar(&w.later, "retry-after", 5*time.Second,
			"have a job whose CMD ends with status 75 come again after `D`")
		fs.IntVar(&f.count, "count", 0, "stop after `N` jobs; 0: endless")
		fs.DurationVar(&f.linger, "linger", defaultLinger, "wait at the end for up to `D` for commands that run")
		return w
	},
}

// A doer is work.
type doer struct {
	*taskFlags
	later time.Duration

	worker *pipeline.Worker[patterns.Raw]
}

func (w *doer) check(*pflag.FlagSet, []string) error { return nil }

func (w *doer) open(t *task) party {
	w.worker = pipeline.NewWorker[patterns.Raw](
		pipeline.WithCodec(patterns.JSON()), pipeline.WithPrefetch(0, 0), pipeline.WithRefused(t.say),
		pipeline.WithRouter(secured[socket.RouterOption](&w.security)...),
		pipeline.WithDealer(secured[socket.DealerOption](&w.security)...))
	return w.worker
}

func (w *doer) summary(t *task) string {
	text := "did " + countOf(t.done.Load(), "job")
	if n := t.failed.Load(); n > 0 {
		text += fmt.Sprintf("; %s failed", countOf(n, "attempt"))
	}
	return text
}

func (w *doer) run(ctx context.Context, t *task) error {
	wait, stop := t.idle(ctx)
	defer stop(nil)
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		_ = w.worker.Run(wait, w.parallel, func(ctx context.Context, j *pipeline.Job[patterns.Raw]) error {
			settled, err := w.do(ctx, t, j)
			if settled {
				if n := t.done.Add(1); n == int64(w.count) {
					stop(errEnough)
				}
			}
			return err
		})
	}()
	<-wait.Done()
	if n := w.worker.Stats().Held; n > 0 && w.linger > 0 && !errors.Is(context.Cause(wait), errEnough) {
		t.con.notef("work: waiting for %s to end", countOf(n, "job"))
	}
	t.closing.Store(true)
	late, cancel := context.WithTimeoutCause(context.Background(), w.linger, errLinger)
	defer cancel()
	err := w.worker.Shutdown(late)
	<-ran
	why := context.Cause(wait)
	if errors.Is(why, errEnough) {
		why = nil
	}
	if status := countStatus(ctx, why, t.done.Load(), w.count, "job", w.timeout); status != nil {
		return status
	}
	if err != nil && late.Err() != nil { // else a pusher has gone, and has heard of its jobs or gives them again
		return failf("%w", err)
	}
	return nil
}

// do does one job. settled is whether it has ended for good.
func (w *doer) do(ctx context.Context, t *task, j *pipeline.Job[patterns.Raw]) (settled bool, _ error) {
	input, err := toJSON(j.Value)
	if err != nil {
		return true, w.failed(t, j, pipeline.Reject(err))
	}
	out, err := t.command(ctx, input, fmt.Sprintf("JOB=%v", j.ID), fmt.Sprintf("ATTEMPT=%d", j.Attempt))
	if err == nil {
		var result patterns.Raw
		if result, err = fromJSON(out, patterns.JSON().Type()); err != nil {
			return false, w.failed(t, j, fmt.Errorf("the command's output is no JSON: %w", err))
		}
		w.say(t, j, j.Done(result))
		return true, nil
	}
	failed, ok := errors.AsType[*commandError](err)
	if !ok {
		return false, w.failed(t, j, err)
	}
	switch failed.status() {
	case exitData:
		return true, w.failed(t, j, pipeline.Reject(errors.New(failed.text())))
	case exitLater:
		_ = w.failed(t, j, err)
		w.say(t, j, j.Nack(w.later))
		return false, nil
	}
	return false, w.failed(t, j, err)
}

// failed tells of an attempt that came to nothing, and returns err.
func (w *doer) failed(t *task, j *pipeline.Job[patterns.Raw], err error) error {
	t.failed.Add(1)
	t.con.printf("work: job %v, attempt %d: %v", j.ID, j.Attempt+1, err)
	return err
}

// say tells if it could not be said what became of a job.
func (w *doer) say(t *task, j *pipeline.Job[patterns.Raw], err error) {
	if err != nil {
		t.con.printf("work: job %v, attempt %d: %v", j.ID, j.Attempt+1, err)
	}
}
