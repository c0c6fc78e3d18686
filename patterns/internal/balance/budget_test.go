package balance

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	now := time.Unix(1000, 0)
	b := NewBudget(0.2)
	take := func(want int) {
		t.Helper()
		for i := range want {
			if !b.Take(now) {
				t.Fatalf("%d retries, want %d", i, want)
			}
		}
		if b.Take(now) {
			t.Fatalf("more than %d retries", want)
		}
	}
	take(10) // to begin with
	for range 50 {
		b.Earn()
	}
	take(10)
	now = now.Add(500 * time.Millisecond)
	take(5)
	for range 10_000 {
		b.Earn()
	}
	now = now.Add(time.Hour)
	take(100) // not what was saved for ever
	now = now.Add(-time.Hour)
	take(0)

	rich := NewBudget(0.2)
	for range 10_000 {
		rich.Earn()
	}
	b = rich
	take(100)

	none := NewBudget(-1)
	for range 100 {
		none.Earn()
	}
	if none.Take(now) {
		t.Error("a retry where there are none")
	}
}

// In the long run retries are a fifth of the calls, and ten a second.
func TestBudgetInTheLongRun(t *testing.T) {
	b, now, retries := NewBudget(0.2), time.Unix(1000, 0), 0
	for range 100_000 { // at 1,000 a second, all of which fail
		now = now.Add(time.Millisecond)
		b.Earn()
		for b.Take(now) {
			retries++
		}
	}
	if want := 20_000 + 1000; retries < want-5 || retries > want+15 {
		t.Errorf("%d retries, want about %d", retries, want)
	}
}

func TestPause(t *testing.T) {
	for _, tt := range []struct {
		n      int
		random float64
		want   time.Duration
	}{
		{0, 0.5, 10 * time.Millisecond},
		{0, 0, 5 * time.Millisecond},
		{1, 0.5, 20 * time.Millisecond},
		{6, 0.5, 640 * time.Millisecond},
		{6, 0.999, 959360 * time.Microsecond},
		{7, 0, 500 * time.Millisecond},
		{7, 0.9, time.Second},
		{1 << 30, 0.5, time.Second},
		{-1, 0.5, 10 * time.Millisecond},
	} {
		if got := Pause(tt.n, tt.random).Round(time.Microsecond); got != tt.want {
			t.Errorf("Pause(%d, %v) is %v, want %v", tt.n, tt.random, got, tt.want)
		}
	}
}
