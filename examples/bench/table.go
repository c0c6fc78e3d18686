package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// A section of the table has a row for each work and metric that was measured.
type section struct {
	title   string
	metrics []column
	only    func(v float64) bool // nil, or whether a row with such a value in it is worth its line
}

type column struct {
	metric, label string
	format        func(float64) string
	ratio         bool // to the suite's reference, in parentheses
}

func sections() []section {
	return []section{
		{"Messages a second, received; in parentheses × libzmq, more is better", []column{{rate, "", amount, true}}, nil},
		{"Messages lost of a thousand", []column{{lost, "", digits, false}}, func(v float64) bool { return v > 0 }},
		{"Round trips and delays, µs; in parentheses × libzmq, less is better", []column{
			{mean, "mean", digits, true}, {p50, "p50", digits, true}, {p99, "p99", digits, true}, {p999, "p99.9", digits, true},
		}, nil},
		{"CPU of all processes, ns a message sent, or a round trip; less is better", []column{{cpu, "", amount, true}}, nil},
		{
			"Allocations a message, Go only",
			[]column{{allocsOut, "sent", digits, false}, {allocsIn, "received", digits, false}},
			nil,
		},
		{"System calls of all processes, a message or a round trip", []column{{sysCalls, "", digits, false}}, nil},
		{"Idle peers: memory each, CPU of the listening process", []column{
			{memPeer, "memory", kib, true}, {idleCPU, "CPU", func(v float64) string { return digits(v) + " %" }, false},
		}, nil},
	}
}

// print writes the whole result for people.
func (r *results) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", r.Date, r.Machine)
	for _, p := range r.Peers {
		fmt.Fprintf(&b, "%s: %s\n", p.Name, p.Version)
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "%s: MISSING: %s\n", m.Name, m.Why)
	}
	fmt.Fprintf(&b, "medians of %s, high-water mark %s, took %s\n", count(r.Rounds, "round"), grouped(r.HWM), r.Took)
	if r.Quick {
		b.WriteString("--quick: small counts; look at ratios, and at those twice\n")
	}
	if r.Short {
		b.WriteString("--quick ran out of time: the last rounds are not complete\n")
	}
	for _, s := range r.suite.sections() {
		r.printSection(&b, s)
	}
	r.printBars(&b)
	for i, f := range r.Failures {
		if i == 0 {
			b.WriteString("\nFailures\n")
		}
		fmt.Fprintf(&b, "%s, %s: %s\n", f.Work, f.Peer, f.Error)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *results) printSection(b *strings.Builder, s section) {
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	begun := false
	for _, work := range r.Works {
		for _, c := range s.metrics {
			row, worth := r.row(work, s, c)
			if !worth {
				continue
			}
			if !begun {
				begun = true
				fmt.Fprintf(b, "\n%s\n", s.title)
				head := []string{""}
				for _, p := range r.Peers {
					head = append(head, p.Name)
				}
				_, _ = fmt.Fprintln(tw, strings.Join(head, "\t"))
			}
			_, _ = fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
	}
	_ = tw.Flush() // into memory, as all that goes through it
}

// row returns the cells of a row, and whether there is anything in it.
func (r *results) row(w *work, s section, c column) (cells []string, worth bool) {
	cells = []string{strings.TrimSpace(w.Title + " " + c.label)}
	against, known := r.median(w.ID, r.suite.reference, c.metric)
	for _, p := range r.Peers {
		v, ok := r.median(w.ID, p.Name, c.metric)
		if !ok {
			cells = append(cells, "–")
			continue
		}
		cell := c.format(v)
		if c.ratio && known && against > 0 && p.Name != r.suite.reference {
			cell += " (" + digits(v/against) + ")"
		}
		cells = append(cells, cell)
		worth = worth || s.only == nil || s.only(v)
	}
	return cells, worth
}
