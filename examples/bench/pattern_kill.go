package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns/pipeline"
)

const (
	killWorkers  = 4
	killEvery    = 50 * time.Millisecond
	killKeys     = 100
	killJobTakes = time.Millisecond
	killDir      = "BENCH_KILL_DIR" // of the environment: where workers write down what they have done
)

// A doneJob is what a worker has written down, before it said so to the pusher.
type doneJob struct {
	job, attempt int
	at           int64 // by the clock that all processes share
}

// kill pushes jobs to four workers, which are processes of their own, while one of them is killed every 50 ms and
// followed by another, and looks afterwards at what they have written down.
func kill(ctx context.Context, c *console, j job) error {
	dir, err := os.MkdirTemp("", "bench-kill-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left there is the system's to clean
	if err := os.Setenv(killDir, dir); err != nil {
		return err
	}
	p := pipeline.NewPusher[int]()
	defer p.Close() //nolint:errcheck // all is settled, or the error is another one
	at, err := p.Bind(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		return err
	}
	killing, stop := context.WithCancel(ctx)
	defer stop()
	ended, kills := make(chan error, 1), 0
	go func() { ended <- killInTurn(killing, job{Role: killed, Endpoint: at}, &kills) }()

	begin := time.Now()
	receipts := make([]*pipeline.Receipt, j.Count)
	for i := range receipts {
		if receipts[i], err = p.Push(ctx, i, pipeline.Key(keyOf(i))); err != nil {
			return err
		}
	}
	if err := p.Flush(ctx); err != nil {
		return err
	}
	took := time.Since(begin)
	stop()
	if err := <-ended; err != nil {
		return err
	}
	records, err := readDone(dir)
	if err != nil {
		return err
	}
	values := judgeDone(records, j.Count)
	for _, r := range receipts {
		if r.Err() != nil {
			values[killLost]++
		}
	}
	values[killCount] = float64(kills)
	return c.result(report{End: took.Nanoseconds(), Received: int64(j.Count), Values: values})
}

func keyOf(job int) string { return fmt.Sprintf("k%d", job%killKeys) }

// killInTurn keeps workers, of which it kills one after the other, until ctx ends.
func killInTurn(ctx context.Context, j job, kills *int) (err error) {
	var all [killWorkers]*child
	for i := range all {
		if all[i], err = startChild(ctx, j); err != nil {
			return err
		}
	}
	tick := time.NewTicker(killEvery)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % killWorkers {
		select {
		case <-tick.C:
		case <-ctx.Done(): // which kills them
			for _, w := range all {
				<-w.done
			}
			return nil
		}
		if err := all[i].end(true); err != nil {
			return err
		}
		*kills++
		if all[i], err = startChild(ctx, j); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// workUntilKilled is a worker.
func workUntilKilled(ctx context.Context, c *console, j job) error {
	f, err := os.CreateTemp(os.Getenv(killDir), "done-")
	if err != nil {
		return err
	}
	w := pipeline.NewWorker[int]()
	if err := w.Connect(j.Endpoint); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_ = c.wait(ctx) // who would kill it is gone
		stop()
	}()
	err = w.Run(working, 1, func(_ context.Context, job *pipeline.Job[int]) error {
		time.Sleep(killJobTakes / 2)
		_, err := fmt.Fprintf(f, "%d %d %d\n", job.Value, job.Attempt, time.Now().UnixNano()) // by one write
		time.Sleep(killJobTakes / 2)                                                          // in which it may be killed: done, and not acknowledged
		return err
	})
	return errors.Join(err, w.Close(), f.Close())
}

// readDone reads what workers have written down.
func readDone(dir string) (all []doneJob, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "done-*"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		for in := bufio.NewReader(f); ; {
			var d doneJob
			_, err := fmt.Fscanln(in, &d.job, &d.attempt, &d.at)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("bench: %s: %w", name, err), f.Close())
			}
			all = append(all, d)
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// judgeDone counts the jobs that nobody has done, how often one was done again, and how often that was not said, or a
// job was done behind a later one of its key.
func judgeDone(all []doneJob, jobs int) map[string]float64 {
	slices.SortFunc(all, func(a, b doneJob) int { return int(a.at - b.at) })
	times, newest := make([]int, jobs), make(map[string]int)
	values := map[string]float64{killLost: 0, killRepeated: 0, killUnflagged: 0, killDisordered: 0}
	for _, d := range all {
		if times[d.job]++; times[d.job] > 1 {
			values[killRepeated]++
			if d.attempt == 0 {
				values[killUnflagged]++
			}
		}
		key := keyOf(d.job)
		if d.job < newest[key] {
			values[killDisordered]++
		}
		newest[key] = max(newest[key], d.job)
	}
	for _, n := range times {
		if n == 0 {
			values[killLost]++
		}
	}
	return values
}
