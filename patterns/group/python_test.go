package group

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A member in Python, of which the DEALER is connected to us, or we to its ROUTER, or both at once.
func TestForeignMember(t *testing.T) {
	for _, tt := range []struct {
		name             string
		dials, isDialled bool
	}{{"connects", true, false}, {"is connected to", false, true}, {"both", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			ann, bob := a(t, "ann"), a(t, "bob")
			var at []string
			for _, m := range []*Member[string]{ann, bob} {
				must(t, m.Join("g"))
				if e := bind(t, m, "tcp://127.0.0.1:*"); tt.dials {
					at = append(at, e)
				}
			}
			p := startPython(t, at...)
			if endpoint := p.reads(t); tt.isDialled {
				must(t, ann.Connect(endpoint))
				must(t, bob.Connect(endpoint))
			}
			for _, m := range []*Member[string]{ann, bob} {
				must(t, m.WaitPeers(within(t), "g", 1))
			}
			for joined := 0; joined < 2; { // it knows both
				if strings.HasPrefix(p.reads(t), "join ") {
					joined++
				}
			}
			must(t, ann.Whisper(within(t), the(t, ann, "python"), "hello"))
			for _, m := range []*Member[string]{ann, bob} {
				events(t, m, "entered python", "joined python g", "shout python g HELLO")
			}
			must(t, bob.Shout(within(t), "g", "bye"))
			for _, m := range []*Member[string]{ann, bob} {
				events(t, m, "left python g", "exited python")
			}
			heard := make(map[string]bool)
			for !heard["shout g bob bye"] {
				heard[p.reads(t)] = true
			}
			if !heard["whisper ann hello"] {
				t.Error(heard)
			}
		})
	}
}

type python struct {
	out    *bufio.Scanner
	stderr bytes.Buffer
}

func startPython(t *testing.T, args ...string) *python {
	t.Helper()
	var errs []string
	for _, name := range []string{"/usr/bin/python3", "python3"} { // Debian's packages belong to the first
		if out, err := exec.CommandContext(t.Context(), name, "-c", "import msgpack, zmq").CombinedOutput(); err != nil {
			errs = append(errs, name+": "+err.Error()+": "+string(out))
			continue
		}
		p := new(python)
		cmd := exec.CommandContext(t.Context(), name, append([]string{"testdata/member.py"}, args...)...)
		cmd.Stderr, cmd.WaitDelay = &p.stderr, time.Second
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Wait() }) // t.Context has ended by then
		p.out = bufio.NewScanner(out)
		return p
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("install python3-zmq and python3-msgpack: %s", strings.Join(errs, "; "))
	}
	t.Skipf("install python3-zmq and python3-msgpack to run this test: %s", strings.Join(errs, "; "))
	return nil
}

func (p *python) reads(t *testing.T) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("it has ended: %v %s", p.out.Err(), &p.stderr)
	}
	return p.out.Text()
}
