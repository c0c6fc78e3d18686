package dispatch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// told is what actions say, for comparison: "1>7" job 1 to worker 7, "1=done", "1<7" revoked, "1+" again.
func told(actions []Action[int]) string {
	var s []string
	for _, a := range actions {
		switch a.Kind {
		case Assign:
			s = append(s, fmt.Sprintf("%d>%d", a.Job.Seq, a.Worker))
		case Settle:
			s = append(s, fmt.Sprintf("%d=%v", a.Job.Seq, a.Outcome))
		case Revoke:
			s = append(s, fmt.Sprintf("%d<%d", a.Job.Seq, a.Worker))
		case Again:
			s = append(s, fmt.Sprintf("%d+", a.Job.Seq))
		}
	}
	return strings.Join(s, " ")
}

func TestSteps(t *testing.T) {
	type machine = *Machine[int]
	push := func(j Job[int]) func(machine, time.Time) string {
		return func(m machine, now time.Time) string {
			j := j
			actions, err := m.Push(now, &j)
			if err != nil {
				return err.Error()
			}
			return told(actions)
		}
	}
	up := func(w Worker, name string, n uint64, bytes int64) func(machine, time.Time) string {
		return func(m machine, now time.Time) string {
			m.Up(w, name)
			actions, err := m.Credit(now, w, n, bytes)
			if err != nil {
				return err.Error()
			}
			return told(actions)
		}
	}
	more := func(w Worker, n uint64) func(machine, time.Time) string {
		return func(m machine, now time.Time) string {
			if _, err := m.Credit(now, w, n, 0); err != nil {
				return err.Error()
			}
			return ""
		}
	}
	end := func(actions []Action[int], err error) string {
		if err != nil {
			return strings.TrimSpace(told(actions) + " " + err.Error())
		}
		return told(actions)
	}
	ack := func(w Worker, seq uint64) func(machine, time.Time) string {
		return func(m machine, now time.Time) string { return end(m.Ack(now, w, seq)) }
	}
	reject := func(w Worker, seq uint64) func(machine, time.Time) string {
		return func(m machine, now time.Time) string { return end(m.Reject(now, w, seq)) }
	}
	nack := func(w Worker, seq uint64, d time.Duration) func(machine, time.Time) string {
		return func(m machine, now time.Time) string { return end(m.Nack(now, w, seq, d, true)) }
	}
	renew := func(w Worker, seq uint64) func(machine, time.Time) string {
		return func(m machine, now time.Time) string { return end(m.Renew(now, w, seq)) }
	}
	cancel := func(seq uint64) func(machine, time.Time) string {
		return func(m machine, now time.Time) string { return end(m.Cancel(now, seq)) }
	}
	down := func(w Worker, grace time.Duration) func(machine, time.Time) string {
		return func(m machine, now time.Time) string { return told(m.Down(now, w, grace)) }
	}
	tick := func(m machine, now time.Time) string { return told(m.Tick(now)) }
	type step struct {
		at   time.Duration
		do   func(machine, time.Time) string
		want string
	}
	for _, tt := range []struct {
		name  string
		cfg   Config
		steps []step
	}{
		{"a job is done", Config{}, []step{
			{0, up(1, "", 1, 0), ""},
			{0, push(Job[int]{Seq: 1}), "1>1"},
			{0, ack(1, 1), "1=done"},
			{0, ack(1, 1), ErrSettled.Error()},
		}},
		{"to the worker with the most credit, then to the one that was idle longest", Config{}, []step{
			{0, up(1, "", 1, 0), ""},
			{0, up(2, "", 2, 0), ""},
			{0, push(Job[int]{Seq: 1}), "1>2"},
			{0, push(Job[int]{Seq: 2}), "2>1"},
			{0, push(Job[int]{Seq: 3}), "3>2"},
			{0, push(Job[int]{Seq: 4}), ""},
			{0, ack(1, 2), "2=done 4>1"},
		}},
		{"what comes again goes first", Config{}, []step{
			{0, push(Job[int]{Seq: 1}), ""},
			{0, push(Job[int]{Seq: 2}), ""},
			{0, up(1, "", 1, 0), "1>1"},
			{0, down(1, 0), "1+"},
			{0, up(2, "", 1, 0), "1>2"},
		}},
		{"behind a dead job its key goes on", Config{MaxAttempts: 1}, []step{
			{0, up(1, "", 9, 0), ""},
			{0, push(Job[int]{Seq: 1, Key: "k"}), "1>1"},
			{0, push(Job[int]{Seq: 2, Key: "k"}), ""},
			{0, push(Job[int]{Seq: 3, Key: "k"}), ""},
			{0, push(Job[int]{Seq: 4, Key: "k", Expires: start.Add(time.Second)}), ""},
			{0, push(Job[int]{Seq: 5, Key: "k"}), ""},
			{0, reject(1, 1), "1=rejected 2>1"},
			{0, cancel(3), "3=canceled"},
			{time.Second, tick, "4=expired"},
			{time.Second, nack(1, 2, time.Hour), "2+ 2=too often 5>1"},
		}},
		{"a job for one worker waits for it, also by bytes", Config{}, []step{
			{0, up(1, "x", 9, 100), ""},
			{0, push(Job[int]{Seq: 1, To: "y"}), ""},
			{0, push(Job[int]{Seq: 2, Size: 150}), "2>1"},
			{0, push(Job[int]{Seq: 3}), ""},
			{0, up(2, "y", 1, 0), "1>2"},
			{0, ack(1, 2), "2=done 3>1"},
		}},
		{"a lease runs out, and who had it gets no more until it says something", Config{Lease: time.Minute}, []step{
			{0, up(1, "", 1, 0), ""},
			{0, push(Job[int]{Seq: 1}), "1>1"},
			{time.Minute, tick, "1<1 1+"},
			{time.Minute, push(Job[int]{Seq: 2}), ""},
			{time.Minute, up(2, "", 1, 0), "1>2"},
			{time.Minute, ack(1, 1), "2>1 " + ErrSettled.Error()},
		}},
		{"who says nothing gets nothing, whatever its credit", Config{Lease: time.Minute}, []step{
			{0, up(1, "", 9, 0), ""},
			{0, push(Job[int]{Seq: 1}), "1>1"},
			{0, up(2, "", 1, 0), ""},
			{time.Minute, tick, "1<1 1+ 1>2"},
			{time.Minute, push(Job[int]{Seq: 2}), ""},
			{2 * time.Minute, renew(1, 1), "2>1 " + ErrSettled.Error()},
		}},
		{"a late ack counts as long as nobody else has the job", Config{Lease: time.Minute}, []step{
			{0, up(1, "", 1, 0), ""},
			{0, push(Job[int]{Seq: 1}), "1>1"},
			{time.Minute, tick, "1<1 1+"},
			{time.Minute, ack(1, 1), "1=done"},
		}},
		{"a worker that does not come back in time", Config{}, []step{
			{0, up(1, "", 1, 0), ""},
			{0, push(Job[int]{Seq: 1}), "1>1"},
			{0, down(1, time.Second), ""},
			{0, up(2, "", 1, 0), ""},
			{time.Second, tick, "1+ 1>2"},
		}},
		{"delayed, unique, full", Config{MaxJobs: 2, MaxBytes: 10}, []step{
			{0, up(1, "", 1, 0), ""},
			{0, push(Job[int]{Seq: 1, Unique: "u", NotBefore: start.Add(time.Hour), Size: 99}), ""},
			{0, push(Job[int]{Seq: 2, Unique: "u"}), ErrFull.Error()},
			{time.Hour, tick, "1>1"},
			{time.Hour, cancel(1), ErrTaken.Error()},
			{time.Hour, ack(1, 1), "1=done"},
			{time.Hour, push(Job[int]{Seq: 2, Unique: "u"}), "2>1"},
			{time.Hour, push(Job[int]{Seq: 3, Unique: "u"}), ErrDuplicate.Error()},
			{time.Hour, push(Job[int]{Seq: 3, Expires: start}), "3=expired"},
		}},
		{"credit that overflows", Config{}, []step{
			{0, up(1, "", MostCredit+1, 0), ErrCredit.Error()},
			{0, up(2, "", MostCredit, 0), ""},
			{0, more(2, 1), ErrCredit.Error()},
			{0, more(2, 1<<63), ErrCredit.Error()},
			{0, more(2, 0), ""},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := New[int](tt.cfg)
			for i, s := range tt.steps {
				if got := s.do(m, start.Add(s.at)); got != s.want {
					t.Fatalf("step %d: %q, want %q", i+1, got, s.want)
				}
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		attempts int
		want     time.Duration
	}{
		{-1, time.Second},
		{0, time.Second},
		{1, 2 * time.Second},
		{8, 256 * time.Second},
		{9, 5 * time.Minute},
		{1 << 40, 5 * time.Minute},
	} {
		low, high := Backoff(tt.attempts, 0), Backoff(tt.attempts, 1)
		if low != tt.want*9/10 || high != tt.want*11/10 {
			t.Errorf("after %d attempts %v to %v, want %v ± 10 %%", tt.attempts, low, high, tt.want)
		}
	}
}

// All yields the jobs by their place, also those that came back to an earlier one.
func TestAll(t *testing.T) {
	m := New[int](Config{})
	for _, seq := range []uint64{3, 5, 4, 9, 1} {
		if _, err := m.Push(start, &Job[int]{Seq: seq, Key: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	var got []uint64
	for j := range m.All() {
		if got = append(got, j.Seq); j.Seq == 5 {
			break
		}
	}
	if !slices.Equal(got, []uint64{1, 3, 4, 5}) || m.Oldest().Seq != 1 {
		t.Errorf("%v, and the oldest is %d", got, m.Oldest().Seq)
	}
	m.Up(1, "")
	if actions, err := m.Credit(start, 1, 1, 0); err != nil || told(actions) != "3>1" {
		t.Errorf("%s, %v: what comes later with an earlier place stands behind the first of its key", told(actions), err)
	}
}

func TestErrorsAreTheirOwn(t *testing.T) {
	m := New[int](Config{})
	for name, err := range map[string]error{
		"of a job that never was": second(m.Ack(start, 1, 1)), "cancel": second(m.Cancel(start, 1)),
		"nack": second(m.Nack(start, 1, 1, 0, true)), "renew": second(m.Renew(start, 1, 1)),
	} {
		if !errors.Is(err, ErrSettled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[A any](_ A, err error) error { return err }

// BenchmarkJob is a job with 10,000 others pending and 16 workers: pushed, given out and done.
func BenchmarkJob(b *testing.B) {
	m := New[int](Config{Lease: time.Minute, MaxAttempts: 20})
	now := start
	for i := range 16 {
		m.Up(Worker(i+1), "")
		if _, err := m.Credit(now, Worker(i+1), 16, 0); err != nil {
			b.Fatal(err)
		}
	}
	seq := uint64(0)
	rnd := rand.New(rand.NewPCG(1, 1))
	var out []Action[int]
	add := func(actions []Action[int]) {
		for _, a := range actions {
			if a.Kind == Assign {
				out = append(out, a)
			}
		}
	}
	push := func() {
		seq++
		actions, err := m.Push(now, &Job[int]{Seq: seq, Size: 16})
		if err != nil {
			b.Fatal(err)
		}
		add(actions)
	}
	for range 10000 {
		push()
	}
	b.ReportAllocs()
	for b.Loop() {
		push()
		i := rnd.IntN(len(out))
		a := out[i]
		out[i] = out[len(out)-1]
		out = out[:len(out)-1]
		now = now.Add(time.Microsecond)
		actions, err := m.Ack(now, a.Worker, a.Job.Seq)
		if err != nil {
			b.Fatal(err)
		}
		add(actions)
	}
}
