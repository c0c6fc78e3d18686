package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A backlog is what a process sees of a spool with much in it: it opens it, drains it and appends again.
type backlog struct {
	Open     time.Duration
	Drain    time.Duration
	Back     time.Duration // until two files are left, from the end of the drain on
	Append   time.Duration // the median of an append after that
	AppendAt time.Duration // and of one in a fresh spool
	RSS      int64         // anonymous memory after Open, in bytes
	Messages int
	Idle     int64 // bytes on disk of a fresh spool
	Wakes    int64 // of an idle spool, in two seconds, beyond those of a process without
}

const (
	backlogVerb  = "store-backlog"
	backlogBytes = 1 << 30
	backlogBatch = 256
)

// backlogBench fills a spool with 1 GiB, lets other processes open it warm and cold, and one drain it.
func backlogBench(ctx context.Context, rounds int, out, progress io.Writer) error {
	var warm, cold, back, after, rss, wakes []float64
	var idle int64
	for round := range rounds {
		fmt.Fprintf(progress, "backlog, round %d of %d\n", round+1, rounds)
		b, c, err := backlogRound(ctx)
		if err != nil {
			return err
		}
		warm, cold = append(warm, ms(b.Open)), append(cold, ms(c.Open))
		back, rss = append(back, ms(c.Back)), append(rss, float64(c.RSS)/(1<<20))
		after = append(after, float64(c.Append)/float64(c.AppendAt))
		wakes, idle = append(wakes, float64(c.Wakes)), c.Idle
	}
	missed := 0
	line := func(what, unit string, vs []float64, bar float64) {
		verdict := "holds"
		if median(vs) > bar {
			verdict, missed = "MISSED", missed+1
		}
		fmt.Fprintf(out, "%-40s %8.2f %s (%.2f to %.2f), at most %g: %s\n", what, median(vs), unit, slices.Min(vs), slices.Max(vs),
			bar, verdict)
	}
	line("open 1 GiB, in the page cache", "ms", warm, 100)
	line("open 1 GiB, not in the page cache", "ms", cold, 500)
	line("anonymous memory after that", "MiB", rss, 32)
	line("until two files are left, once drained", "ms", back, 1000)
	line("an append after that, to a fresh one", "times", after, 1.5)
	line("an idle spool on disk", "MiB", []float64{float64(idle) / (1 << 20)}, 1.2)
	line("an idle spool's wake-ups in two seconds", "", wakes, 0)
	fmt.Fprintf(out, "%s, load %s; medians of %d rounds\n", runtime.Version(), load(), rounds)
	if missed > 0 {
		return fmt.Errorf("bench: %d bars were missed", missed)
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// backlogRound fills a spool and returns what a process sees that finds it in the page cache and only opens it, and
// what one sees that does not.
func backlogRound(ctx context.Context) (warm, cold backlog, err error) {
	dir, err := os.MkdirTemp("", "bench-backlog-")
	if err != nil {
		return warm, cold, err
	}
	defer os.RemoveAll(dir)
	dir = filepath.Join(dir, "s")
	if err := fillBacklog(ctx, dir); err != nil {
		return warm, cold, err
	}
	if warm, err = inProcess(ctx, dir, "BENCH_ONLY_OPEN=1"); err != nil {
		return warm, cold, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return warm, cold, err
	}
	for _, f := range files { // the one way to have a file leave the page cache that takes no root
		dd := exec.CommandContext(ctx, "dd", "of="+f, "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none")
		if text, err := dd.CombinedOutput(); err != nil {
			return warm, cold, fmt.Errorf("dd: %w: %s", err, text)
		}
	}
	cold, err = inProcess(ctx, dir)
	return warm, cold, err
}

func fillBacklog(ctx context.Context, dir string) error {
	s, err := spool.Open(dir, spool.Options{MaxBytes: -1})
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Cursor("", spool.CursorOptions{}); err != nil {
		return err
	}
	body := noise(1<<10, 1)
	for range backlogBytes / len(body) / backlogBatch {
		t := s.Begin()
		for range backlogBatch {
			if err := t.Append(spool.Message{Frames: [][]byte{body}}); err != nil {
				return err
			}
		}
		if _, err := t.Commit(ctx); err != nil {
			return err
		}
	}
	return s.Close()
}

// inProcess has a process of its own look at a spool.
func inProcess(ctx context.Context, dir string, env ...string) (b backlog, err error) {
	self, err := os.Executable()
	if err != nil {
		return b, err
	}
	cmd := exec.CommandContext(ctx, self, backlogVerb, dir)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal(text, &b)
}

// backlogSide is that process.
func backlogSide(ctx context.Context, dir string) error {
	var b backlog
	began := time.Now()
	s, err := spool.Open(dir, spool.Options{MaxBytes: -1})
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return err
	}
	b.Open, b.RSS = time.Since(began), anonymous()
	if os.Getenv("BENCH_ONLY_OPEN") == "" {
		if err := b.drain(ctx, s, c, dir); err != nil {
			return err
		}
		if err := b.fresh(ctx, dir+"-fresh"); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(b)
}

// drain settles all, and waits for the room to come back.
func (b *backlog) drain(ctx context.Context, s *spool.Spool, c *spool.Cursor, dir string) error {
	began := time.Now()
	for s.Stats().Live.Messages > 0 {
		got, err := c.Next(ctx, backlogBatch, 0)
		if err != nil {
			return err
		}
		b.Messages += len(got)
		c.Settle(spool.Range{From: got[0].Seq, To: got[len(got)-1].Seq + 1})
	}
	b.Drain = time.Since(began)
	for began = time.Now(); ; {
		left, err := filepath.Glob(filepath.Join(dir, "*.seg"))
		if err != nil {
			return err
		}
		if len(left) <= 2 {
			break
		}
		if time.Since(began) > time.Minute {
			return fmt.Errorf("bench: %d files are left a minute after the drain", len(left))
		}
		time.Sleep(time.Millisecond)
	}
	b.Back = time.Since(began)
	var err error
	b.Append, err = medianAppend(ctx, s)
	return err
}

// fresh measures a spool that nothing was in.
func (b *backlog) fresh(ctx context.Context, dir string) error {
	before := switches()
	s, err := spool.Open(dir, spool.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	time.Sleep(time.Second) // what a spool does once it is open is over then
	b.Wakes = max(0, switches()-before)
	text, err := exec.CommandContext(ctx, "du", "-s", "--block-size=1", dir).Output()
	if err != nil {
		return err
	}
	if _, err := fmt.Sscan(string(text), &b.Idle); err != nil {
		return err
	}
	b.AppendAt, err = medianAppend(ctx, s)
	return err
}

func medianAppend(ctx context.Context, s *spool.Spool) (time.Duration, error) {
	body, took := noise(1<<10, 2), make([]float64, 0, 1000)
	for range cap(took) {
		began := time.Now()
		if _, err := s.Append(ctx, spool.Message{Frames: [][]byte{body}}); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began)))
	}
	return time.Duration(median(took)), nil
}

// anonymous is this process's memory that is no file's.
func anonymous() int64 { return statusField("/proc/self/status", "RssAnon:") << 10 }

// switches counts how often threads of this process are woken in two seconds: the fewest of three times, for the
// runtime has something of its own to do now and then.
func switches() int64 {
	count := func() (n int64) {
		tasks, _ := filepath.Glob("/proc/self/task/*/status") // only a bad pattern is an error
		for _, t := range tasks {
			n += statusField(t, "voluntary_ctxt_switches:")
		}
		return n
	}
	var counts []int64
	for range 3 {
		before := count()
		time.Sleep(2 * time.Second)
		counts = append(counts, count()-before)
	}
	return slices.Min(counts)
}

func statusField(path, name string) (n int64) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			_, _ = fmt.Sscan(rest, &n) // 0 where it is no number
		}
	}
	return n
}
