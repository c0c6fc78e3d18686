package gate

import (
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// A script is a Gate with a clock, and names for peers and calls.
type script struct {
	*Gate[string, int]
	t   *testing.T
	now time.Time
}

func newScript(t *testing.T, c Config) *script {
	return &script{New[string, int](c), t, time.Unix(0, 0)}
}

func (s *script) offer(peer string, call int, want Verdict) {
	s.t.Helper()
	if v, out, refused := s.Offer(s.now, peer, call, time.Time{}); v != want || refused {
		s.t.Fatalf("call %d of %s: %d, and %d is refused: %t; want %d", call, peer, v, out, refused, want)
	}
}

func (s *script) next(call int, want Verdict) {
	s.t.Helper()
	if c, v := s.Next(s.now); v != want || v != Nothing && c != call {
		s.t.Fatalf("next is call %d: %d; want %d: %d", c, v, call, want)
	}
}

func (s *script) counts(running, queued int) {
	s.t.Helper()
	if s.Running() != running || s.Queued() != queued {
		s.t.Fatalf("%d run and %d wait; want %d and %d", s.Running(), s.Queued(), running, queued)
	}
}

func TestRunsUpToTheLimit(t *testing.T) {
	s := newScript(t, Config{Limit: 2})
	s.offer("a", 1, Run)
	s.offer("a", 2, Run)
	s.offer("a", 3, Wait)
	s.offer("a", 4, Wait)
	s.next(0, Nothing)
	s.counts(2, 2)
	s.Done(ms, Finished)
	s.next(3, Run)
	s.next(0, Nothing)
	s.Done(ms, Finished)
	s.Done(ms, Lost)
	s.next(4, Run)
	s.counts(1, 0)
	s.Done(ms, Abandoned)
	s.counts(0, 0)
	s.offer("a", 5, Run)
}

func TestPeersTakeTurns(t *testing.T) {
	s := newScript(t, Config{Limit: 1})
	s.offer("a", 1, Run)
	for call, peer := range []string{"a", "a", "a", "b", "b", "c"} {
		s.offer(peer, call+2, Wait)
	}
	for _, call := range []int{2, 5, 7, 3, 6, 4} {
		s.Done(ms, Finished)
		s.next(call, Run)
	}
	s.counts(1, 0)
}

// Until there has been a queue for 100 ms a call may wait for 100 ms, then for 5 ms.
func TestWaitsForLess(t *testing.T) {
	s := newScript(t, Config{Limit: 1})
	s.offer("a", 1, Run)
	s.offer("a", 2, Wait)
	s.now = s.now.Add(100 * ms)
	s.offer("a", 3, Wait)
	s.next(0, Nothing)
	s.now = s.now.Add(1)
	s.next(2, Refuse)
	s.next(0, Nothing)
	s.now = s.now.Add(5*ms - 1)
	s.offer("a", 4, Wait)
	s.offer("a", 8, Wait)
	s.next(0, Nothing)
	s.now = s.now.Add(1)
	s.next(3, Refuse)
	s.next(0, Nothing)
	s.now = s.now.Add(5 * ms)
	s.next(4, Refuse)
	s.next(0, Nothing) // the only one
	s.now = s.now.Add(100 * ms)
	s.next(8, Refuse)
	s.counts(1, 0)

	// A queue that was empty for a moment is a new one.
	s.offer("a", 5, Wait)
	s.now = s.now.Add(99 * ms)
	s.next(0, Nothing)
	s.Done(ms, Finished)
	s.next(5, Run)
}

func TestDueIsWhenNextHasSomething(t *testing.T) {
	s := newScript(t, Config{Limit: 1})
	if _, ok := s.Due(s.now); ok {
		t.Error("something is due")
	}
	s.offer("a", -1, Run)
	s.offer("a", 0, Wait)
	for call := range 50 {
		s.now = s.now.Add(ms * time.Duration(call%7))
		s.offer("a", call+1, Wait)
		at, ok := s.Due(s.now)
		if !ok {
			t.Fatal("nothing is due")
		}
		if at.After(s.now) {
			s.now = at.Add(-1)
			s.next(0, Nothing)
		}
		s.now = at
		s.next(call, Refuse)
	}
}

// The only call of its peer may wait longer, if there are few peers.
func TestOnlyCallOfItsPeer(t *testing.T) {
	s := newScript(t, Config{Limit: 2})
	s.offer("a", 1, Run)
	s.offer("a", 2, Run)
	s.offer("a", 3, Wait)
	s.now = s.now.Add(100 * ms)
	s.offer("b", 4, Wait)
	s.offer("a", 5, Wait)
	s.offer("a", 6, Wait)
	s.now = s.now.Add(1)
	s.next(3, Refuse)
	s.now = s.now.Add(6 * ms)
	s.next(5, Refuse)
	s.next(0, Nothing) // 4, and 6, which is the only one now
	if at, ok := s.Due(s.now); !ok || at.Sub(s.now) != 94*ms {
		t.Errorf("due in %v, %t", at.Sub(s.now), ok)
	}
	s.offer("c", 7, Wait) // three peers, of which two can run
	s.next(4, Refuse)
	s.next(0, Nothing)
	s.now = s.now.Add(94 * ms)
	s.next(6, Refuse)
	s.next(0, Nothing)
	s.counts(2, 1)
}

func TestExpiredCallsDoNotRun(t *testing.T) {
	s := newScript(t, Config{Limit: 1})
	s.offer("a", 1, Run)
	for call := range 3 {
		if v, _, _ := s.Offer(s.now, "a", 2+call, s.now.Add(time.Duration(10*call)*ms+ms)); v != Wait {
			t.Fatal(v)
		}
	}
	s.now = s.now.Add(ms)
	s.next(0, Nothing) // there is no hurry to say so
	s.Done(ms, Finished)
	s.next(2, Expire)
	s.next(3, Run)
	s.now = s.now.Add(200 * ms)
	s.next(4, Expire)
	s.counts(1, 0)
}

// A queue that is full takes calls all the same of peers that have few in it.
func TestFullQueue(t *testing.T) {
	s := newScript(t, Config{Limit: 1, Queue: 3})
	s.offer("a", 1, Run)
	s.offer("a", 2, Wait)
	s.offer("a", 3, Wait)
	s.offer("a", 4, Wait)
	s.offer("a", 5, Refuse)
	for _, tt := range []struct {
		peer      string
		call, out int
	}{{"b", 6, 4}, {"b", 7, 3}, {"c", 9, 7}} {
		if tt.peer == "c" {
			s.offer("b", 8, Refuse) // it has most
		}
		v, out, refused := s.Offer(s.now, tt.peer, tt.call, time.Time{})
		if v != Wait || !refused || out != tt.out {
			t.Fatalf("%d, and %d is refused: %t; want call %d", v, out, refused, tt.out)
		}
	}
	s.offer("d", 8, Refuse) // each has one
	s.counts(1, 3)
	s.Done(ms, Finished)
	s.next(2, Run)
}

func TestLeave(t *testing.T) {
	s := newScript(t, Config{Limit: 1})
	s.offer("a", 1, Run)
	s.offer("a", 2, Wait)
	s.offer("b", 3, Wait)
	s.offer("a", 4, Wait)
	if got := s.Leave(s.now, "a"); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("%v were taken back", got)
	}
	if got := s.Leave(s.now, "a"); got != nil {
		t.Errorf("%v were taken back", got)
	}
	s.counts(1, 1)
	s.Done(ms, Abandoned)
	s.next(3, Run)
	s.next(0, Nothing)
	if len(s.lines) != 0 || s.turns.Len() != 0 {
		t.Error("something is left")
	}
}

func TestRetryAfter(t *testing.T) {
	s := newScript(t, Config{Limit: 1})
	s.offer("a", 1, Run)
	want := func(d time.Duration) {
		t.Helper()
		if got := s.RetryAfter(s.now); got != d {
			t.Errorf("%v, want %v", got, d)
		}
	}
	want(5 * ms)
	s.offer("a", 2, Wait)
	want(5 * ms)
	s.now = s.now.Add(20 * ms)
	want(40 * ms)
	s.now = s.now.Add(time.Hour)
	want(time.Second)
}

// What says nothing of how fast calls are leaves the limit alone or lowers it.
func TestLimitIsOnlyRaisedByCallsThatFinish(t *testing.T) {
	g := New[int, int](Config{})
	if g.Limit() != 256 {
		t.Fatalf("it begins with %d", g.Limit())
	}
	for range 200 {
		g.running = 200
		g.Done(time.Hour, Lost) // nothing is known yet
	}
	if g.Limit() != 256 {
		t.Errorf("%d", g.Limit())
	}
	for range 2000 { // in use, and as fast as ever
		g.running = g.Limit()
		g.Done(10*ms, Finished)
	}
	if g.Limit() != 1000 {
		t.Errorf("%d after 2,000 calls of the same time", g.Limit())
	}
	for range 200 {
		g.running = g.Limit()
		g.Done(time.Microsecond, Lost) // callers that are in a hurry
		g.Done(time.Microsecond, Abandoned)
	}
	if g.Limit() != 1000 {
		t.Errorf("%d after callers gave up early", g.Limit())
	}
	g.Done(time.Second, Lost)
	if g.Limit() != 900 {
		t.Errorf("%d after a call that took too long", g.Limit())
	}
	for range 1000 {
		g.running = 1
		g.Done(ms, Finished)
	}
	if g.Limit() != 900 {
		t.Errorf("%d after calls that did not need it", g.Limit())
	}
	for range 1000 {
		g.running = 1
		g.Done(time.Hour, Lost)
	}
	if g.Limit() != 1 {
		t.Errorf("%d, and not 1 at least", g.Limit())
	}
}
