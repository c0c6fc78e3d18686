package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestMonitorReceiver(t *testing.T) {
	mon := startInput(t, "", "monitor", "pull", "--bind", anyPort, "--hwm", "1")
	// More than fits anywhere: the monitor must keep receiving.
	push := startInput(t, "", "push", "--connect", mon.endpoint(), "--data", strings.Repeat("x", 100_000), "--count",
		"200", "--hwm", "1")
	push.exit(0)
	mon.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "peer down PUSH 127.0.0.1:") })
	mon.stop()
	mon.exit(0)
	at := 0
	for _, want := range []string{
		" listening at tcp://127.0.0.1:", " accepted ", " peer up PUSH 127.0.0.1:", " peer down PUSH ", " closed\n",
	} {
		i := strings.Index(mon.stdout.String()[at:], want)
		if i < 0 {
			t.Fatalf("stdout lacks %q in its place:\n%s", want, mon.stdout)
		}
		at += i
	}
}

func TestMonitorJSON(t *testing.T) {
	mon := startInput(t, "", "monitor", "rep", "--bind", anyPort, "--json", "--count", "2")
	req := startInput(t, "a\nb\n", "req", "--connect", mon.endpoint(), "--id", "me")
	req.exit(0) // requests are answered
	mon.exit(0)
	up := false
	for line := range strings.Lines(mon.stdout.String()) {
		var ev struct {
			Time     time.Time
			Kind     string
			Endpoint string
			Peer     struct{ Type, Identity, Address, Node string }
		}
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if ev.Time.IsZero() || ev.Kind == "" {
			t.Errorf("%q", line)
		}
		if ev.Kind == "peer up" {
			up = true
			if ev.Peer.Type != "REQ" || ev.Peer.Identity != "me" || ev.Peer.Address == "" || len(ev.Peer.Node) != 32 ||
				ev.Endpoint == "" {
				t.Errorf("%q", line)
			}
		}
	}
	if !up {
		t.Errorf("no peer came up:\n%s", mon.stdout)
	}
}

func TestMonitorSender(t *testing.T) {
	t.Run("sends nothing", func(t *testing.T) {
		pull := start(t, "pull", "--bind", anyPort)
		mon := startInput(t, "not read\n", "monitor", "push", "--connect", pull.endpoint())
		mon.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "peer up PULL") })
		mon.stop()
		mon.exit(0)
		pull.stop()
		pull.exit(0)
		pull.prints("")
	})
	t.Run("sends --data", func(t *testing.T) {
		sub := start(t, "sub", "--bind", anyPort)
		mon := startInput(t, "", "monitor", "pub", "--connect", sub.endpoint(), "--data", "hello")
		mon.exit(0)
		sub.prints("hello\n")
		mon.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "peer up SUB") })
	})
}

func TestMonitorTimeout(t *testing.T) {
	for _, args := range []string{
		"monitor push --connect NOBODY", "monitor sub --bind tcp://127.0.0.1:0", "monitor req --connect NOBODY --data x",
	} {
		t.Run(strings.Fields(args)[1], func(t *testing.T) {
			mon := startInput(t, "",
				append(strings.Fields(strings.ReplaceAll(args, "NOBODY", ipcEndpoint(t))), "--timeout", "50ms")...)
			mon.exit(0)
			if !strings.Contains(mon.stdout.String(), " closed") {
				t.Errorf("stdout %q", mon.stdout)
			}
		})
	}
}
