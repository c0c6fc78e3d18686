package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain: the test program is a worker too, for crashtest runs itself.
func TestMain(m *testing.M) {
	if job := os.Getenv(workerVariable); job != "" {
		os.Exit(worker(job))
	}
	goleak.VerifyTestMain(m)
}

// short are sizes that take a moment.
var short = sizes{messages: 3000, kills: 2, cuts: 10, stops: 1, lanes: 4}

// TestScenarios: each of them in real processes, with all that is done in it.
func TestScenarios(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			o := short
			if s.Full {
				o.messages = 60_000
			}
			r, err := carryOut(t.Context(), makePlan(s, 1, o), t.TempDir(), io.Discard)
			must(t, err)
			if !r.ok() {
				t.Errorf("%v, not done: %s\n%s", r.columns, r.undone(), strings.Join(r.notes, "\n"))
			}
		})
	}
}

// TestPlantedFaultsAreSeen: receivers that write down less, more or other than they got, and workers that end by
// themselves or say what none should.
func TestPlantedFaultsAreSeen(t *testing.T) {
	for plant, column := range map[string]string{
		"loss": lost, "double": doubled, "swap": disordered, "damage": wrong, "invent": unasked, "exit": crashed,
		"race": crashed,
	} {
		t.Run(plant, func(t *testing.T) {
			t.Setenv(plantVariable, plant)
			r, err := carryOut(t.Context(), makePlan(named("links"), 1, short), t.TempDir(), io.Discard)
			must(t, err)
			if r.columns[column] == 0 || r.ok() {
				t.Errorf("found %v, want %s", r.columns, column)
			}
		})
	}
}

func TestFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"help":             {[]string{"--help"}, 0, "--seed 7 --only inbox"},
		"no such flag":     {[]string{"--fast"}, 2, "-fast"},
		"no such scenario": {[]string{"--only", "raft"}, 2, `no scenario "raft"`},
		"an argument":      {[]string{"now"}, 2, `got "now"`},
		"no lanes":         {[]string{"--lanes", "0"}, 2, "--lanes 0: from 1 to"},
		"no messages":      {[]string{"--messages", "0"}, 2, "--messages at least 1"},
		"less than none":   {[]string{"--kills", "-1"}, 2, "at least 0"},
		"a plan":           {[]string{"--plan", "--only", "links", "--seed", "3"}, 0, `"Scenario":"links"`},
		"a long plan":      {[]string{"--plan", "--only", "links", "--long"}, 0, `"Cuts":2000,`},
		"long, but for it": {[]string{"--plan", "--only", "links", "--long", "--cuts", "7"}, 0, `"Cuts":7,`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			status, err := start(t.Context(), c.args, &out, &out)
			said := out.String()
			if err != nil {
				said += err.Error()
			}
			if status != c.status || !strings.Contains(said, c.says) {
				t.Errorf("status %d, want %d; says %q, want %q", status, c.status, said, c.says)
			}
		})
	}
}

// TestWhatWasNotDone fails a run: without it a scenario could pass in which nothing was tried.
func TestWhatWasNotDone(t *testing.T) {
	p := makePlan(named("inbox"), 1, short)
	full := &result{plan: p, findings: findings{accepted: 3000}, kills: 4, cuts: 10, stops: 2}
	if !full.ok() {
		t.Errorf("all was done, but for %s", full.undone())
	}
	for name, change := range map[string]func(r *result){
		"messages": func(r *result) { r.accepted-- },
		"kills":    func(r *result) { r.kills = 2 },
		"cuts":     func(r *result) { r.cuts = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			r := *full
			change(&r)
			if r.ok() || !strings.Contains(r.undone(), name) {
				t.Errorf("not done: %q", r.undone())
			}
		})
	}
}
