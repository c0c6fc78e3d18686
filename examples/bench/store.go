package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"
)

// A cell is one thing to measure of the store: how many goroutines append how much.
type cell struct {
	Appenders, Size int
	Batch           int  // messages of one commit; 1 but for batches
	Settle          bool // each message is settled too
	Slow            bool // a millisecond passes ahead of each sync
	Path            bool // from a Push with a spool to a Pull with an inbox
	Beside          string
	Bar             float64 // the least ratio to what is beside it; 0: there is none
}

func (c cell) String() string {
	s := fmt.Sprintf("%d x %s", c.Appenders, sizeOf(c.Size))
	switch {
	case c.Batch > 1:
		s += fmt.Sprintf(", batches of %d", c.Batch)
	case c.Settle:
		s += ", settled too"
	case c.Slow:
		s += ", 1 ms before each sync"
	case c.Path:
		s += ", from disk to disk"
	}
	return s
}

func sizeOf(n int) string {
	if n >= 1<<10 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

// cells are what is measured, with the bars that the store is held to.
func cells() (all []cell) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		for _, n := range []int{1, 8, 64} {
			c := cell{Appenders: n, Size: size, Batch: 1, Beside: rawFloor, Bar: 0.9}
			if size == 64<<10 {
				c.Bar = 0.8
			}
			all = append(all, c)
		}
	}
	for _, size := range []int{100, 1 << 10} {
		all = append(all, cell{Appenders: 1, Size: size, Batch: 64, Beside: rawFloor, Bar: 0.9},
			cell{Appenders: 1, Size: size, Batch: 1024, Beside: rawFloor, Bar: 0.7},
			cell{Appenders: 64, Size: size, Batch: 1, Slow: true, Beside: rawFloor, Bar: 0.95},
			cell{Appenders: 64, Size: size, Batch: 1, Settle: true, Beside: rawFloor, Bar: 0.9})
	}
	for _, size := range []int{100, 1 << 10} {
		for _, n := range []int{1, 64} {
			all = append(all, cell{Appenders: n, Size: size, Batch: 1, Path: true, Beside: rawPaths})
		}
	}
	return append(all, cell{Appenders: 1, Size: 100, Batch: 1, Settle: true, Beside: rawFloor, Bar: 0.9},
		cell{Appenders: 64, Size: 100, Batch: 1, Beside: jetStream, Bar: 20})
}

// The stores.
const (
	ownStore  = "spool"
	rawFloor  = "raw"       // append to a growing file and fdatasync, by a group committer like the spool's
	rawPaths  = "raw path"  // two of these, with a connection between
	jetStream = "jetstream" // NATS in this process, synced always
)

// A store keeps messages: when append returns they are synced.
type store interface {
	append(ctx context.Context, bodies [][]byte) error
	close() error
}

// A receiver is a store of which those messages count that have come out at the other end.
type receiver interface{ received() int64 }

func openStore(ctx context.Context, name, dir string, c cell) (store, error) {
	switch {
	case name == rawPaths:
		return openRawPath(ctx, dir)
	case c.Path:
		return openPath(ctx, dir)
	}
	switch name {
	case rawFloor:
		return openFloor(dir, c.Slow)
	case jetStream:
		return openJetStream(dir)
	}
	return openOwn(dir, c)
}

// An outcome is what came of one run of a cell.
type outcome struct {
	perSecond float64
	err       error
}

// storeBench measures the spool beside the raw floor and JetStream, each cell in alternating rounds, and prints medians
// of the ratios of each round.
func storeBench(ctx context.Context, rounds int, d time.Duration, only *regexp.Regexp, out, progress io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "store\tmsg/s\tbeside\tmsg/s\tratio\tfrom\tto\tbar\t\n")
	missed := 0
	for _, c := range cells() {
		if only != nil && !only.MatchString(c.String()+" "+c.Beside) {
			continue
		}
		var own, beside, ratios []float64
		for round := range rounds {
			fmt.Fprintf(progress, "%v, round %d of %d\n", c, round+1, rounds)
			names := []string{ownStore, c.Beside}
			if round%2 == 1 {
				slices.Reverse(names)
			}
			rates := make(map[string]float64)
			for _, name := range names {
				r := runCell(ctx, name, c, d)
				if r.err != nil {
					return fmt.Errorf("bench: %s, %v: %w", name, c, r.err)
				}
				rates[name] = r.perSecond
			}
			own, beside = append(own, rates[ownStore]), append(beside, rates[c.Beside])
			ratios = append(ratios, rates[ownStore]/rates[c.Beside])
		}
		verdict := "holds"
		switch {
		case c.Bar == 0:
			verdict = "no bar"
		case median(ratios) < c.Bar:
			verdict, missed = "MISSED", missed+1
		}
		fmt.Fprintf(w, "%v\t%.0f\t%s\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%s\n", c, median(own), c.Beside, median(beside),
			median(ratios), slices.Min(ratios), slices.Max(ratios), c.Bar, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d processors, load %s; medians of %d rounds of %v\n", runtime.Version(), runtime.NumCPU(), load(),
		rounds, d)
	if missed > 0 {
		return fmt.Errorf("bench: %d bars were missed", missed)
	}
	return nil
}

// load is what the machine was busy with.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	var one string
	_, _ = fmt.Sscan(string(b), &one)
	return one
}

// runCell runs one store for so long, after a quarter of that to become warm.
func runCell(ctx context.Context, name string, c cell, d time.Duration) (r outcome) {
	dir, err := os.MkdirTemp("", "bench-store-")
	if err != nil {
		return outcome{err: err}
	}
	defer os.RemoveAll(dir)
	s, err := openStore(ctx, name, filepath.Join(dir, "s"), c)
	if err != nil {
		return outcome{err: err}
	}
	defer func() { r.err = errors.Join(r.err, s.close()) }()
	var count atomic.Int64
	var stop atomic.Bool
	var all sync.WaitGroup
	errs := make(chan error, c.Appenders)
	for n := range c.Appenders {
		all.Go(func() {
			bodies := make([][]byte, c.Batch)
			for i := range bodies {
				bodies[i] = noise(c.Size, uint64(n*c.Batch+i))
			}
			for !stop.Load() {
				if err := s.append(ctx, bodies); err != nil {
					errs <- err
					return
				}
				count.Add(int64(c.Batch))
			}
		})
	}
	counted := count.Load
	if r, ok := s.(receiver); ok {
		counted = r.received
	}
	time.Sleep(d / 4)
	began, before := time.Now(), counted()
	time.Sleep(d)
	n, took := counted()-before, time.Since(began)
	stop.Store(true)
	all.Wait()
	select {
	case err := <-errs:
		return outcome{err: err}
	default:
	}
	return outcome{perSecond: float64(n) / took.Seconds()}
}
