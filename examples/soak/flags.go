package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Flags are what the user asked for.
type flags struct {
	duration  time.Duration
	seed      uint64
	processes int
	number    int
	only      []string
	transport string
	json      string
	keep      bool
	plan      bool
	verbose   bool
}

const usage = `Soak runs sockets of every role against each other, in processes of their own and over every transport,
does to them what networks, hosts and strangers do, and then balances every ledger against every
receiver.

	go run ./examples/soak                          one minute
	go run -race ./examples/soak --duration 1h
	go run ./examples/soak --seed 7 --number 42     scenario 42 of seed 7 again, alone

It prints each scenario that failed, and a table at the end. The exit status is 0 if every column is
zero, 1 if one is not or nothing ran, 2 if the flags make no sense.

`

// readFlags reads the command line.
func readFlags(args []string, errs io.Writer) (*flags, error) {
	o := &flags{}
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	fs.SetOutput(errs)
	var only string
	fs.DurationVar(&o.duration, "duration", time.Minute, "`time` after which no scenario is begun")
	fs.Uint64Var(&o.seed, "seed", 0, "`number` that all plans follow from; 0 draws one")
	fs.IntVar(&o.processes, "processes", 8, "worker processes at work at the same time, at most")
	fs.IntVar(&o.number, "number", -1, "run the scenario of this `number` alone")
	fs.StringVar(&only, "only", "", "`patterns` to run, by commas, of: "+strings.Join(patterns, " "))
	fs.StringVar(&o.transport, "transport", "", "run the scenarios over this transport alone: tcp, ipc or inproc")
	fs.StringVar(&o.json, "json", "", "write plans and verdicts to this `file`, an object a line; - is standard output")
	fs.BoolVar(&o.keep, "keep", false, "go on after a scenario has failed")
	fs.BoolVar(&o.plan, "plan", false, "print the plan of --number as JSON and run nothing")
	fs.BoolVar(&o.verbose, "verbose", false, "print a line for every scenario")
	fs.Usage = func() {
		say(errs, "%s", usage)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("soak: no argument expected, got %q", fs.Arg(0))
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(patterns, name) {
			return nil, fmt.Errorf("soak: no pattern %q: there are %s", name, strings.Join(patterns, ", "))
		}
	}
	if o.transport != "" && !slices.Contains([]string{"tcp", "ipc", "inproc"}, o.transport) {
		return nil, fmt.Errorf("soak: no transport %q: there are tcp, ipc and inproc", o.transport)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1_000_000) + 1
	}
	if o.processes < 1 {
		return nil, fmt.Errorf("soak: --processes %d: at least 1", o.processes)
	}
	if o.plan && o.number < 0 {
		return nil, fmt.Errorf("soak: --plan needs --number")
	}
	return o, nil
}

// wants: the plan is among those asked for.
func (o *flags) wants(p *plan) bool {
	return (len(o.only) == 0 || slices.Contains(o.only, p.Pattern)) && (o.transport == "" || o.transport == p.Transport)
}
