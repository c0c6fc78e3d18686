package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A callCounter has perf count the system calls of the sides of one run. What a process makes to start and end is in
// it.
type callCounter struct {
	dir   string
	files []string
}

// perfWorks reports whether perf can count system calls here.
func perfWorks(ctx context.Context, dir string) error {
	c := &callCounter{dir: dir}
	program, args := c.wrap("true", nil)
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	_, err := c.calls()
	return err
}

// wrap returns what to run in place of a side.
func (c *callCounter) wrap(program string, args []string) (string, []string) {
	if c == nil {
		return program, args
	}
	file := filepath.Join(c.dir, fmt.Sprintf("calls%d", len(c.files)))
	c.files = append(c.files, file)
	return "perf", append([]string{"stat", "-e", "raw_syscalls:sys_enter", "-x,", "-o", file, "--", program}, args...)
}

// calls returns what the sides have made together, once they have ended.
func (c *callCounter) calls() (total float64, err error) {
	for _, file := range c.files {
		b, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		n, err := parseCalls(string(b))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// parseCalls reads what perf stat -x, writes: a comment, an empty line, and the count first in its line.
func parseCalls(text string) (float64, error) {
	for line := range strings.Lines(text) {
		if first, _, ok := strings.Cut(line, ","); ok && strings.Contains(line, "sys_enter") {
			return strconv.ParseFloat(first, 64)
		}
	}
	return 0, fmt.Errorf("bench: perf has counted nothing: %q", text)
}

// countCalls runs the works between two processes once more on each peer, under perf.
func (r *results) countCalls(ctx context.Context, running []*peer, s settings, dir string, show *progress) error {
	if err := perfWorks(ctx, dir); err != nil {
		r.Missing = append(r.Missing, missing{"perf, which counts system calls", err.Error()})
		return nil
	}
	for i, w := range r.Works {
		if w.Transport == "inproc" || w.Kind != oneWay && w.Kind != roundTrip {
			continue
		}
		for _, p := range running {
			if !w.measures(p, s.quick) {
				continue
			}
			show.step(i+1, len(r.Works), fmt.Sprintf("system calls: %s: %s", w.ID, p.name))
			j := w.job(p, s.quick)
			j.HWM, j.Endpoint = s.hwm, endpoint(w.Transport, dir, -1-i)
			c := &callCounter{dir: dir}
			_, err := runSides(ctx, p, w, j, dir, c)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			var n float64
			if err == nil {
				n, err = c.calls()
			}
			if err != nil {
				r.Failures = append(r.Failures, failure{w.ID, p.name, err.Error()})
				continue
			}
			if r.Medians[w.ID][p.name] != nil {
				r.Medians[w.ID][p.name][sysCalls] = n / float64(j.Count+j.Warm)
			}
		}
	}
	return nil
}
