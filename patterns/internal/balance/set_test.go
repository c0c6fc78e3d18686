package balance

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// A script is a Set with a clock.
type script struct {
	*Set[string]
	t   *testing.T
	now time.Time
}

func newScript(t *testing.T, names ...string) *script {
	r := rand.New(rand.NewPCG(1, 2))
	s := &script{New[string](r.IntN), t, time.Unix(1000, 0)}
	for _, name := range names {
		s.Up(name)
	}
	return s
}

func (s *script) pick(want string) {
	s.t.Helper()
	if got, why, _ := s.Pick(s.now, nil); got != want || why != Found {
		s.t.Fatalf("picked %q, %d; want %q", got, why, want)
	}
}

func (s *script) none(want Why, until time.Duration) {
	s.t.Helper()
	name, why, at := s.Pick(s.now, nil)
	if until == 0 && !at.IsZero() || until != 0 && at.Sub(s.now) != until {
		s.t.Errorf("until %v from now, want %v", at.Sub(s.now), until)
	}
	if why != want {
		s.t.Fatalf("picked %q, %d; want %d", name, why, want)
	}
}

func (s *script) done(o Outcome, names ...string) {
	for _, name := range names {
		s.Done(s.now, name, o)
	}
}

func (s *script) after(d time.Duration) { s.now = s.now.Add(d) }

func TestFewestOutstanding(t *testing.T) {
	s := newScript(t, "a", "b", "c")
	for _, want := range []string{"a", "b", "c", "a", "b", "c"} {
		s.pick(want)
	}
	s.done(Answered, "b")
	s.pick("b")
	s.done(Answered, "c", "c", "a")
	s.pick("c")
	s.Up("d") // new ones get calls at once
	s.pick("d")
	s.pick("a")
	for name, want := range map[string]int{"a": 2, "b": 2, "c": 1, "d": 1, "x": 0} {
		if got := s.Outstanding(name); got != want {
			t.Errorf("%d are out at %s, want %d", got, name, want)
		}
	}
}

func TestEqualsTakeTurns(t *testing.T) {
	s := newScript(t, "a", "b", "c")
	for range 5 {
		for _, want := range []string{"a", "b", "c"} {
			s.pick(want)
			s.done(Answered, want)
		}
	}
	s.pick("a")
	s.Remove("b")
	s.pick("c")
	s.done(Answered, "a", "c", "b", "x")
	s.pick("a")
}

func TestNotUpOrDraining(t *testing.T) {
	s := newScript(t)
	s.none(NoReplica, 0)
	s.Up("a")
	s.Up("b")
	s.Drain("a")
	s.Drain("x")
	s.pick("b")
	s.pick("b")
	s.Down(s.now, "b")
	s.Down(s.now, "b")
	s.Down(s.now, "x")
	s.none(NoReplica, 0)
	if s.Usable() != 0 {
		t.Errorf("%d are usable", s.Usable())
	}
	s.Up("a") // another process, in its place
	s.pick("a")
	s.Up("b")
	s.pick("b")
	if s.Usable() != 2 {
		t.Errorf("%d are usable", s.Usable())
	}
}

func TestBusy(t *testing.T) {
	s := newScript(t, "a", "b")
	s.Busy("a", s.now.Add(50*time.Millisecond))
	s.Busy("a", s.now.Add(20*time.Millisecond)) // an older refusal
	s.Busy("x", s.now.Add(time.Hour))
	s.pick("b")
	s.pick("b")
	s.Busy("b", s.now.Add(80*time.Millisecond))
	s.none(Overloaded, 50*time.Millisecond)
	s.after(50 * time.Millisecond)
	s.pick("a")
	s.after(30 * time.Millisecond)
	s.pick("a")
	s.pick("b")
	s.pick("a")
}

func TestTried(t *testing.T) {
	s := newScript(t, "a", "b")
	had := map[string]bool{"a": true}
	tried := func(name string) bool { return had[name] }
	if got, why, _ := s.Pick(s.now, tried); got != "b" || why != Found {
		t.Errorf("%q, %d", got, why)
	}
	had["b"] = true
	if got, why, _ := s.Pick(s.now, tried); why != Tried {
		t.Errorf("%q, %d", got, why)
	}
	delete(had, "b")
	s.Busy("b", s.now.Add(time.Second))
	if got, why, until := s.Pick(s.now, tried); why != Overloaded || until.Sub(s.now) != time.Second {
		t.Errorf("%q, %d, %v", got, why, until)
	}
}

// Three losses in a row, and a replica is passed over for a second, then for two, up to thirty, with one call each time
// to see how it is.
func TestBadOnes(t *testing.T) {
	s := newScript(t, "a", "b")
	lose := func(n int) {
		t.Helper()
		for range n {
			s.pick("a")
			s.pick("b")
			s.done(TimedOut, "a")
			s.done(Answered, "b")
		}
	}
	lose(2)
	s.pick("a")
	s.done(Answered, "a") // not in a row
	s.pick("b")
	s.done(Answered, "b")
	lose(3)
	for _, penalty := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		s.after(penalty*time.Second - 1)
		for range 5 {
			s.pick("b")
		}
		s.after(1)
		s.pick("a")
		for range 5 { // one call is enough to see
			s.pick("b")
		}
		s.done(TimedOut, "a")
		for range 10 {
			s.done(Answered, "b")
		}
	}
	s.after(30 * time.Second)
	s.pick("a")
	s.done(Nothing, "a") // the caller has gone, which says nothing
	s.pick("b")
	s.pick("a")
	s.pick("b") // as long as nothing has been seen
	s.done(Answered, "a")
	s.pick("a") // it is one of two again
	s.pick("a")
	s.pick("b")
}

// Calls that were out when a replica was found to be bad, and are lost as well, say nothing new.
func TestLossesOfOneTrouble(t *testing.T) {
	s := newScript(t, "a", "b")
	for range 10 {
		s.pick("a")
		s.pick("b")
	}
	for range 10 {
		s.done(TimedOut, "a")
		s.after(50 * time.Millisecond)
	}
	s.pick("b")
	s.after(600 * time.Millisecond) // a second after the third
	s.pick("a")
}

// A call that one replica alone can have goes there, unless that takes none.
func TestTake(t *testing.T) {
	s := newScript(t, "a", "b")
	take := func(name string, want bool) {
		t.Helper()
		if got := s.Take(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	s.Busy("a", s.now.Add(time.Second))
	take("a", true)
	take("a", true)
	if n := s.Outstanding("a"); n != 2 {
		t.Errorf("%d are out", n)
	}
	s.done(Answered, "a", "a")
	s.Drain("a")
	take("a", false)
	s.Down(s.now, "b")
	take("b", false)
	take("x", false)
}

func TestTheOnlyOneIsNeverTooBad(t *testing.T) {
	s := newScript(t, "a")
	for range 10 {
		s.pick("a")
		s.done(TimedOut, "a")
	}
}

// What a lost connection takes with it is one loss, and a replica that is lost again and again is not good for being
// back.
func TestLostConnections(t *testing.T) {
	s := newScript(t, "a", "b")
	for i := range 3 {
		for range 10 {
			s.pick("a")
			s.pick("b")
		}
		s.Down(s.now, "a")
		for range 10 {
			s.done(Answered, "b")
		}
		s.Up("a")
		s.Down(s.now, "a") // there was nothing to lose
		s.Up("a")
		if i < 2 {
			s.pick("a")
			s.done(Nothing, "a")
			s.pick("b")
			s.done(Answered, "b")
		}
	}
	for range 5 {
		s.pick("b")
	}
	s.after(time.Second)
	s.pick("a")
	s.done(Answered, "a")
	s.pick("a")
}

// Above 16 replicas two are drawn, and the one with fewer calls is taken, which spreads them nearly as well.
func TestManyReplicas(t *testing.T) {
	s := newScript(t)
	const replicas, calls = 100, 10_000
	for i := range replicas {
		s.Up(strconv.Itoa(i))
	}
	for range calls {
		if _, why, _ := s.Pick(s.now, nil); why != Found {
			t.Fatal(why)
		}
	}
	for i := range replicas {
		if n := s.Outstanding(strconv.Itoa(i)); n < calls/replicas-5 || n > calls/replicas+5 {
			t.Errorf("%d calls of %d", n, calls/replicas)
		}
	}
	for i := range replicas - 1 {
		s.Drain(strconv.Itoa(i))
	}
	s.pick(strconv.Itoa(replicas - 1)) // it is found without being drawn
}

// Whatever happens in whatever order, a call goes to a replica that takes calls if there is one, and to none if not;
// and no count goes wrong.
func TestRandomSchedules(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := &script{New[string](r.IntN), t, time.Unix(1000, 0)}
		up, draining, busy, out := map[string]bool{}, map[string]bool{}, map[string]time.Time{}, map[string]int{}
		for range 200 {
			name := names[r.IntN(len(names))]
			s.after(time.Duration(r.IntN(500)) * time.Millisecond)
			switch r.IntN(10) {
			case 0:
				s.Up(name)
				up[name], draining[name], busy[name], out[name] = true, false, time.Time{}, 0
			case 1:
				s.Down(s.now, name)
				up[name], out[name] = false, 0
			case 2:
				s.Remove(name)
				up[name], out[name] = false, 0
			case 3:
				if s.Drain(name); up[name] {
					draining[name] = true
				}
			case 4:
				until := s.now.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
				if s.Busy(name, until); up[name] && until.After(busy[name]) {
					busy[name] = until
				}
			case 5, 6:
				if out[name] > 0 {
					s.Done(s.now, name, Outcome(r.IntN(3)))
					out[name]--
				}
			default:
				open := func(name string) bool { return up[name] && !draining[name] && !s.now.Before(busy[name]) }
				any := false
				for _, name := range names {
					any = any || open(name)
				}
				got, why, _ := s.Pick(s.now, nil)
				if (why == Found) != any || why == Found && !open(got) {
					t.Fatalf("seed %d: picked %q, %d; there is one: %t", seed, got, why, any)
				}
				if why == Found {
					out[got]++
				}
			}
			for _, name := range names {
				if s.Outstanding(name) != out[name] {
					t.Fatalf("seed %d: %d are out at %s, want %d", seed, s.Outstanding(name), name, out[name])
				}
			}
		}
	}
}

// When all are busy it is the one that is so for the shortest time, and never one that shuts down or is gone.
func TestPickBusy(t *testing.T) {
	now := time.Unix(0, 0)
	s := New[string](func(int) int { return 0 })
	if name, ok := s.PickBusy(); ok {
		t.Errorf("%q of none", name)
	}
	for i, name := range []string{"gone", "draining", "short", "long"} {
		s.Up(name)
		s.Busy(name, now.Add(time.Duration(i+1)*time.Second))
	}
	s.Down(now, "gone")
	s.Drain("draining")
	if _, why, _ := s.Pick(now, nil); why != Overloaded {
		t.Errorf("why %d", why)
	}
	if name, ok := s.PickBusy(); !ok || name != "short" || s.Outstanding("short") != 1 {
		t.Errorf("%q, %v, %d", name, ok, s.Outstanding("short"))
	}
}
