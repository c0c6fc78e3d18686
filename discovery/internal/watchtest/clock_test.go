package watchtest

import (
	"testing"
	"testing/synctest"
	"time"
)

// While the process is woken in time the clock shows the time.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClock(t)
		time.Sleep(time.Second + nap/2)
		if got := c.Now(); got != time.Second {
			t.Errorf("%v after a second", got)
		}
		began := c.Now()
		time.Sleep(time.Minute)
		if got := c.Since(began); got != time.Minute {
			t.Errorf("%v after a minute", got)
		}
	})
}

// Of a nap that took long, because others had the machine, no more counts than two naps.
func TestClockInAStall(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		nap: nap, nap * 3 / 2: nap * 3 / 2, 2 * nap: 2 * nap, time.Hour: 2 * nap,
	} {
		var c Clock
		c.advance(took)
		if got := c.Now(); got != want {
			t.Errorf("a nap of %v counts %v, want %v", took, got, want)
		}
	}
}
