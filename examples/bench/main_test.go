package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be the sides of its measurements, as the program is, and looks for leaked goroutines.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.ContainsFunc(suites(), func(s *suite) bool { return s.verb == os.Args[1] }) {
		if err := dispatch(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestEveryMeasurement makes each one on each peer, with counts that show only that it works.
func TestEveryMeasurement(t *testing.T) {
	res, err := run(t.Context(), settings{suite: socketSuite(), quick: true, tiny: true, rounds: 1, hwm: 1000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.judge()
	for _, m := range res.Missing {
		if os.Getenv("CI") != "" {
			t.Errorf("%s is missing: %s", m.Name, m.Why)
		}
		t.Logf("%s is missing: %s", m.Name, m.Why)
	}
	for _, f := range res.Failures {
		t.Errorf("%s, %s: %s", f.Work, f.Peer, f.Error)
	}
	want := map[kind][]string{
		oneWay: {rate, cpu}, released: {rate, cpu}, roundTrip: {mean, p50, p99, p999, cpu},
		halfLoad: {mean, p50, p99, p999, cpu}, fanOut: {rate, cpu}, fanIn: {rate, cpu},
		match: {rate, cpu}, idling: {memPeer},
	}
	for _, p := range socketSuite().peers() {
		if !slices.ContainsFunc(res.Peers, func(i peerInfo) bool { return i.Name == p.name }) {
			continue
		}
		for _, w := range res.Works {
			if !w.measures(p, true) {
				continue
			}
			for _, metric := range want[w.Kind] {
				// CPU time has steps that a run this short may fall between; memory may even shrink.
				if v, ok := res.median(w.ID, p.name, metric); !ok || v <= 0 && metric != cpu && metric != memPeer {
					t.Errorf("%s, %s: %s is %v, %v", w.ID, p.name, metric, v, ok)
				}
			}
			if v, _ := res.median(w.ID, p.name, lost); v > 0 && (p.name == "yodel" || p.name == "libzmq") {
				t.Errorf("%s, %s lost %v of a thousand messages", w.ID, p.name, v)
			}
		}
	}
	checkOutputs(t, res)
}

func checkOutputs(t *testing.T, res *results) {
	t.Helper()
	var text bytes.Buffer
	if err := res.print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\ntcp 64 KiB ", "\nround trip ipc 16 B p99.9 ", "\nPUB → 8 SUB, tcp 100 B ", "idle peers memory", "\nBars",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, &text)
		}
	}
	dir := t.TempDir()
	if err := res.writeJSON(filepath.Join(dir, "all.json")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "all.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back results
	if err := json.Unmarshal(b, &back); err != nil || len(back.Bars) != len(bars()) || len(back.Runs) != len(res.Works) {
		t.Errorf("JSON comes back with %d bars and %d works, %v", len(back.Bars), len(back.Runs), err)
	}
	if err := res.writeSVG(filepath.Join(dir, "all.svg")); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "all.svg"))
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, svg)
}

func wellFormed(t *testing.T, document []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(document))
	for {
		switch _, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatalf("the chart is no XML: %v\n%s", err, document)
		}
	}
}

func TestMissingPeerIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no compiler
	res, err := run(t.Context(),
		settings{
			suite: socketSuite(), quick: true, rounds: 1, peers: []string{"libzmq"}, only: regexp.MustCompile("^none$"),
		}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := res.print(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "libzmq: MISSING: ") || !strings.Contains(text.String(), "libzmq3-dev") {
		t.Errorf("not said what is missing, and how to get it:\n%s", &text)
	}
}

func TestFailedRunIsNamed(t *testing.T) {
	p, err := socketSuite().peer("yodel")
	if err != nil {
		t.Fatal(err)
	}
	w := &work{ID: "x", Kind: oneWay, Transport: "tcp", Size: 16, Count: 10, Sockets: 1}
	j := w.job(p, true)
	j.Endpoint = "tcp://no-port"
	if _, err := runSides(t.Context(), p, w, j, t.TempDir(), nil); err == nil ||
		!strings.Contains(err.Error(), "yodel pull") || !strings.Contains(err.Error(), "no-port") {
		t.Errorf("got %v", err)
	}
}

func TestJobSurvivesTheCommandLine(t *testing.T) {
	want := job{"push", "tcp://127.0.0.1:1", 1, 2, 3, 4, 5, 6}
	got, err := parseJob(want.args())
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range [][]string{nil, {"push"}, {"push", "tcp://127.0.0.1:1", "1", "2", "3", "4", "5", "x"}} {
		if _, err := parseJob(bad); err == nil {
			t.Errorf("parseJob(%q) is no error", bad)
		}
	}
}

func TestSummarise(t *testing.T) {
	trips := make([]time.Duration, 1000)
	for i := range trips {
		trips[i] = time.Duration(1000-i) * time.Microsecond
	}
	if m, a, b, c := summarise(trips); m != 500.5 || a != 500 || b != 990 || c != 999 {
		t.Errorf("got %v, %v, %v, %v", m, a, b, c)
	}
}

func TestJudge(t *testing.T) {
	tests := map[string]struct {
		yodel, libzmq float64
		metric, work  string
		bar           string
		value         float64
		pass          bool
	}{
		"fast enough":      {20, 10, rate, "oneway-tcp-16", "PUSH → PULL tcp 16 B, × libzmq", 2, true},
		"not fast enough":  {19, 10, rate, "oneway-tcp-16", "PUSH → PULL tcp 16 B, × libzmq", 1.9, false},
		"short trip":       {7, 10, mean, "roundtrip-ipc", "REQ → REP ipc 16 B, mean, × libzmq", 0.7, true},
		"long trip":        {8, 10, mean, "roundtrip-ipc", "REQ → REP ipc 16 B, mean, × libzmq", 0.8, false},
		"alone, in limits": {16384, 0, memPeer, "idle-1000", "bytes an idle peer, of 1,000", 16384, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := newResults(settings{suite: socketSuite()})
			r.Medians[tc.work] = map[string]map[string]float64{"yodel": {tc.metric: tc.yodel}, "libzmq": {tc.metric: tc.libzmq}}
			r.judge()
			i := slices.IndexFunc(r.Bars, func(v verdict) bool { return v.Bar == tc.bar })
			if i < 0 {
				t.Fatalf("no bar %q", tc.bar)
			}
			if v := r.Bars[i]; !v.Measured || v.Value != tc.value || v.Pass != tc.pass {
				t.Errorf("got %+v", v)
			}
			others := slices.DeleteFunc(r.Bars, func(v verdict) bool { return v.Bar == tc.bar })
			if slices.ContainsFunc(others, func(v verdict) bool { return v.Measured || v.Pass }) {
				t.Errorf("bars without a measurement are judged: %+v", others)
			}
		})
	}
	t.Run("subscriptions cost", func(t *testing.T) {
		r := newResults(settings{suite: socketSuite()})
		r.Medians["match-10"] = map[string]map[string]float64{"yodel": {rate: 30}}
		r.Medians["match-100000"] = map[string]map[string]float64{"yodel": {rate: 15}}
		r.judge()
		i := slices.IndexFunc(r.Bars, func(v verdict) bool { return strings.HasPrefix(v.Bar, "cost of 100,000") })
		if v := r.Bars[i]; v.Value != 2 || v.Pass {
			t.Errorf("got %+v", v)
		}
	})
}

func TestMedian(t *testing.T) {
	if got := median([]float64{9, 1, 5}); got != 5 {
		t.Errorf("odd: %v", got)
	}
	if got := median([]float64{4, 1, 2, 9}); got != 3 {
		t.Errorf("even: %v", got)
	}
}

// What the ten minutes of --frozen show holds for a second, too.
func TestFrozen(t *testing.T) {
	var out strings.Builder
	if err := frozen(t.Context(), time.Second, &out, io.Discard); err != nil {
		t.Errorf("%v: %s", err, &out)
	}
}

func TestParseCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want float64
		ok   bool
	}{
		"counted":       {"# started on Sun Nov 22 06:33:58 2026\n\n29,,raw_syscalls:sys_enter,931157,100.00,,\n", 29, true},
		"not supported": {"<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n", 0, false},
		"nothing":       {"# started\n", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := parseCalls(tc.text); got != tc.want || (err == nil) != tc.ok {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
