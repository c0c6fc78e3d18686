package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// Flags are what the user asked for.
type flags struct {
	sizes
	duration time.Duration
	seed     uint64
	only     []string
	dir      string
	keep     bool
	plan     bool
	verbose  bool
}

// Sizes say how much is done in each scenario.
type sizes struct {
	messages uint64
	kills    int // of either side
	cuts     int
	stops    int // of either side
	lanes    int // goroutines that send
}

const usage = `Crashtest kills, stops and cuts off a sender and its receivers, in processes of their own, and checks
that every message that was accepted came, once, in order and undamaged.

	go run ./examples/crashtest                           some minutes
	go run ./examples/crashtest --seed 7 --only inbox     one scenario of a seed again
	go run ./examples/crashtest --long                    ten times as much

The exit status is 0 if every column is zero and all that was planned was done, 1 if not, 2 if the flags make no sense.

`

// readFlags reads the command line.
func readFlags(args []string, errs io.Writer) (*flags, error) {
	o := &flags{}
	fs := flag.NewFlagSet("crashtest", flag.ContinueOnError)
	fs.SetOutput(errs)
	var only string
	var long bool
	fs.Uint64Var(&o.messages, "messages", 1_000_000, "messages of each scenario")
	fs.IntVar(&o.kills, "kills", 200, "how often the sender, and how often a receiver, is killed in each scenario")
	fs.IntVar(&o.cuts, "cuts", 1000, "how often a connection is cut in each scenario")
	fs.IntVar(&o.stops, "stops", 20, "how often the sender, and how often a receiver, is stopped for a while")
	fs.IntVar(&o.lanes, "lanes", 32, "goroutines that send, each of which keeps its own order")
	fs.DurationVar(&o.duration, "duration", 0, "run the scenarios again, with the next seed, until this `time` has passed")
	fs.Uint64Var(&o.seed, "seed", 0, "`number` that all plans follow from; 0 draws one")
	fs.StringVar(&only, "only", "", "`scenarios` to run, by commas, of: "+strings.Join(names(), " "))
	fs.StringVar(&o.dir, "dir", "", "`directory` for the files, which is kept; by default a temporary one")
	fs.BoolVar(&o.keep, "keep", false, "go on after a scenario has failed, and keep its files")
	fs.BoolVar(&o.plan, "plan", false, "print the plans as JSON, a scenario a line, and run nothing")
	fs.BoolVar(&o.verbose, "verbose", false, "print each thing that is done")
	fs.BoolVar(&long, "long", false, "10,000,000 messages, 400 kills of either side and 2,000 cuts, unless said otherwise")
	fs.Usage = func() {
		say(errs, "%s", usage)
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if long {
		given := make(map[string]bool)
		fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range map[string]string{"messages": "10000000", "kills": "400", "cuts": "2000", "stops": "40"} {
			if !given[name] {
				_ = fs.Set(name, value) // it is a number
			}
		}
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("crashtest: no argument expected, got %q", fs.Arg(0))
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("crashtest: no scenario %q: there are %s", name, strings.Join(names(), ", "))
		}
	}
	if o.lanes < 1 || o.lanes > maxLanes {
		return nil, fmt.Errorf("crashtest: --lanes %d: from 1 to %d", o.lanes, maxLanes)
	}
	if o.messages < 1 || min(o.kills, o.cuts, o.stops) < 0 {
		return nil, fmt.Errorf("crashtest: --messages at least 1, the others at least 0")
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1_000_000) + 1
	}
	return o, nil
}

// crash runs the scenarios and prints what came of them.
func (o *flags) crash(ctx context.Context, out, errs io.Writer) (int, error) {
	if o.plan {
		w := json.NewEncoder(out)
		for s := range o.scenarios() {
			if err := w.Encode(makePlan(s, o.seed, o.sizes)); err != nil {
				return 2, err
			}
		}
		return 0, nil
	}
	base := o.dir
	if base == "" {
		dir, err := os.MkdirTemp("", "crashtest")
		if err != nil {
			return 2, err
		}
		defer func() { _ = os.Remove(dir) }() // which it is not while files of a scenario are kept in it
		base = dir
	}
	t := newTable(out)
	began := time.Now()
	for seed := o.seed; ; seed++ {
		for s := range o.scenarios() {
			r, err := o.one(ctx, makePlan(s, seed, o.sizes), base, errs)
			if err != nil {
				return 1, err
			}
			t.add(r)
			if !r.ok() && !o.keep {
				return t.end(seed), nil
			}
		}
		if time.Since(began) >= o.duration {
			return t.end(o.seed), nil
		}
	}
}

// one runs one scenario in a directory of its own.
func (o *flags) one(ctx context.Context, p *plan, base string, errs io.Writer) (*result, error) {
	dir, err := os.MkdirTemp(base, p.Scenario+"-")
	if err != nil {
		return nil, err
	}
	log := io.Discard
	if o.verbose {
		log = errs
	}
	r, err := carryOut(ctx, p, dir, log)
	switch {
	case o.dir != "":
	case err == nil && !r.ok() && o.keep:
		say(errs, "kept: %s\n", dir)
	default:
		_ = os.RemoveAll(dir) // what cannot be removed is left to the system
	}
	return r, err
}

// scenarios yields those that were asked for.
func (o *flags) scenarios() func(yield func(scenario) bool) {
	return func(yield func(scenario) bool) {
		for _, s := range scenarios {
			if (len(o.only) == 0 || slices.Contains(o.only, s.Name)) && !yield(s) {
				return
			}
		}
	}
}

// say prints. Where that fails there is nobody to tell.
func say(w io.Writer, format string, a ...any) { _, _ = fmt.Fprintf(w, format, a...) }
