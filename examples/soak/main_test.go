package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain: the test program is a worker too, for soak runs itself.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("SOAK_WORKER") == "":
		goleak.VerifyTestMain(m)
	case os.Getenv("SOAK_PLANT") == "race":
		fmt.Fprintln(os.Stderr, "WARNING: DATA RACE")
		_ = work(os.Stdin, os.Stdout)
		os.Exit(66)
	case os.Getenv("SOAK_PLANT") != "":
		_ = work(os.Stdin, &planter{plant: os.Getenv("SOAK_PLANT")})
	default:
		main()
	}
}

// A planter is the output of a worker that says once what is not so.
type planter struct {
	plant string
	done  bool
}

// Write is given a line at a time.
func (p *planter) Write(b []byte) (int, error) {
	line, says := string(b), `"says":"`+saysGot+`"`
	if !p.done && strings.Contains(line, says) {
		p.done = true
		switch p.plant {
		case "loss":
			return len(b), nil
		case "double":
			line += line
		}
	}
	_, err := os.Stdout.WriteString(line)
	return len(b), err
}

// TestPlantedFaultsAreSeen: a worker that ends as one with a data race does, and receivers that claim to have got less,
// or more, than they did.
func TestPlantedFaultsAreSeen(t *testing.T) {
	for plant, column := range map[string]string{"race": crashed, "loss": lost, "double": doubled} {
		t.Run(plant, func(t *testing.T) {
			t.Setenv("SOAK_PLANT", plant)
			v, err := carryOut(t.Context(), small("tcp"), shortDir(t))
			if err != nil {
				t.Fatal(err)
			}
			if v.Columns[column] == 0 {
				t.Errorf("nothing %s: %+v", column, v)
			}
		})
	}
}

// small is a plan of one sender and one receiver that takes a moment.
func small(transport string) *plan {
	p := &plan{
		Seed: 1, Number: 1, Pattern: "pipeline", Transport: transport, For: 300 * time.Millisecond,
		Members: []member{
			{ID: 1, Role: rolePush, To: []int{2}, Source: true, Rate: 500, Size: [2]int{noteSize, 200}},
			{ID: 2, Role: rolePull, Process: 1, Binds: true},
		},
		Flows: []flow{{Kind: spread, From: []int{1}, To: []int{2}}},
	}
	if transport == "inproc" {
		p.Members[1].Process = 0
	}
	return p
}

// shortDir is a temporary directory whose path leaves room for that of a unix socket.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeAll(dir) })
	return dir
}

func TestScenarioInRealProcesses(t *testing.T) {
	for _, transport := range []string{"tcp", "ipc", "inproc"} {
		t.Run(transport, func(t *testing.T) {
			p := small(transport)
			v, err := carryOut(t.Context(), p, shortDir(t))
			if err != nil {
				t.Fatal(err)
			}
			if !v.ok() || v.Received == 0 || v.Received != v.Sent {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestKilledReceiverIsACutAndNoFault(t *testing.T) {
	p := small("ipc")
	p.For = 600 * time.Millisecond
	p.Steps = []step{{At: 200 * time.Millisecond, Do: stepKill, Member: 2}}
	v, err := carryOut(t.Context(), p, shortDir(t))
	if err != nil {
		t.Fatal(err)
	}
	if !v.ok() || v.Received == 0 {
		t.Errorf("%+v", v)
	}
}

// TestLateReply: one that comes when its requester has given it up, and asks no more, is waited for by nobody.
func TestLateReply(t *testing.T) {
	t.Parallel()
	p := small("tcp")
	req, rep := &p.Members[0], &p.Members[1]
	req.Role, rep.Role = roleReq, roleRep
	p.Steps = []step{{At: 100 * time.Millisecond, Do: stepPause, Member: 2, For: patience + time.Second}}
	p.Settle = true
	p.Flows = append(p.Flows, flow{Kind: direct, From: []int{2}, To: []int{1}})
	v, err := carryOut(t.Context(), p, shortDir(t))
	if err != nil {
		t.Fatal(err)
	}
	// Nothing was cut, and so the request counts as one that should have had its reply.
	if want := map[string]uint64{lost: 1}; !maps.Equal(v.Columns, want) {
		t.Errorf("found %v, want %v: %q", v.Columns, want, v.Notes)
	}
}

func TestFlags(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"help":              {[]string{"--help"}, 0, "--seed 7 --number 42"},
		"no such flag":      {[]string{"--fast"}, 2, "-fast"},
		"no such pattern":   {[]string{"--only", "survey"}, 2, `no pattern "survey"`},
		"no such transport": {[]string{"--transport", "udp"}, 2, `no transport "udp"`},
		"an argument":       {[]string{"now"}, 2, `got "now"`},
		"no process":        {[]string{"--processes", "0"}, 2, "at least 1"},
		"a plan":            {[]string{"--plan", "--seed", "3", "--number", "5"}, 0, `"number": 5`},
		"a plan of which":   {[]string{"--plan"}, 2, "needs --number"},
		"nothing ran":       {[]string{"--duration", "0s"}, 1, "0 scenarios"},
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
