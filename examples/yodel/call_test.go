package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
)

// TestCall: the command gets each request, and call prints each reply, with the status that belongs to them.
func TestCall(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		exec        string
		serve, call []string
		input       string
		status      int
		want, says  string
	}{
		{name: "lines", exec: "cat", input: "{\"a\": 1}\n\n\"b\"\n", want: "{\"a\":1}\n\"b\"\n"},
		{name: "data", exec: "cat", call: []string{"--data", "[1, 2]"}, want: "[1,2]\n"},
		{name: "data, often", exec: "cat", call: []string{"--data", "1", "--count", "2"}, want: "1\n1\n"},
		{name: "lines by data", exec: "cat", call: []string{"--data", "-"}, input: "7\n", want: "7\n"},
		{name: "count", exec: "cat", call: []string{"--count", "1"}, input: "1\n2\n", want: "1\n"},
		{name: "nothing is null", exec: "true", call: []string{"--data", "1"}, want: "null\n"},
		{name: "attempts", exec: "echo $YODEL_ATTEMPT", call: []string{"--data", "1"}, want: "0\n"},
		{
			name: "the last line of what it said", exec: "echo no >&2; echo 'not here' >&2; exit 3",
			call: []string{"--data", "1"}, status: 1, says: "yodel call: unknown: not here\n",
		},
		{name: "nothing said", exec: "exit 3", call: []string{"--data", "1"}, status: 1, says: "unknown: exit status 3"},
		{name: "later", exec: "exit 75", call: []string{"--data", "1"}, status: 1, says: "unavailable: exit status 75"},
		{name: "bad data", exec: "exit 65", call: []string{"--data", "1"}, status: 1, says: "invalid_argument: exit"},
		{name: "no JSON", exec: "echo a b", call: []string{"--data", "1"}, status: 1, says: "output is no JSON"},
		{
			name: "the others are sent", exec: `read x; [ "$x" != 2 ] && echo "$x"`, input: "1\n2\n{\n3\n",
			status: 1, want: "1\n3\n", says: "2 of 4 calls failed",
		},
		{
			name: "json", exec: `read x; [ "$x" != 2 ] && echo "$x"`, call: []string{"--json"}, input: "1\n2\n", status: 1,
			want: `{"method":"m","reply":1,"from":"ADDRESS"}` + "\n" +
				`{"method":"m","error":{"code":"unknown","text":"exit status 1"},"from":"ADDRESS"}` + "\n",
			says: "1 of 2 calls failed",
		},
		{
			name: "too long", exec: "sleep 1000", serve: []string{"--exec-timeout", "100ms"},
			call: []string{"--data", "1"}, status: 1, says: "deadline_exceeded: killed: --exec-timeout passed",
		},
		{
			name: "no reply", exec: "sleep 1000", call: []string{"--data", "1", "--timeout", "300ms"}, status: 3,
			says: "no reply for 300ms",
		},
		{
			name: "no second reply", exec: `read x; [ "$x" = 2 ] && sleep 1000; echo "$x"`, input: "1\n2\n3\n",
			call: []string{"--timeout", "4s"}, status: 1, want: "1\n", says: "no reply to call 2 for 4s",
		},
		{
			name: "stream", exec: "cat; echo; echo 2; echo 3", serve: []string{"--stream"}, call: []string{"--stream"},
			input: "1\n", want: "1\n2\n3\n",
		},
		{
			name: "stream, count", exec: "yes 1", serve: []string{"--stream"},
			call: []string{"--stream", "--count", "2", "--data", "0"}, want: "1\n1\n",
		},
		{
			name: "stream that fails", exec: "echo 1; echo oops >&2; exit 1", serve: []string{"--stream"},
			call: []string{"--stream", "--data", "0"}, status: 1, want: "1\n", says: "unknown: oops",
		},
		{
			name: "stream that stalls", exec: "echo 1; sleep 1000", serve: []string{"--stream"},
			call: []string{"--stream", "--data", "0", "--timeout", "4s"}, status: 1, want: "1\n", says: "for 4s",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			serve := startInput(t, "", append([]string{"serve", "m", "--bind", anyPort, "--exec", tc.exec}, tc.serve...)...)
			at := serve.endpoint()
			call := startInput(t, tc.input, append([]string{"call", "m", "--connect", at}, tc.call...)...)
			call.exit(tc.status)
			call.prints(strings.ReplaceAll(tc.want, "ADDRESS", strings.TrimPrefix(at, "tcp://")))
			call.says(tc.says)
			serve.stop()
			serve.exit(0)
		})
	}
}

// TestCallByName: services are found by name, and the calls are counted.
func TestCallByName(t *testing.T) {
	t.Parallel()
	group := ownGroup()
	there := []string{"--interface", loopback(t), "--group", group}
	serve := startInput(t, "", append([]string{
		"serve", "m", "--announce", "svc", "--exec", "cat", "--count", "2", "--timeout", "1m",
	}, there...)...)
	call := startInput(t, "1\n2\n", append([]string{"call", "m", "--find", "svc", "--timeout", "15s"}, there...)...)
	call.exit(0)
	call.prints("1\n2\n")
	serve.exit(0)
	serve.says("answered 2 calls")
}

// TestCallNobody: that there is no service is told, and why.
func TestCallNobody(t *testing.T) {
	t.Parallel()
	call := startInput(t, "", "call", "m", "--connect", nobody, "--data", "1")
	call.exit(1)
	call.says("yodel call: call 1: there is no service that takes it: no peer: connection refused")
	call = startInput(t, "", "call", "m", "--connect", nobody, "--data", "1", "--timeout", "1s")
	call.exit(3)
	call.says("yodel call: no reply for 1s: no peer: connection refused")
}

// TestCallOnce: what has a key is done once, and the same reply comes again; each line has a key of its own.
func TestCallOnce(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	serve := startInput(t, "", "serve", "m", "--bind", anyPort, "--exec", "tee -a "+log)
	for range 2 {
		call := startInput(t, "1\n2\n", "call", "m", "--connect", serve.endpoint(), "--once", "k")
		call.exit(0)
		call.prints("1\n2\n")
	}
	if got, err := os.ReadFile(log); err != nil || string(got) != "1\n2\n" {
		t.Errorf("the commands got %q, %v", got, err)
	}
	serve.stop()
	serve.exit(0)
}

// TestCallHedge: a second service gets a call that takes long.
func TestCallHedge(t *testing.T) {
	t.Parallel()
	first := filepath.Join(t.TempDir(), "first")
	args := []string{"call", "m", "--hedge", "50ms"}
	for _, id := range []string{"1", "2"} {
		exec := `read x; if [ "$x" = 9 ] && mkdir ` + first + `; then exec sleep 1000; fi; echo ` + id
		serve := startInput(t, "", "serve", "m", "--bind", anyPort, "--exec", exec, "--linger", "0")
		args = append(args, "--connect", serve.endpoint())
	}
	call := start(t, args...)
	lines := 0
	type1 := func(request string) string {
		call.types(request + "\n")
		lines++
		return call.stdout.waitFor(t, func(s string) bool { return strings.Count(s, "\n") == lines })
	}
	for seen := ""; !strings.Contains(seen, "1") || !strings.Contains(seen, "2"); { // until both take calls
		seen = type1("0")
	}
	type1("9")
	call.stdin.Close()
	call.exit(0)
}

// TestServeOthers: clients in Go call it in their own encoding.
func TestServeOthers(t *testing.T) {
	t.Parallel()
	serve := startInput(t, "", "serve", "m", "--bind", anyPort, "--exec", "cat", "--count", "2")
	for _, codec := range []patterns.Codec{patterns.Msgpack(patterns.Limits{}), patterns.Bytes()} {
		client := rpc.NewClient(rpc.WithCodec(codec))
		defer client.Close()
		if err := client.Connect(serve.endpoint()); err != nil {
			t.Fatal(err)
		}
		if codec.Type() == "bytes" {
			got, err := rpc.Call[string](t.Context(), client, "m", "hello")
			if err != nil || got != "hello" {
				t.Errorf("%q, %v", got, err)
			}
			continue
		}
		type point struct {
			X int
			Y float64
		}
		got, err := rpc.Call[point](t.Context(), client, "m", point{1 << 40, 0.5})
		if err != nil || got != (point{1 << 40, 0.5}) {
			t.Errorf("%v, %v", got, err)
		}
	}
	serve.exit(0)
}

// TestCallOthers: services in Go are called, and what they reply is printed as JSON.
func TestCallOthers(t *testing.T) {
	t.Parallel()
	svc := rpc.NewService()
	defer svc.Close()
	rpc.Handle(svc, "m", func(_ context.Context, n int) (map[string]any, error) {
		return map[string]any{"n": n, "text": "a\x7f"}, nil
	})
	at, err := svc.Bind(t.Context(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	call := startInput(t, "", "call", "m", "--connect", at, "--data", "5")
	call.exit(0)
	call.prints(`{"n":5,"text":"a\u007f"}` + "\n")
	call = startInput(t, "", "call", "m", "--connect", at, "--data", `"x"`)
	call.exit(1)
	call.says("invalid_argument: the request")
}

// TestServeEnds: calls that run when it is told to end are answered.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	goOn := filepath.Join(t.TempDir(), "go")
	serve := startInput(t, "", "serve", "m", "--bind", anyPort, "--exec",
		"echo >&2 begun; while ! [ -e "+goOn+" ]; do sleep 0.1; done; cat")
	call := startInput(t, "", "call", "m", "--connect", serve.endpoint(), "--data", "1")
	serve.says("begun")
	serve.stop()
	serve.says("serve: waiting for 1 call to end")
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	call.exit(0)
	call.prints("1\n")
	serve.exit(0)
}
