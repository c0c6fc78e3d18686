package socket

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestReturnees: messages that wait come back in the order of their times, and those of one time in that in which they
// were given back, by one timer, each at its time.
func TestReturnees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu    sync.Mutex // outbox.mu
			r     returnees
			came  []uint64
			fired int
			late  time.Duration
		)
		due := func() {
			mu.Lock()
			defer mu.Unlock()
			fired++
			for m := r.take(); m != nil; m = r.take() {
				came = append(came, m.nth)
				late = max(late, time.Since(m.at))
			}
		}
		add := func(delay time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			r.add(new(returnee), delay*time.Second, due)
		}
		for _, delay := range []time.Duration{3, 1, 2, 1, 3, 5} {
			add(delay)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		mu.Lock()
		if want := []uint64{2, 4, 3, 1, 5}; !slices.Equal(came, want) || fired != 3 || late > 0 {
			t.Errorf("%v have come by %d wake-ups, at most %v late; want %v by 3", came, fired, late, want)
		}
		mu.Unlock()
		add(2) // behind the one that waits
		mu.Lock()
		r.drop()
		mu.Unlock()
		time.Sleep(time.Minute)
		add(1)
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := []uint64{2, 4, 3, 1, 5, 8}; !slices.Equal(came, want) || r.timer != nil {
			t.Errorf("%v have come, want %v", came, want)
		}
	})
}
