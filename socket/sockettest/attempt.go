package sockettest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// attempt runs a test that may fail, or skip itself, and returns what it said, or "" if it passed. A panic is a
// failure too, and so is a test that is not over after limit: its context ends then, and what does not heed that is
// left behind.
func attempt(t testing.TB, limit time.Duration, test func(t testing.TB)) (said string, skipped bool) {
	a := &trial{TB: t}
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(t.Context()))
	a.guard(limit, func() { test(a) })
	a.cancel()
	for f := a.nextCleanup(); f != nil; f = a.nextCleanup() {
		a.guard(limit, f)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if !a.failed && !a.skipped {
		return "", false
	}
	return strings.Join(append(a.said, ""), "\n"), !a.failed
}

// A trial is a test whose failure is not the failure of the test it runs in.
type trial struct {
	testing.TB
	ctx    context.Context //nolint:containedctx // it is what Context returns, as that of a testing.T
	cancel context.CancelFunc

	mu       sync.Mutex
	failed   bool
	skipped  bool
	over     bool // nobody listens any more
	said     []string
	cleanups []func()
}

// grace is how long a test whose time is up has to notice that its context has ended.
const grace = 3 * time.Second

// guard runs f in a goroutine of its own, which FailNow can end, until it is done or hangs.
func (a *trial) guard(limit time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				a.Errorf("panic: %v", r)
			}
		}()
		f()
	}()
	if within(limit, done) {
		return
	}
	a.Errorf("not over after %v", limit)
	a.cancel()
	if !within(min(limit, grace), done) {
		a.Errorf("it hangs, and is left behind")
	}
}

func within(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

func (a *trial) nextCleanup() (f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.cleanups); n > 0 {
		f, a.cleanups = a.cleanups[n-1], a.cleanups[:n-1]
	}
	return f
}

func (a *trial) say(s string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said = append(a.said, strings.TrimRight(s, "\n"))
}

func (a *trial) Fail() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = true
}

func (a *trial) Failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

func (a *trial) Skipped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.skipped
}

func (a *trial) FailNow() {
	a.Fail()
	runtime.Goexit()
}

func (a *trial) SkipNow() { a.skip() }

func (a *trial) skip() {
	a.mu.Lock()
	a.skipped = true
	a.mu.Unlock()
	runtime.Goexit()
}

// outright fails the test around the trial, for what another attempt would not excuse.
func (a *trial) outright(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over { // a test that has ended must not be told anything
		a.TB.Errorf(format, args...)
	}
}

// Cleanup runs f after the trial, or at once for one that was left behind.
func (a *trial) Cleanup(f func()) {
	a.mu.Lock()
	over := a.over
	if !over {
		a.cleanups = append(a.cleanups, f)
	}
	a.mu.Unlock()
	if over {
		f()
	}
}

func (a *trial) Context() context.Context          { return a.ctx }
func (a *trial) Log(args ...any)                   { a.say(fmt.Sprintln(args...)) }
func (a *trial) Logf(format string, args ...any)   { a.say(fmt.Sprintf(format, args...)) }
func (a *trial) Error(args ...any)                 { a.Log(args...); a.Fail() }
func (a *trial) Errorf(format string, args ...any) { a.Logf(format, args...); a.Fail() }
func (a *trial) Fatal(args ...any)                 { a.Log(args...); a.FailNow() }
func (a *trial) Fatalf(format string, args ...any) { a.Logf(format, args...); a.FailNow() }
func (a *trial) Skip(args ...any)                  { a.Log(args...); a.skip() }
func (a *trial) Skipf(format string, args ...any)  { a.Logf(format, args...); a.skip() }
