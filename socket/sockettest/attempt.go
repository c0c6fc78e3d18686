package sockettest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// attempt runs a test that may fail and returns what it said, or "" if it passed. A panic is a failure too.
func attempt(t testing.TB, test func(t testing.TB)) (failure string) {
	a := &trial{TB: t}
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(t.Context()))
	a.guard(func() { test(a) })
	a.cancel()
	for {
		a.mu.Lock()
		n := len(a.cleanups)
		if n == 0 {
			break
		}
		f := a.cleanups[n-1]
		a.cleanups = a.cleanups[:n-1]
		a.mu.Unlock()
		a.guard(f)
	}
	defer a.mu.Unlock()
	if !a.failed {
		return ""
	}
	return strings.Join(append(a.said, ""), "\n")
}

// A trial is a test whose failure is not the failure of the test it runs in.
type trial struct {
	testing.TB
	ctx    context.Context //nolint:containedctx // it is what Context returns, as that of a testing.T
	cancel context.CancelFunc

	mu       sync.Mutex
	failed   bool
	said     []string
	cleanups []func()
}

// guard runs f in a goroutine of its own, which FailNow can end.
func (a *trial) guard(f func()) {
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
	<-done
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

func (a *trial) FailNow() {
	a.Fail()
	runtime.Goexit()
}

func (a *trial) Cleanup(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, f)
}

func (a *trial) Context() context.Context          { return a.ctx }
func (a *trial) Log(args ...any)                   { a.say(fmt.Sprintln(args...)) }
func (a *trial) Logf(format string, args ...any)   { a.say(fmt.Sprintf(format, args...)) }
func (a *trial) Error(args ...any)                 { a.Log(args...); a.Fail() }
func (a *trial) Errorf(format string, args ...any) { a.Logf(format, args...); a.Fail() }
func (a *trial) Fatal(args ...any)                 { a.Log(args...); a.FailNow() }
func (a *trial) Fatalf(format string, args ...any) { a.Logf(format, args...); a.FailNow() }
