package main

import (
	"context"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/patterns/rpc"
)

// streamer is a service whose methods take streams. read is told of each value that "wait" gets, and of how they end.
func streamer(t *testing.T) (endpoint string, read chan any) {
	t.Helper()
	svc := rpc.NewService()
	t.Cleanup(func() { svc.Close() })
	read = make(chan any, 10)
	rpc.HandleSink(svc, "sum", func(_ context.Context, items iter.Seq2[int, error]) (sum int, _ error) {
		for n, err := range items {
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	})
	rpc.HandleSink(svc, "wait", func(ctx context.Context, items iter.Seq2[int, error]) (int, error) {
		var last error
		for n, err := range items {
			if last = err; err == nil {
				read <- n
			}
		}
		read <- last
		<-ctx.Done()
		return 0, ctx.Err()
	})
	rpc.HandleDuplex(svc, "double", func(_ context.Context, items iter.Seq2[int, error]) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for n, err := range items {
				if !yield(2*n, err) || err != nil {
					return
				}
			}
		}
	})
	at, err := svc.Bind(t.Context(), anyPort)
	if err != nil {
		t.Fatal(err)
	}
	return at, read
}

// TestCallWithAStream: the lines are one request, of a method that takes a stream.
func TestCallWithAStream(t *testing.T) {
	t.Parallel()
	at, _ := streamer(t)
	for _, tc := range []struct {
		name, args, input string
		status            int
		want, says        string
	}{
		{name: "sum", args: "sum", input: "1\n2\n\n3\n", want: "6\n", says: "got replies to 1 call"},
		{name: "of nothing", args: "sum", want: "0\n"},
		{name: "up to a count", args: "sum --count 2", input: "1\n2\n3\n", want: "3\n"},
		{name: "data, often", args: "sum --data 5 --count 3", want: "15\n"},
		{name: "json", args: "sum --json", input: "1\n", want: `{"method":"sum","reply":1,"from":`},
		{
			name: "a line that is no JSON", args: "sum", input: "1\nx\n2\n", status: 1, want: "3\n",
			says: "yodel call: 1 line not sent",
		},
		{name: "a value of another type", args: "sum", input: "\"a\"\n", status: 1, says: "invalid_argument"},
		{name: "no reply", args: "wait --timeout 300ms", input: "1\n", status: 3, says: "no reply for 300ms"},
		{name: "both ways", args: "double --stream", input: "1\n2\n", want: "2\n4\n"},
		{name: "both ways, count", args: "double --stream --count 1", input: "1\n2\n", want: "2\n"},
		{name: "no such method", args: "m", input: "1\n", status: 1, says: "unimplemented"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"call", "--connect", at, "--stream-input"}, strings.Fields(tc.args)...)
			call, _ := process(t, strings.NewReader(tc.input), args...)
			call.exit(tc.status)
			if got := call.stdout.String(); !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("it printed %q, want %q", got, tc.want)
			}
			call.says(tc.says)
		})
	}
}

// TestCallConverses: with streams both ways there is an answer while the input goes on.
func TestCallConverses(t *testing.T) {
	t.Parallel()
	at, _ := streamer(t)
	in, lines := io.Pipe()
	call, _ := process(t, in, "call", "double", "--connect", at, "--stream", "--stream-input", "--timeout", "30s")
	for n, want := range []string{"2\n", "2\n4\n", "2\n4\n6\n"} {
		if _, err := io.WriteString(lines, numbers(n+1, n+1)); err != nil {
			t.Fatal(err)
		}
		call.prints(want)
	}
	lines.Close()
	call.exit(0)
}

// TestCallIsInterrupted: a method does not take for all what was sent before the caller was told to end.
func TestCallIsInterrupted(t *testing.T) {
	t.Parallel()
	at, read := streamer(t)
	call := start(t, "call", "wait", "--connect", at, "--stream-input")
	call.types("1\n")
	if got := <-read; got != 1 {
		t.Fatal(got)
	}
	call.stop()
	call.exit(1)
	call.says("interrupted: no reply to call 1")
	if got := <-read; got == nil {
		t.Error("the method was told that it had all")
	}
}
