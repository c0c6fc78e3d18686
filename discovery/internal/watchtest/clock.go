package watchtest

import (
	"sync/atomic"
	"testing"
	"time"
)

// A Clock measures how long things take, as far as this process has its share of the machine. While others have it all,
// a goroutine that has slept for nap is woken late, and so is everything else here: of each nap not more than twice its
// length counts. On a machine that is not busy that is the time itself.
type Clock struct{ now atomic.Int64 }

const nap = 10 * time.Millisecond

// NewClock starts a clock, which stops with the test.
func NewClock(t testing.TB) *Clock {
	c := new(Clock)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTimer(nap)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			now := time.Now()
			c.advance(now.Sub(last))
			last = now
			tick.Reset(nap)
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	return c
}

// advance adds one nap, which took so long.
func (c *Clock) advance(took time.Duration) { c.now.Add(int64(min(took, 2*nap))) }

// Now returns the time since the clock was started, to within a nap.
func (c *Clock) Now() time.Duration { return time.Duration(c.now.Load()) }

// Since returns how long ago an earlier Now was.
func (c *Clock) Since(earlier time.Duration) time.Duration { return c.Now() - earlier }
