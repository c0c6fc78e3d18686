package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// A table gathers results and prints them.
type table struct {
	o     *flags
	out   io.Writer
	errs  io.Writer
	log   *json.Encoder // nil: none
	live  bool          // progress is shown
	began time.Time

	mu     sync.Mutex
	rows   map[string]*row
	failed int
	runs   int
	sum    verdict
}

type row struct {
	scenarios int
	sum       verdict
}

func newTable(o *flags, out, errs io.Writer, log *json.Encoder) *table {
	t := &table{o: o, out: out, errs: errs, log: log, began: time.Now(), rows: make(map[string]*row)}
	if f, ok := errs.(*os.File); ok {
		info, err := f.Stat()
		t.live = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return t
}

// add adds a result, and prints it if it failed.
func (t *table) add(r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := r.Plan.Pattern + " " + r.Plan.Transport
	if t.rows[name] == nil {
		t.rows[name] = new(row)
	}
	t.rows[name].scenarios++
	t.rows[name].sum.plus(r.Verdict)
	t.sum.plus(r.Verdict)
	t.runs++
	if t.log != nil {
		_ = t.log.Encode(r) // what matters is printed
	}
	if t.live {
		say(t.errs, "\r\x1b[K")
	}
	if !r.Verdict.ok() {
		t.failed++
	}
	if t.o.json != "-" && (!r.Verdict.ok() || t.o.verbose) {
		say(t.out, "scenario %d, %s: %s\n", r.Plan.Number, name, r.Verdict.line(r.Took))
		for _, n := range r.Verdict.Notes {
			say(t.out, "  %s\n", n)
		}
		for _, n := range r.Verdict.Sockets {
			say(t.out, "    %s\n", n)
		}
		if t.o.verbose {
			for _, n := range r.Verdict.Stacks {
				say(t.out, "    %s\n", n)
			}
		}
		if !r.Verdict.ok() {
			say(t.out, "  again: soak --seed %d --number %d\n", t.o.seed, r.Plan.Number)
		}
	}
	if t.live {
		say(t.errs, "%d scenarios in %v, %d failed, %d messages received", t.runs,
			time.Since(t.began).Round(time.Second), t.failed, t.sum.Received)
	}
}

// say prints. Where that fails there is nobody to tell.
func say(w io.Writer, format string, a ...any) { _, _ = fmt.Fprintf(w, format, a...) }

// line is a verdict on one line.
func (v *verdict) line(took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sent %d, received %d, dropped %d, cut %d", v.Sent, v.Received, v.Dropped, v.Cut)
	for _, c := range columns {
		if n := v.Columns[c]; n > 0 {
			fmt.Fprintf(&b, ", %s %d", c, n)
		}
	}
	fmt.Fprintf(&b, ", in %v", took.Round(time.Millisecond))
	return b.String()
}

// end prints the table and returns the exit status.
func (t *table) end(took time.Duration) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live {
		say(t.errs, "\r\x1b[K")
	}
	out := t.out
	if t.o.json == "-" {
		out = t.errs
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	say(w, "scenario\truns\tsent\treceived\tdropped\tcut\t%s\t\n", strings.Join(columns, "\t"))
	for _, name := range sortedKeys(t.rows) {
		t.rows[name].sum.print(w, name, t.rows[name].scenarios)
	}
	t.sum.print(w, "all", t.runs)
	_ = w.Flush() // nor here
	say(out, "seed %d, %d scenarios in %v, %d failed\n", t.o.seed, t.runs, took.Round(time.Second), t.failed)
	if t.failed > 0 || t.runs == 0 {
		return 1
	}
	return 0
}

func (v *verdict) print(w io.Writer, name string, runs int) {
	say(w, "%s\t%d\t%d\t%d\t%d\t%d\t", name, runs, v.Sent, v.Received, v.Dropped, v.Cut)
	for _, c := range columns {
		say(w, "%d\t", v.Columns[c])
	}
	say(w, "\n")
}
