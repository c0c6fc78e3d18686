package interop

import (
	"sync/atomic"
	"testing"
	"time"
)

// latest watches how late this process is at its worst.
func latest(t *testing.T) func() time.Duration {
	var worst atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case <-tick.C:
				now := time.Now()
				if d := int64(now.Sub(last) - 5*time.Millisecond); d > worst.Load() {
					worst.Store(d)
				}
				last = now
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return func() time.Duration { return time.Duration(worst.Load()) }
}
