package sockettest

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAttempt looks at failures that are not to fail the test around them.
func TestAttempt(t *testing.T) {
	cleaned := 0
	for _, c := range []struct {
		name string
		test func(t testing.TB)
		want string // in what it says, "" for a pass
	}{
		{"passes", func(t testing.TB) { t.Log("not told") }, ""},
		{"error", func(t testing.TB) { t.Errorf("wrong %d", 1) }, "wrong 1"},
		{"fatal", func(t testing.TB) { t.Fatal("at", "once"); t.Error("never") }, "at once"},
		{"panic", func(testing.TB) { panic("oh") }, "panic: oh"},
		{"in a cleanup", func(t testing.TB) { t.Cleanup(func() { t.Error("late") }) }, "late"},
		{"context ends before the cleanups", func(t testing.TB) {
			ctx := t.Context()
			t.Cleanup(func() {
				if ctx.Err() == nil {
					t.Error("still alive")
				}
			})
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := attempt(t, time.Minute, func(t testing.TB) {
				t.Cleanup(func() { cleaned++ })
				c.test(t)
			})
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Contains(got, "never") {
				t.Errorf("attempt says %q, want %q", got, c.want)
			}
		})
	}
	if cleaned != 6 {
		t.Errorf("%d cleanups ran, want 6", cleaned)
	}
}

// TestAttemptHangs looks at attempts that do not end in time, by themselves or at all.
func TestAttemptHangs(t *testing.T) {
	const limit = 20 * time.Millisecond
	gone := make(chan struct{})
	for _, c := range []struct {
		name string
		test func(t testing.TB)
		left bool
	}{
		{"heeds its context", func(t testing.TB) { <-t.Context().Done() }, false},
		{"heeds nothing", func(testing.TB) { <-gone }, true},
		{"in a cleanup", func(t testing.TB) { t.Cleanup(func() { <-gone }) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var cleaned atomic.Bool
			ended := make(chan struct{})
			got, _ := attempt(t, limit, func(t testing.TB) {
				t.Cleanup(func() { cleaned.Store(true) })
				c.test(t)
				close(ended)
			})
			if !strings.Contains(got, "not over after") || strings.Contains(got, "left behind") != c.left {
				t.Errorf("attempt says %q", got)
			}
			if !cleaned.Load() {
				t.Error("no cleanup")
			}
			if !c.left {
				<-ended
			}
		})
	}
	// What is left behind can do no harm any more.
	var late testing.TB
	woken := make(chan struct{})
	failure, _ := attempt(t, limit, func(t testing.TB) {
		late = t
		<-gone
		t.Errorf("told to nobody")
		late.(*trial).outright("told to nobody")
		t.Cleanup(func() { close(woken) })
	})
	close(gone)
	<-woken
	if strings.Contains(failure, "nobody") {
		t.Errorf("attempt says %q", failure)
	}
}

// TestTries looks at what a behaviour that passes or fails now and then means.
func TestTries(t *testing.T) {
	const always, never = 1000, 0
	for _, c := range []struct {
		name     string
		expected bool
		attempts int // of the remote side
		failures int // how many attempts fail before one passes
		passes   int // how many pass before one fails
		tries    int // how many there should be
		want     string
	}{
		{"passes", false, 0, never, always, 1, ""},
		{"fails", false, 0, always, never, 1, "broken"},
		{"one attempt is one", false, 1, 1, always, 1, "broken"},
		{"unsteady, passes", false, 5, never, always, 1, ""},
		{"unsteady, passes in the end", false, 5, 4, always, 5, ""},
		{"unsteady, fails", false, 5, 5, always, 5, "fails in each of 5 attempts"},
		{"expected", true, 0, always, never, 1, ""},
		{"expected, passes by chance", true, 0, never, 19, 20, ""},
		{"expected, always passes", true, 0, never, always, 20, "off the list"},
		{"expected and unsteady, passes by chance", true, 5, never, 19, 20, ""},
		{"expected and unsteady, always passes", true, 5, never, always, 20, "off the list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tries, running := 0, 0
			b := behaviour{run: func(p *pairing) {
				tries++
				running++
				p.Cleanup(func() { running-- })
				if running != 1 {
					p.Errorf("%d attempts at a time", running)
				}
				if tries <= c.failures || tries > c.failures+c.passes {
					p.Fatal("broken")
				}
			}}
			f := Factory{Remote: Side{Attempts: c.attempts}}
			if c.expected {
				f.ExpectedFailures = map[string]string{"some/thing": "known"}
			}
			said, _ := attempt(t, time.Minute, func(t testing.TB) { f.one(t, "some/thing", b, time.Minute) })
			if (said == "") != (c.want == "") || !strings.Contains(said, c.want) {
				t.Errorf("it says %q, want %q", said, c.want)
			}
			if tries != c.tries {
				t.Errorf("%d tries, want %d", tries, c.tries)
			}
		})
	}
}

// TestTriesInTime sees to it that an expected failure that passes slowly does not take for ever, and one that hangs
// is one.
func TestTriesInTime(t *testing.T) {
	f := Factory{ExpectedFailures: map[string]string{"some/thing": "known"}}
	tries := 0
	slow := behaviour{run: func(p *pairing) {
		tries++
		if p.patience != time.Millisecond {
			p.Errorf("a patience of %v", p.patience)
		}
		time.Sleep(10 * time.Millisecond) // as a slow behaviour
	}}
	said, _ := attempt(t, time.Minute, func(t testing.TB) { f.one(t, "some/thing", slow, 10*time.Millisecond) })
	if tries != leastPasses || !strings.Contains(said, "off the list") {
		t.Errorf("%d tries, want %d; it says %q", tries, leastPasses, said)
	}
	hangs := behaviour{run: func(p *pairing) { <-p.Context().Done() }}
	if said, _ := attempt(t, time.Minute, func(t testing.TB) {
		f.one(t, "some/thing", hangs, time.Millisecond)
	}); said != "" {
		t.Errorf("it says %q", said)
	}
}

// TestSkipInAttempt: what is missing skips the test itself, whatever is expected of the behaviour.
func TestSkipInAttempt(t *testing.T) {
	missing := Factory{NotRun: map[string]string{"some/thing": "no such program"}}
	for _, f := range []Factory{
		{ExpectedFailures: map[string]string{"some/thing": "known"}},
		{Local: Side{Attempts: 5}},
	} {
		tries := 0
		b := behaviour{run: func(p *pairing) {
			tries++
			missing.one(p, "some/thing", behaviour{}, time.Minute)
		}}
		said, skipped := attempt(t, time.Minute, func(t testing.TB) { f.one(t, "some/thing", b, time.Minute) })
		if !skipped || !strings.Contains(said, "no such program") || tries != 1 {
			t.Errorf("skipped: %v after %d tries, saying %q", skipped, tries, said)
		}
	}
}

// TestOutright: what is wrong with a steady side fails at once, also in the midst of attempts.
func TestOutright(t *testing.T) {
	steady := Side{New: func(testing.TB, string, Options) Socket { return badCloser{} }}
	unsteady := steady
	unsteady.Attempts = 2
	for _, c := range []struct {
		name     string
		side     func(p *pairing) *end
		expected map[string]string
		want     string // "" for a pass in a second attempt
	}{
		{"steady side", func(p *pairing) *end { return p.local("PUSH") }, nil, "close: broken"},
		{"unsteady side", func(p *pairing) *end { return p.remote("PUSH") }, nil, ""},
		{
			"in an expected failure", func(p *pairing) *end { return p.local("PUSH") },
			map[string]string{"some/thing": "known"},
			"close: broken",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := Factory{Local: steady, Remote: unsteady, ExpectedFailures: c.expected}
			tries := 0
			b := behaviour{run: func(p *pairing) {
				if tries++; tries == 1 {
					c.side(p)
					p.Fatal("by chance")
				}
			}}
			said, _ := attempt(t, time.Minute, func(t testing.TB) { f.one(t, "some/thing", b, time.Minute) })
			if (said == "") != (c.want == "") || !strings.Contains(said, c.want) {
				t.Errorf("it says %q, want %q", said, c.want)
			}
		})
	}
}

// A badCloser is a Socket whose Close fails.
type badCloser struct{ Socket }

func (badCloser) Close() error { return errors.New("broken") }
