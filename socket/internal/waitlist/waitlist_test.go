package waitlist

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A gate is a counter of things to take, with those who wait for one: the shape of every use of a List.
type gate struct {
	mu     sync.Mutex
	things int
	wait   List
}

func (g *gate) give() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.things++
	g.wait.Wake()
}

func (g *gate) take(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.things == 0 {
		w := g.wait.Join()
		g.mu.Unlock()
		err := w.Wait(ctx)
		g.mu.Lock()
		g.wait.Leave(w, err)
		if err != nil {
			return err
		}
	}
	g.things--
	return nil
}

// check looks at a gate nobody uses any more.
func (g *gate) check(t *testing.T, things int) {
	t.Helper()
	if g.things != things {
		t.Errorf("%d things are left, want %d", g.things, things)
	}
	if n := g.wait.Len(); n > 0 {
		t.Errorf("%d still wait", n)
	}
	for _, w := range g.wait.spare {
		if len(w.ready) > 0 {
			t.Error("a wake-up is left in a waiter to be used again")
		}
	}
}

// woken lists which waiters have been woken, without taking that away.
func woken(ws ...*Waiter) []bool {
	var got []bool
	for _, w := range ws {
		got = append(got, len(w.ready) > 0)
	}
	return got
}

func TestWaitFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		var order []int
		for i := range 20 {
			go func() {
				if err := g.take(t.Context()); err != nil {
					t.Error(err)
				}
				order = append(order, i) // one at a time
			}()
			synctest.Wait()
		}
		for range 20 {
			g.give()
			synctest.Wait()
		}
		want := make([]int, 20)
		for i := range want {
			want[i] = i
		}
		if !slices.Equal(order, want) {
			t.Errorf("served in order %v", order)
		}
		g.check(t, 0)
	})
}

func TestWake(t *testing.T) {
	var q List
	q.Wake() // nobody there
	q.WakeAll()
	a, b, c := q.Join(), q.Join(), q.Join()
	q.Wake()
	if got := woken(a, b, c); !slices.Equal(got, []bool{true, false, false}) {
		t.Errorf("after one wake: %v", got)
	}
	q.WakeAll()
	if got := woken(a, b, c); !slices.Equal(got, []bool{true, true, true}) {
		t.Errorf("after WakeAll: %v", got)
	}
	for _, w := range []*Waiter{a, b, c} {
		if err := w.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		q.Leave(w, nil)
	}
	if again := q.Join(); again != c || len(again.ready) > 0 {
		t.Error("a waiter is not used again, or comes already woken")
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	var q List
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	a, b := q.Join(), q.Join()
	if err := a.Wait(ctx); err != why {
		t.Errorf("wait: %v, want the context's cause", err)
	}
	q.Leave(a, why)
	q.Wake()
	if got := woken(a, b); !slices.Equal(got, []bool{false, true}) {
		t.Errorf("woken: %v; want the one that still waits", got)
	}
}

func TestWaitWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		done := false
		go func() {
			if err := g.take(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
			done = true
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if done {
			t.Fatal("took what was not there")
		}
		g.give()
		synctest.Wait()
		if !done {
			t.Fatal("still waits")
		}
	})
}

// A wake-up that meets a caller who has just given up goes to the next one.
func TestWakeIsPassedOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		wakes  int
		gaveUp []int // in this order, after the wake-ups
		want   []bool
	}{
		{"to the next", 1, []int{0}, []bool{false, true, false, false}},
		{"over one that gave up in good time", 1, []int{1, 0}, []bool{false, false, true, false}},
		{"twice", 1, []int{0, 1}, []bool{false, false, true, false}},
		{"two at once", 2, []int{1, 0}, []bool{false, false, true, true}},
		{"nobody woken, nothing to pass on", 0, []int{0}, []bool{false, false, false, false}},
		{"nobody left to pass it to", 4, []int{0, 1, 2, 3}, []bool{false, false, false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q List
			ws := []*Waiter{q.Join(), q.Join(), q.Join(), q.Join()}
			for range c.wakes {
				q.Wake()
			}
			for _, i := range c.gaveUp {
				q.Leave(ws[i], context.Canceled)
			}
			if got := woken(ws...); !slices.Equal(got, c.want) {
				t.Errorf("woken: %v, want %v", got, c.want)
			}
		})
	}
}

// The same with callers who run: they give up at the very moment that a wake-up is sent, and nobody is forgotten.
func TestWakeMeetsCancel(t *testing.T) {
	for callers := range 8 {
		for givesUp := range callers + 1 {
			synctest.Test(t, func(t *testing.T) {
				var g gate
				ctx, cancel := context.WithCancel(t.Context())
				taken := 0
				for i := range callers {
					go func() {
						switch i < givesUp {
						case true:
							if err := g.take(ctx); err == nil {
								t.Error("took a thing after giving up")
							}
						case false:
							if err := g.take(context.WithoutCancel(t.Context())); err != nil {
								t.Error(err)
							}
							taken++ // one thing is there, so one at most does this at a time
						}
					}()
					synctest.Wait()
				}
				g.mu.Lock()
				cancel() // those who give up are on their way, but have not left yet
				g.things++
				g.wait.Wake()
				g.mu.Unlock()
				synctest.Wait()
				if want := min(1, callers-givesUp); taken != want {
					t.Errorf("of %d callers, %d of which gave up, %d got the one thing, want %d", callers, givesUp, taken, want)
				}
				for range callers {
					g.give()
					synctest.Wait()
				}
				if want := callers - givesUp; taken != want {
					t.Errorf("%d took a thing in the end, want %d", taken, want)
				}
				g.check(t, 1+callers-taken)
			})
		}
	}
}

// The same with real parallelism: in each round some give up while one thing comes, and the last in line does not.
func TestWakeMeetsCancelInParallel(t *testing.T) {
	for range 1000 {
		var g gate
		var impatient, patient sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			impatient.Go(func() { _ = g.take(ctx) }) // either way is right
		}
		g.until(func() bool { return g.wait.Len() == 3 })
		patient.Go(func() { _ = g.take(context.WithoutCancel(t.Context())) })
		g.until(func() bool { return g.wait.Len() == 4 })

		impatient.Go(func() {
			cancel()
			g.give()
		})
		impatient.Wait()
		g.until(func() bool { // the patient one may be on its way to the thing
			lost := g.things > 0 && g.wait.Len() > 0
			if lost {
				t.Error("a thing is there and somebody waits: a wake-up was lost")
			}
			return lost || g.things == 0
		})
		g.give() // for the patient one, if somebody else was served
		patient.Wait()
		if t.Failed() {
			return
		}
	}
}

// until waits for what the others make true.
func (g *gate) until(holds func() bool) {
	for {
		g.mu.Lock()
		ok := holds()
		g.mu.Unlock()
		if ok {
			return
		}
		runtime.Gosched()
	}
}
