package sockettest

import (
	"cmp"
	"strings"
	"testing"
	"time"
)

// A behaviour is one thing the suite pins down. Local is what it is about, Remote plays along.
type behaviour struct {
	name   string
	needs  []Capability // of Local, or of the pairing
	remote []Capability // of Remote
	run    func(p *pairing)
}

// A group is the behaviours of one pattern.
type group struct {
	name       string
	behaviours []behaviour
}

func groups() []group {
	return []group{
		{"pipeline", pipeline()},
		{"pubsub", pubsub()},
		{"xpub", xpub()},
		{"reqrep", reqrep()},
		{"routing", routing()},
		{"pair", pair()},
		{"queues", queues()},
		{"lifecycle", lifecycle()},
		{"faults", faults()},
		{"wire", wire()},
		{"heartbeat", heartbeats()},
	}
}

// Behaviours returns the full names of all behaviours, in the order in which they run.
func Behaviours() []string {
	var names []string
	for _, g := range groups() {
		for _, b := range g.behaviours {
			names = append(names, g.name+"/"+b.name)
		}
	}
	return names
}

// Run holds a pairing against every behaviour of the suite, each as a subtest "group/name". What the pairing cannot
// express is skipped, with what is lacking; see also [Factory.ExpectedFailures].
//
// Behaviours do not run in parallel with each other; several Runs may.
func Run(t *testing.T, f Factory) {
	t.Helper()
	patience := cmp.Or(f.Patience, 15*time.Second)
	f.checkNames(t)
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, b := range g.behaviours {
				t.Run(b.name, func(t *testing.T) { f.one(t, g.name+"/"+b.name, b, patience) })
			}
		})
	}
}

// one runs one behaviour as the factory says.
func (f *Factory) one(t testing.TB, name string, b behaviour, patience time.Duration) {
	t.Helper()
	reason, expected := f.ExpectedFailures[name]
	if what, who, why := f.lacking(b); what != "" {
		if expected {
			t.Errorf("listed as an expected failure, but it is not run: %s lacks %q; take it off the list", who, what)
		}
		t.Skipf("lacks: %s cannot express %q: %s", who, what, why)
	}
	if why, ok := f.NotRun[name]; ok {
		t.Skipf("lacks: not to be run: %s", why)
	}
	attempts := max(1, f.Local.Attempts, f.Remote.Attempts)
	switch {
	case expected:
		f.fails(t, reason, b, patience)
	case attempts > 1:
		f.passes(t, attempts, b, patience)
	default:
		b.run(&pairing{TB: t, f: f, patience: patience})
	}
}

// How often an expected failure must pass before it is taken for one that no longer fails: on a machine that is so
// slow that all of the passes do not fit into the patience there is, at least leastPasses.
const (
	enoughPasses = 20
	leastPasses  = 5
)

// fails tries a behaviour that is expected to fail. One pass says nothing: what fails by a race, or because something
// is lost, passes now and then.
func (f *Factory) fails(t testing.TB, reason string, b behaviour, patience time.Duration) {
	t.Helper()
	n := 0
	for start := time.Now(); n < leastPasses || n < enoughPasses && time.Since(start) < patience; n++ {
		if failure := f.attempt(t, b, patience, patience/10); failure != "" {
			t.Logf("fails as expected (%s), in attempt %d: %s", reason, n+1, failure)
			return
		}
	}
	t.Fatalf("passes %d times of %d, but is listed as an expected failure (%s); take it off the list", n, n, reason)
}

// passes tries a behaviour until it passes.
func (f *Factory) passes(t testing.TB, attempts int, b behaviour, patience time.Duration) {
	t.Helper()
	for n := 1; n <= attempts; n++ {
		failure := f.attempt(t, b, patience, patience)
		if failure == "" {
			return
		}
		t.Logf("attempt %d of %d fails: %s", n, attempts, failure)
	}
	t.Fatalf("fails in each of %d attempts", attempts)
}

// attempt runs a behaviour once. It waits many times over, each time no longer than its patience; the limit is for what
// heeds no context.
func (f *Factory) attempt(t testing.TB, b behaviour, patience, each time.Duration) (failure string) {
	said, skipped := attempt(t, 10*patience, func(t testing.TB) { b.run(&pairing{TB: t, f: f, patience: each}) })
	if skipped {
		t.Skip(said) // what is missing will be missing next time
	}
	return said
}

// checkNames makes a mistyped name an error.
func (f *Factory) checkNames(t *testing.T) {
	known := make(map[string]bool)
	for _, name := range Behaviours() {
		known[name] = true
	}
	for _, table := range []map[string]string{f.ExpectedFailures, f.NotRun} {
		for name := range table {
			if !known[name] {
				t.Errorf("the factory's tables name %q, which is no behaviour; the names are:\n\t%s", name,
					strings.Join(Behaviours(), "\n\t"))
			}
		}
	}
}
