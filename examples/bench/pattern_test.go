package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// TestEveryPattern makes each measurement of the patterns on each library, with counts that show only that it works.
func TestEveryPattern(t *testing.T) {
	res, err := run(t.Context(), settings{suite: patternSuite(), tiny: true, rounds: 1, hwm: 1000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.judge()
	for _, m := range res.Missing {
		t.Errorf("%s is missing: %s", m.Name, m.Why)
	}
	for _, f := range res.Failures {
		t.Errorf("%s, %s: %s", f.Work, f.Peer, f.Error)
	}
	trips := []string{mean, p50, p99, p999}
	// By who connects; of who is alone by that one.
	want := map[string][]string{
		calls: append([]string{rate}, trips...), floods: {capacity}, callsNobody: trips,
		cancels: trips, consumes: {rate}, stalls: {heldBytes}, works: {rate}, idles: {goroutines},
		benchmarks: {matchTime, headAppend, headParse, scanShare, scanSmall}, restarts: {restartCount, restartCalls},
		kills: {rate},
	}
	done := make(map[string]bool)
	for _, p := range patternSuite().peers() {
		for _, w := range res.Works {
			if !w.measures(p, false) {
				continue
			}
			metrics := want[w.Connects]
			switch {
			case w.Connects == "":
				metrics = want[w.Binds]
			case w.Connects == subscribes && w.Binds == bursts:
				metrics = []string{callTime}
			case w.Connects == subscribes:
				metrics = []string{rate}
			}
			if len(metrics) == 0 {
				t.Errorf("nothing is expected of %s", w.ID)
			}
			for _, m := range metrics {
				if v, ok := res.median(w.ID, p.name, m); !ok || v <= 0 {
					t.Errorf("%s, %s: %s is %v, %v", w.ID, p.name, m, v, ok)
				}
			}
			if v, _ := res.median(w.ID, p.name, lost); v > 0 && p.name != "nats" {
				t.Errorf("%s, %s lost %v of a thousand events", w.ID, p.name, v)
			}
			done[p.name] = true
		}
	}
	if len(done) != 6 {
		t.Errorf("measured are only %v", slices.Collect(maps.Keys(done)))
	}
	for _, b := range res.Bars {
		if !b.Measured && !strings.HasPrefix(b.Bar, "p99 of what is answered at 10") { // in so short a time nothing may be
			t.Errorf("not judged: %s", b.Bar)
		}
	}
	for _, m := range []string{restartCrossed, restartOthers, restartTwice} {
		if v, _ := res.median("restarts", "yodel", m); v > 0 {
			t.Errorf("%s: %v", m, v)
		}
	}
	for _, m := range []string{killLost, killUnflagged, killDisordered} {
		if v, _ := res.median("kills", "yodel", m); v > 0 {
			t.Errorf("%s: %v", m, v)
		}
	}
	checkPatternOutputs(t, res)
}

func checkPatternOutputs(t *testing.T, res *results) {
	t.Helper()
	var text bytes.Buffer
	if err := res.print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\ncalls, 16 B, 16 callers ", "\nstream of 1,000 B items ", "\nidle client of one service goroutines ",
		"\n10 ms of CPU, 10 × the load answered ", "\nBars",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, &text)
		}
	}
	file := filepath.Join(t.TempDir(), "all.json")
	if err := res.writeJSON(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var back results
	if err := json.Unmarshal(b, &back); err != nil || len(back.Bars) != len(patternBars()) {
		t.Errorf("JSON comes back with %d bars, %v", len(back.Bars), err)
	}
}

// Each bar is of something that is measured, by those it is of, and says so in words of its own.
func TestPatternBarsAreMeasured(t *testing.T) {
	plan, texts := patternPlan(false), make(map[string]bool)
	for _, b := range patternBars() {
		if texts[b.text] {
			t.Errorf("twice: %q", b.text)
		}
		texts[b.text] = true
		for _, id := range []string{b.work, b.other} {
			i := slices.IndexFunc(plan, func(w *work) bool { return w.ID == id })
			if id != "" && i < 0 {
				t.Errorf("%q is of %s, which nobody measures", b.text, id)
				continue
			}
			for _, name := range []string{"yodel", b.against} {
				if id == "" || name == "" {
					continue
				}
				if p, err := patternSuite().peer(name); err != nil || !plan[i].measures(p, true) {
					t.Errorf("%q is of %s, which does not do %s: %v", b.text, name, id, err)
				}
			}
		}
	}
}

func TestJudgePatterns(t *testing.T) {
	type figure struct {
		work, peer, metric string
		value              float64
	}
	for name, tc := range map[string]struct {
		figures []figure
		bar     string
		value   float64
		pass    bool
	}{
		"a call is short enough": {
			[]figure{{"call-1", "yodel", p50, 90}, {"call-1", "grpc", p50, 100}}, "call, 1 caller, p50, × gRPC", 0.9, true,
		},
		"a call is too long": {
			[]figure{{"call-1", "yodel", p50, 160}, {"call-1", "sockets", p50, 100}},
			"call, 1 caller, p50, × REQ → REP", 1.6, false,
		},
		"enough calls": {
			[]figure{{"call-64", "yodel", rate, 14}, {"call-64", "grpc", rate, 10}},
			"calls a second, 64 callers, × gRPC", 1.4, true,
		},
		"too few calls": {
			[]figure{{"call-16", "yodel", rate, 30}, {"call-16", "connect", rate, 10}},
			"calls a second, 16 callers, × Connect over HTTP/2", 3, false,
		},
		"goodput": {
			[]figure{{"overload-cpu-10", "yodel", goodput, 79}},
			"goodput at 10 × the load, CPU-bound handler, percent", 79,
			false,
		},
		"the wait under load": {
			[]figure{{"overload-slots-10", "yodel", p99, 50}, {"overload-slots-0.8", "yodel", p99, 10}},
			"p99 of what is answered at 10 ×, fixed handler, × that at 0.8 ×", 5, true,
		},
		"a stalled stream holds more than its window": {
			[]figure{{"stall", "yodel", heldBytes, streamWindow + 2*(itemSize+itemOverhead)}},
			"bytes held of a stalled stream: the window and one item", streamWindow + 2*(itemSize+itemOverhead), false,
		},
		"jobs": {[]figure{{"jobs", "yodel", rate, 400_000}}, "acknowledged jobs a second, 1 worker", 400_000, true},
		"jobs beside": {
			[]figure{{"jobs", "yodel", rate, 60}, {"jobs", "nats", rate, 10}},
			"acknowledged jobs, × JetStream in memory", 6,
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newResults(settings{suite: patternSuite()})
			for _, f := range tc.figures {
				if r.Medians[f.work] == nil {
					r.Medians[f.work] = make(map[string]map[string]float64)
				}
				r.Medians[f.work][f.peer] = map[string]float64{f.metric: f.value}
			}
			r.judge()
			i := slices.IndexFunc(r.Bars, func(v verdict) bool { return v.Bar == tc.bar })
			if i < 0 {
				t.Fatalf("no bar %q", tc.bar)
			}
			if v := r.Bars[i]; !v.Measured || v.Value != tc.value || v.Pass != tc.pass {
				t.Errorf("got %+v", v)
			}
		})
	}
}

// What is answered counts against what the service can do, or against what it is asked for if that is less.
func TestTally(t *testing.T) {
	for name, tc := range map[string]struct {
		good, refused, late int
		load, most          float64
		goodput, refusals   float64
	}{
		"ten times the load": {180, 1000, 820, 1000, 100, 90, 50},
		"less than it can":   {160, 0, 0, 80, 100, 100, 0},
		"nothing answered":   {0, 0, 0, 80, 100, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var tally tally
			for range tc.good {
				tally.count(time.Millisecond, nil)
			}
			for range tc.refused {
				tally.count(time.Second, errRefused)
			}
			for range tc.late {
				tally.count(time.Second, context.DeadlineExceeded)
			}
			r := tally.report(2*time.Second, tc.load, tc.most)
			if r.Values[goodput] != tc.goodput || r.Values[refusals] != tc.refusals || r.Values[capacity] != tc.most {
				t.Errorf("got %v", r.Values)
			}
			if tc.good > 0 && r.P99 != 1000 {
				t.Errorf("p99 is %v µs, of what was answered", r.P99)
			}
			if tally.err != nil {
				t.Error(tally.err)
			}
		})
	}
	var odd tally
	if odd.count(0, errNobody); !errors.Is(odd.err, errNobody) {
		t.Errorf("a failure of another kind is lost: %v", odd.err)
	}
}

// Of what workers have written down, what is wrong is counted, each by its kind.
func TestJudgeDone(t *testing.T) {
	const k = killKeys // a job and the one so many behind it share a key
	for name, tc := range map[string]struct {
		jobs                                  int
		done                                  []doneJob
		lost, repeated, unflagged, outOfOrder float64
	}{
		"each once":           {3, []doneJob{{0, 0, 1}, {1, 0, 2}, {2, 0, 3}}, 0, 0, 0, 0},
		"again, and marked":   {1, []doneJob{{0, 1, 2}, {0, 0, 1}}, 0, 1, 0, 0},
		"again, not marked":   {1, []doneJob{{0, 0, 1}, {0, 0, 2}}, 0, 1, 1, 0},
		"one is lost":         {2, []doneJob{{1, 0, 1}}, 1, 0, 0, 0},
		"out of order":        {k + 1, []doneJob{{k, 0, 1}, {0, 0, 2}}, k - 1, 0, 0, 1},
		"another key goes by": {2, []doneJob{{1, 0, 1}, {0, 0, 2}}, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := judgeDone(tc.done, tc.jobs)
			want := map[string]float64{
				killLost: tc.lost, killRepeated: tc.repeated, killUnflagged: tc.unflagged, killDisordered: tc.outOfOrder,
			}
			if !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestReadDone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"done-1": "3 0 17\n4 1 18\n", "done-2": "5 0 19\n", "done-3": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readDone(dir)
	if want := []doneJob{{3, 0, 17}, {4, 1, 18}, {5, 0, 19}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

// What became of a call counts by its kind: only that it may have run is an error it may end with.
func TestRestartTally(t *testing.T) {
	for name, tc := range map[string]struct {
		number                           uint64 // 7 if there is none
		reply                            uint64
		late                             time.Duration
		slow                             bool
		err                              error
		crossed, overdue, maybe, another int64
	}{
		"answered":              {reply: 7},
		"by another's reply":    {reply: 8, crossed: 1},
		"by the one of its key": {number: 20, reply: 30},
		"by another's of a key": {number: 20, reply: 40, crossed: 1},
		"late":                  {reply: 7, late: grace + 1, overdue: 1},
		"as late as it may be":  {reply: 7, late: grace},
		"over, as it is to be":  {slow: true, err: context.DeadlineExceeded},
		"over, and should not":  {err: context.DeadlineExceeded, another: 1},
		"over with a service that is gone": {
			err: &rpc.CallError{MayHaveRun: true, Err: context.DeadlineExceeded}, another: 1,
		},
		"it may have run":       {err: &rpc.CallError{MayHaveRun: true, Err: socket.ErrPeerLost}, maybe: 1},
		"it has not run":        {err: &rpc.CallError{Err: rpc.ErrNoResponders}, another: 1},
		"something else befell": {err: errNobody, another: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var got restartTally
			got.count(cmp.Or(tc.number, 7), tc.reply, tc.late, tc.slow, tc.err)
			if got.crossed.Load() != tc.crossed || got.overdue.Load() != tc.overdue || got.maybe.Load() != tc.maybe ||
				got.another.Load() != tc.another || (got.note != nil) != (tc.another > 0) {
				t.Errorf("got %d crossed, %d overdue, %d maybe, %d others, %v", got.crossed.Load(), got.overdue.Load(),
					got.maybe.Load(), got.another.Load(), got.note)
			}
		})
	}
}

func TestParseBenchmarks(t *testing.T) {
	const text = `goos: linux
BenchmarkHead/append/call         	 9182	        31.10 ns/op	       0 B/op	       0 allocs/op
BenchmarkHead/parse/call-16 1833 160.0 ns/op
BenchmarkScan/scan/large-2    	 300	    100.0 ns/op	 561.51 MB/s
BenchmarkScan/decode/large-2  	 300	   2000.0 ns/op	 561.51 MB/s
BenchmarkScan/scan/small-2 1 10 ns/op
BenchmarkScan/decode/small-2 1 40 ns/op
BenchmarkTree/100000-2 1 300 ns/op
PASS
ok  	github.com/yodel-mq/yodel/patterns	1.2s
`
	got, err := partValues(parseBenchmarks(text))
	want := map[string]float64{
		headAppend: 31.1, headParse: 160, scanShare: 5, scanSmall: 25, matchTime: 300,
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := partValues(parseBenchmarks("PASS\n")); err == nil || !strings.Contains(err.Error(), "Tree/100000") {
		t.Errorf("nothing is said of what is missing: %v", err)
	}
}

func TestPatternsDrawNoChart(t *testing.T) {
	err := measure(t.Context(), []string{"--patterns", "--svg", filepath.Join(t.TempDir(), "x.svg")})
	if err == nil || !strings.Contains(err.Error(), "--json") {
		t.Errorf("got %v", err)
	}
}

func TestPeersAreThoseOfTheSuite(t *testing.T) {
	if err := measure(t.Context(), []string{"--patterns", "--peers", "libzmq"}); err == nil ||
		!strings.Contains(err.Error(), "connect1") {
		t.Errorf("got %v", err)
	}
	res, err := run(t.Context(), settings{
		suite: patternSuite(), quick: true, rounds: 1, peers: []string{"grpc"}, only: regexp.MustCompile("^none$"),
	}, nil)
	if err != nil || len(res.Peers) != 1 || res.Peers[0].Name != "grpc" {
		t.Errorf("got %v, %v", res, err)
	}
}
