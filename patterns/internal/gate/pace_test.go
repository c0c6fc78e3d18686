package gate

import (
	"testing"
	"time"
)

const soon = 10 * time.Microsecond

// crowd is how long a look takes among so many that compute on two processors, for 10 ms each.
func crowd(n int) time.Duration { return time.Duration(n) * 5 * ms }

// TestPace: how far the pace comes in a second of looks, as often as they may be, at calls that wait to run.
func TestPace(t *testing.T) {
	for _, tt := range []struct {
		name        string
		took        func(running int) time.Duration // a look
		perSecond   func(running int) float64       // calls that end
		least, most int
	}{
		{
			"handlers that wait",
			func(int) time.Duration { return soon }, func(n int) float64 { return 100 * float64(n) }, 900, 2000,
		}, {
			"handlers that wait, and for each other",
			func(int) time.Duration { return soon }, func(int) float64 { return 0 }, 900, 2000,
		}, {
			"handlers that compute",
			crowd, func(int) float64 { return 200 }, 2, 8,
		}, {
			"handlers that compute briefly",
			func(n int) time.Duration { return crowd(n) / 100 }, func(int) float64 { return 20_000 }, 8, 100,
		}, {
			"handlers that wait while others compute",
			func(int) time.Duration { return 10 * ms }, func(n int) float64 { return 100 * float64(n) }, 64, 2000,
		}, {
			"handlers that wait for each other while others compute",
			func(int) time.Duration { return 10 * ms }, func(int) float64 { return 0 }, 900, 2000,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, begin := newPace(2), time.Unix(0, 0)
			ended := 0.0
			for now := begin; now.Sub(begin) < time.Second && p.value < 1000; now = now.Add(ms) {
				for ended += tt.perSecond(p.value) / 1000; ended >= 1; ended-- {
					p.done(p.value)
				}
				if p.look(now) {
					p.looked(now, tt.took(p.value))
				}
			}
			if p.value < tt.least || p.value > tt.most {
				t.Errorf("%d calls at once, want %d to %d", p.value, tt.least, tt.most)
			}
		})
	}
}

func TestOneLookAtATime(t *testing.T) {
	p, now := newPace(2), time.Unix(0, 0)
	if !p.look(now) || p.look(now) {
		t.Fatal("want one look")
	}
	p.looked(now, soon)
	if !p.look(now) {
		t.Error("no second look, and no crowd")
	}
	p.looked(now, 40*ms)
	if p.look(now.Add(79*ms)) || !p.look(now.Add(80*ms)) {
		t.Error("want the next look after twice the time that the last one took")
	}
}

// TestPaceIsGivenUp: what is not in use is given up, down to a call for each processor.
func TestPaceIsGivenUp(t *testing.T) {
	p := newPace(2)
	p.value = 100
	for range 1000 {
		p.done(50)
	}
	if p.value != 100 {
		t.Errorf("%d, of which half was in use", p.value)
	}
	for range 1000 {
		p.done(1)
	}
	if p.value > 3 {
		t.Errorf("%d, of which one was in use", p.value)
	}
}

// TestGateLooks: calls beyond the pace wait for a look, though the limit would let them run; one that the application
// has set is not looked after.
func TestGateLooks(t *testing.T) {
	s := newScript(t, Config{Processors: 2})
	s.offer("a", 1, Run)
	s.offer("a", 2, Run)
	if s.Look(s.now) {
		t.Fatal("a look, and nobody waits")
	}
	s.offer("a", 3, Wait)
	s.next(0, Nothing)
	if at, ok := s.Due(s.now); !ok || at.After(s.now) {
		t.Fatal("the look is not due")
	}
	if !s.Look(s.now) {
		t.Fatal("no look")
	}
	s.Looked(s.now, soon)
	s.next(3, Run)
	s.offer("a", 4, Run)
	s.offer("a", 5, Wait)
	if !s.Look(s.now) {
		t.Fatal("no look")
	}
	s.Looked(s.now, 20*ms)
	s.next(0, Nothing)
	if at, ok := s.Due(s.now); !ok || !at.Equal(s.now.Add(40*ms)) {
		t.Fatalf("due in %v, want in 40ms", at.Sub(s.now))
	}
	s.Done(ms, Finished)
	s.next(5, Run)

	s = newScript(t, Config{Limit: 1000, Processors: 2})
	for i := range 100 {
		s.offer("a", i, Run)
		s.Done(ms, Finished)
	}
	if s.most() != 1000 {
		t.Errorf("%d may run, want the limit", s.most())
	}
	for i := range 1000 {
		s.offer("a", i, Run)
	}
	if s.offer("a", 1000, Wait); s.Look(s.now) {
		t.Error("a look at a limit that is set")
	}
}
