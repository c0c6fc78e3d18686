package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns/pipeline"
)

// TestWork: commands do jobs, and what becomes of each is told.
func TestWork(t *testing.T) {
	t.Parallel()
	const id = "[0-9a-f]{32}/1"
	for _, tc := range []struct {
		name         string
		exec         string
		work, submit []string
		input        string
		status       int
		want         string // a regular expression of all that submit prints
		says         string // one of what it says
		workSays     string
	}{
		{name: "lines", exec: "cat", submit: []string{"--wait"}, input: "{\"a\": 1}\n\n2\n", want: `\{"a":1\}\n2\n`},
		{name: "nothing printed", exec: "cat", input: "1\n2\n", says: "submit: 2 of 2 jobs done, in"},
		{name: "data, often", exec: "cat", submit: []string{"--wait", "--data", "1", "--count", "2"}, want: `1\n1\n`},
		{name: "no result", exec: "true", submit: []string{"--wait", "--data", "1"}, want: `null\n`},
		{
			name: "json", exec: "cat", submit: []string{"--wait", "--json"}, input: "1\n",
			want: `\{"job":"` + id + `","result":1\}\n`,
		},
		{
			name: "the order of the lines",
			exec: `read x; if [ "$x" = 1 ]; then while ! [ -e F ]; do sleep 0.05; done; else touch F; fi; echo "$x"`,
			work: []string{"--parallel", "2"}, submit: []string{"--wait"}, input: "1\n2\n", want: `1\n2\n`,
		},
		{
			name: "again", exec: `[ $YODEL_ATTEMPT = 1 ] && cat || { echo oops >&2; exit 3; }`, submit: []string{"--wait"},
			input: "1\n", want: `1\n`, says: "1 of 1 job done; 1 given again", workSays: "/1, attempt 1: exit status 3: oops\n",
		},
		{
			name: "later", exec: `[ $YODEL_ATTEMPT = 1 ] && cat || exit 75`, work: []string{"--retry-after", "10ms"},
			submit: []string{"--wait"}, input: "1\n", want: `1\n`, workSays: "/1, attempt 1: exit status 75\n",
		},
		{
			name: "refused", exec: `echo bad >&2; exit 65`, submit: []string{"--wait"}, input: "1\n", status: 1,
			says: "/1: rejected", workSays: "/1, attempt 1: rejected: bad\n",
		},
		{
			name: "refused, json", exec: `echo bad >&2; exit 65`, submit: []string{"--wait", "--json"}, input: "1\n", status: 1,
			want: `\{"job":"` + id + `","error":"rejected[^"]*: bad"(,"attempts":1)?\}\n`, says: "1 job came to nothing",
		},
		{
			name: "too often", exec: `echo no >&2; exit 1`, submit: []string{"--max-attempts", "1"}, input: "1\n", status: 1,
			says: "/1: failed too often after 1 attempt: exit status 1: no\n",
		},
		{
			name: "no output of JSON", exec: `echo a b`, submit: []string{"--max-attempts", "1"}, input: "1\n", status: 1,
			says: "the command's output is no JSON",
		},
		{
			name: "no JSON", exec: "cat", submit: []string{"--wait"}, input: "1\na b\n2\n", status: 1, want: `1\n2\n`,
			says: "yodel submit: 1 line not sent",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			exec := strings.ReplaceAll(tc.exec, " F", " "+filepath.Join(t.TempDir(), "f"))
			work := startInput(t, "", append([]string{"work", "--bind", anyPort, "--exec", exec}, tc.work...)...)
			submit := startInput(t, tc.input, append([]string{"submit", "--connect", work.endpoint()}, tc.submit...)...)
			submit.exit(tc.status)
			if !regexp.MustCompile("^(" + tc.want + ")$").MatchString(submit.stdout.String()) {
				t.Errorf("submit printed %q, want %q", submit.stdout, tc.want)
			}
			submit.says(tc.says)
			work.says(tc.workSays)
			work.stop()
			work.exit(0)
		})
	}
}

// TestWorkByName: either side announces itself, and the worker ends by --count.
func TestWorkByName(t *testing.T) {
	t.Parallel()
	for _, flags := range [][2]string{{"--announce", "--find"}, {"--find", "--announce"}} {
		t.Run("submit "+flags[0], func(t *testing.T) {
			t.Parallel()
			there := []string{"--interface", loopback(t), "--group", ownGroup(), "--timeout", "1m"}
			submit := startInput(t, "1\n2\n", append([]string{"submit", flags[0], "svc", "--wait"}, there...)...)
			work := startInput(t, "", append([]string{"work", flags[1], "svc", "--exec", "cat", "--count", "2"}, there...)...)
			submit.exit(0)
			submit.prints("1\n2\n")
			work.exit(0)
			work.says("work: did 2 jobs")
		})
	}
}

// TestSubmitLost: jobs that are not settled at the end are told of.
func TestSubmitLost(t *testing.T) {
	t.Parallel()
	p := startInput(t, "1\n2\n", "submit", "--bind", anyPort, "--linger", "50ms")
	p.exit(1)
	p.says("yodel submit: 2 jobs not settled, and lost: --linger passed\n")
	p = start(t, "submit", "--bind", anyPort)
	p.endpoint()
	p.types("1\n")
	p.stop()
	p.ends()
	p = startInput(t, "1\n", "submit", "--bind", anyPort, "--ttl", "10ms", "--wait", "--json")
	p.exit(1)
	p.says("its time was up\n")
	p.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, `"error":"its time was up"`) })
}

// TestWorkEnds: jobs that are being done when it is told to end are done, and those that hang are given back.
func TestWorkEnds(t *testing.T) {
	t.Parallel()
	goOn := filepath.Join(t.TempDir(), "go")
	exec := "echo >&2 begun; while ! [ -e " + goOn + " ]; do sleep 0.1; done; cat"
	submit := startInput(t, "1\n", "submit", "--bind", anyPort, "--wait")
	hangs := startInput(t, "", "work", "--connect", submit.endpoint(), "--exec", exec, "--linger", "0")
	hangs.says("begun")
	hangs.stop()
	hangs.exit(1)
	work := startInput(t, "", "work", "--connect", submit.endpoint(), "--exec", exec)
	work.says("begun")
	work.stop()
	work.says("work: waiting for 1 job to end")
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	submit.exit(0)
	submit.prints("1\n")
	work.exit(0)
}

// TestWorkOthers: pushers in Go give jobs in their own encoding, and get results of their own types.
func TestWorkOthers(t *testing.T) {
	t.Parallel()
	type page struct{ Size int }
	push := pipeline.NewPusher[page]()
	defer push.Close()
	at, err := push.Bind(t.Context(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	work := startInput(t, "", "work", "--connect", at, "--exec", "cat", "--count", "1")
	r, err := push.Push(t.Context(), page{1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got page
	if err := r.Result(&got); err != nil || got.Size != 1<<40 {
		t.Errorf("%v, %v", got, err)
	}
	work.exit(0)
}

// TestPatternsApart: who is of another pattern is told, and does nothing.
func TestPatternsApart(t *testing.T) {
	t.Parallel()
	serve := startInput(t, "", "serve", "m", "--bind", anyPort, "--exec", "cat")
	submit := startInput(t, "1\n", "submit", "--connect", serve.endpoint(), "--linger", "2s")
	submit.exit(1)
	submit.says("submit: ")
	submit.says("1 job not settled")
	serve.stop()
	serve.exit(0)
}
