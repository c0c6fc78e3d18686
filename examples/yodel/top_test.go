package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/observe"
)

// What a running yodel does is seen from another, once it was asked to show it.
func TestTop(t *testing.T) {
	dir, err := os.MkdirTemp("", "top")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	child := exec.Command(os.Args[0], "push", "--connect", "ipc://"+dir+"/nobody", "--observe", "--quiet")
	child.Env = append(os.Environ(), asTool+"=1")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	shown := func(args ...string) (out string) {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			p := startInput(t, "", append([]string{"top", "--once"}, args...)...)
			p.ends() // with 1, if another process on this machine has just ended
			if out = p.stdout.String(); strings.Contains(out, "yodel-push") && strings.Contains(out, "no such file") {
				return out
			}
		}
		t.Fatalf("it is not shown: %s", out)
		return ""
	}
	table := shown()
	if !strings.Contains(table, "PROC/PID") || !strings.Contains(table, "PUSH") {
		t.Errorf("the table:\n%s", table)
	}
	found := false
	for lines := bufio.NewScanner(strings.NewReader(shown("--json"))); lines.Scan(); {
		s, err := observe.Parse(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		found = found || s.Process.PID == child.Process.Pid && s.Sockets[0].Type == "PUSH"
	}
	if !found {
		t.Error("the process is in no snapshot")
	}
}

func TestTopTargets(t *testing.T) {
	t.Parallel()
	p := startInput(t, "", "top", "--once", "/no/such.sock", "/nor/this.sock")
	p.exit(1)
	p.says("/no/such.sock: ")
	p.says("/nor/this.sock: ")
	if p.stdout.String() != "" {
		t.Errorf("stdout %q", p.stdout)
	}
	p = startInput(t, "", "top")
	p.exit(2)
	p.says("give --once")
}

// A table says what matters, and nothing in it is obeyed by a terminal.
func TestRenderTop(t *testing.T) {
	evil := "\x1b]0;pwned\x07\t"
	var b bytes.Buffer
	renderTop(&b, []*observe.Snapshot{{
		Process:  observe.Process{Name: evil, PID: 42},
		Warnings: []observe.Warning{{Subject: evil, Text: evil}},
		Sockets: []observe.SocketState{
			{
				Name: evil, Type: evil, SendFill: 0.5, RTTMedian: 310, Peers: make([]observe.PeerState, 2), PeersMore: 6,
				Ledger: observe.Ledger{
					Delivered: observe.Count{941}, Queued: observe.Count{7},
					Dropped:   map[string]observe.Count{"queue full": {3}, "peer gone": {1}},
					Discarded: map[string]observe.Count{evil: {2}},
				},
			},
			{Name: "orders", Type: "PULL", Endpoints: []observe.EndpointState{{Error: "connection refused"}}},
		},
	}})
	out := b.String()
	if strings.ContainsAny(out, "\x1b\x07") {
		t.Errorf("%q", out)
	}
	lines := strings.Split(out, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], `! \x1b]0;pwned`) {
		t.Fatalf("%q", lines)
	}
	for i, want := range map[int]string{
		2: "8 941 0 7 50 0 6 310µs queue full",
		3: "orders PULL 0 0 0 0 0 0 0 - connection refused",
	} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
