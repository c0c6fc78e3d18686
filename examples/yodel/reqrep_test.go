package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

func TestRequestReply(t *testing.T) {
	for _, tc := range []struct {
		name     string
		rep, req []string
		input    string
		want     string
	}{
		{"echo", nil, nil, "a\tb\n\nc\n", "a\tb\n\nc\n"},
		{"echo by name", []string{"--echo"}, nil, "a\n", "a\n"},
		{"format", nil, []string{"--format", "quoted", "--delim", ","}, "a,b\n", "\"a\",\"b\"\n"},
		{"confirm", nil, []string{"--confirm", "--format", "hex"}, "a\nb\n", "a\n61\nb\n62\n"},
		{"data", nil, []string{"--data", "x", "--count", "2"}, "", "x\nx\n"},
		{"count", nil, []string{"--count", "1"}, "a\nb\n", "a\n"},
		{"wait", nil, []string{"--wait", "1"}, "a\n", "a\n"},
		{"exec", []string{"--exec", "tr a-z A-Z"}, nil, "hello\nworld\n", "HELLO\nWORLD\n"},
		{
			"exec joins frames",
			[]string{"--exec", "cat", "--delim", "|"},
			[]string{"--format", "quoted"},
			"a\tb\n",
			"\"a|b\"\n",
		},
		{"exec is exact", []string{"--exec", "printf 'x\\n\\n'"}, []string{"--format", "quoted"}, "a\n", `"x\n\n"` + "\n"},
		{"exec ignores its input", []string{"--exec", "echo done"}, []string{"--format", "quoted"}, "a\n", `"done\n"` + "\n"},
		{"exec fails", []string{"--exec", "echo half; exit 3"}, []string{"--format", "quoted"}, "a\nb\n", "\"\"\n\"\"\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rep := startInput(t, "", append([]string{"rep", "--bind", anyPort}, tc.rep...)...)
			req := startInput(t, tc.input,
				append([]string{"req", "--connect", rep.endpoint(), "--timeout", "10s"}, tc.req...)...)
			req.exit(0)
			req.prints(tc.want)
			rep.stop()
			rep.exit(0)
		})
	}
}

func TestReplyCount(t *testing.T) {
	rep := startInput(t, "", "rep", "--bind", anyPort, "--count", "2")
	req := startInput(t, "a\nb\n", "req", "--connect", rep.endpoint())
	req.exit(0)
	rep.exit(0)
	req.prints("a\nb\n")
	rep.says("replied to 2 messages")
}

func TestReplyFailureIsReported(t *testing.T) {
	rep := startInput(t, "", "rep", "--bind", anyPort, "--count", "1", "--exec", "echo oops >&2; exit 7")
	startInput(t, "", "req", "--connect", rep.endpoint(), "--data", "x").exit(0)
	rep.exit(0)
	rep.says("oops")
	rep.says("exit status 7")
}

// TestPeerLost: a request whose peer dies is a failure that names the peer.
func TestPeerLost(t *testing.T) {
	rep := socket.NewRep()
	defer rep.Close()
	at, err := rep.Bind(t.Context(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	req := startInput(t, "hello\n", "req", "--connect", at)
	if _, err := rep.Recv(t.Context()); err != nil {
		t.Fatal(err)
	}
	rep.Close()
	req.exit(1)
	req.says("the peer is gone")
	req.says(strings.TrimPrefix(at, "tcp://"))
}

// TestRequesterLost: one that is gone before its reply is reported, does not count and does not stop the replier.
func TestRequesterLost(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v: %s", err, out)
	}
	// By way of monitor, which shows when the peer is gone.
	rep := startInput(t, "", "monitor", "rep", "--bind", ipcEndpoint(t), "--count", "1",
		"--exec", `if [ "$(cat)" = wait ]; then cat `+fifo+`; else echo ok; fi`)
	req := socket.NewReq()
	defer req.Close()
	if err := req.Connect(rep.endpoint()); err != nil {
		t.Fatal(err)
	}
	if err := req.Send(t.Context(), socket.Text("wait")); err != nil {
		t.Fatal(err)
	}
	hold, err := os.OpenFile(fifo, os.O_WRONLY, 0) // returns when the command reads
	if err != nil {
		t.Fatal(err)
	}
	req.Close()
	rep.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "peer down REQ") })
	hold.Close()
	rep.says("the peer is gone")
	next := startInput(t, "", "req", "--connect", rep.endpoint(), "--data", "x", "--format", "raw")
	next.exit(0)
	next.prints("ok\n")
	rep.exit(0)
}

func TestIdentity(t *testing.T) {
	rep := startInput(t, "", "monitor", "rep", "--bind", anyPort, "--count", "1")
	startInput(t, "", "req", "--connect", rep.endpoint(), "--id", "number six", "--data", "x").exit(0)
	rep.exit(0)
	rep.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, `"number six"`) })
}
