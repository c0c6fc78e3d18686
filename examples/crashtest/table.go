package main

import (
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// A table gathers results and prints them.
type table struct {
	out    io.Writer
	began  time.Time
	rows   []*result
	failed int
}

func newTable(out io.Writer) *table { return &table{out: out, began: time.Now()} }

// add adds a result, and says what was wrong with it.
func (t *table) add(r *result) {
	t.rows = append(t.rows, r)
	if r.ok() {
		return
	}
	t.failed++
	say(t.out, "%s, seed %d, failed\n", r.plan.Scenario, r.plan.Seed)
	for _, n := range r.notes {
		say(t.out, "  %s\n", n)
	}
	if text := r.undone(); text != "" {
		say(t.out, "  not all was done: %s\n", text)
	}
	say(t.out, "  again: crashtest --only %s --seed %d\n", r.plan.Scenario, r.plan.Seed)
}

// end prints the table and returns the exit status.
func (t *table) end(seed uint64) int {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	say(w, "scenario\taccepted\treceived\tredelivered\trefused\tkills\tcuts\tstops\tfull\t%s\ttime\t\n",
		strings.Join(columns, "\t"))
	for _, r := range t.rows {
		say(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t", r.plan.Scenario, r.accepted, r.received, r.again, r.refused,
			r.kills, r.cuts, r.stops, r.fills)
		for _, c := range columns {
			say(w, "%d\t", r.columns[c])
		}
		say(w, "%v\t\n", r.took.Round(100*time.Millisecond))
	}
	_ = w.Flush() // where it fails there is nobody to tell
	took := time.Since(t.began).Round(time.Second)
	say(t.out, "seed %d, %d scenarios in %v, %d failed\n", seed, len(t.rows), took, t.failed)
	if t.failed > 0 || len(t.rows) == 0 {
		return 1
	}
	return 0
}
