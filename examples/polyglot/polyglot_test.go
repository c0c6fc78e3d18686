package polyglot

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/group"
	"github.com/yodel-mq/yodel/patterns/pipeline"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/patterns/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	args  struct{ A, B int }
	sum   struct{ Sum int }
	quote struct{ Price float64 }
)

// languages are how to find what the scripts need, and how to run them.
var languages = []struct{ name, command, extension, imports string }{
	{"Python", "/usr/bin/python3", ".py", "import msgpack, zmq"}, // to which Debian's packages belong
	{"JavaScript", "node", ".js", `require("@msgpack/msgpack"); require("zeromq")`},
}

func eachLanguage(t *testing.T, test func(t *testing.T, start func(script, endpoint string) *bufio.Scanner)) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			check := map[string]string{".py": "-c", ".js": "-e"}[l.extension]
			out, err := exec.CommandContext(t.Context(), l.command, check, l.imports).CombinedOutput()
			if err != nil && os.Getenv("CI") != "" {
				t.Fatalf("`bash .ci/run machine` installs what is missing: %v: %s", err, out)
			}
			if err != nil {
				t.Skipf("%s cannot %q, %v", l.command, l.imports, err)
			}
			test(t, func(script, endpoint string) *bufio.Scanner {
				cmd := exec.CommandContext(t.Context(), l.command, script+l.extension, endpoint)
				cmd.Stderr = os.Stderr
				cmd.WaitDelay = time.Second
				out, err := cmd.StdoutPipe()
				must(t, err)
				must(t, cmd.Start())
				t.Cleanup(func() { _ = cmd.Wait() }) // the context has ended by then
				return bufio.NewScanner(out)
			})
		})
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func reads(t *testing.T, from *bufio.Scanner) string {
	t.Helper()
	if !from.Scan() {
		t.Fatalf("it has ended: %v", from.Err())
	}
	return strings.TrimRight(from.Text(), "\x00")
}

func TestService(t *testing.T) {
	eachLanguage(t, func(t *testing.T, start func(script, endpoint string) *bufio.Scanner) {
		c := rpc.NewClient()
		defer c.Close()
		must(t, c.Connect(reads(t, start("service", "tcp://127.0.0.1:*"))))
		if s, err := rpc.Call[sum](within(t), c, "add", args{1, 2}); err != nil || s.Sum != 3 {
			t.Error(s, err)
		}
		unimplemented := &patterns.Error{Code: patterns.CodeUnimplemented}
		if _, err := rpc.Call[sum](within(t), c, "sub", args{1, 2}); !errors.Is(err, unimplemented) {
			t.Error(err)
		}
	})
}

func TestCaller(t *testing.T) {
	eachLanguage(t, func(t *testing.T, start func(script, endpoint string) *bufio.Scanner) {
		s := rpc.NewService()
		defer s.Close()
		rpc.Handle(s, "add", func(_ context.Context, in args) (sum, error) { return sum{in.A + in.B}, nil })
		endpoint, err := s.Bind(within(t), "tcp://127.0.0.1:*")
		must(t, err)
		serving, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Serve(serving) }()
		out := start("caller", endpoint)
		if a, b := reads(t, out), reads(t, out); a != "3" || b != "unimplemented" {
			t.Error(a, b)
		}
		stop()
		must(t, <-done)
	})
}

func TestPublisher(t *testing.T) {
	eachLanguage(t, func(t *testing.T, start func(script, endpoint string) *bufio.Scanner) {
		s := pubsub.NewSubscriber[quote]()
		defer s.Close()
		must(t, s.Subscribe("quotes.*.sap"))
		must(t, s.Connect(reads(t, start("publisher", "tcp://127.0.0.1:*"))))
		for e, err := range s.Events(within(t)) {
			if must(t, err); e.Subject != "quotes.eu.sap" || e.Value.Price != 101.5 {
				t.Errorf("%+v", e)
			}
			break
		}
	})
}

func TestSubscriber(t *testing.T) {
	eachLanguage(t, func(t *testing.T, start func(script, endpoint string) *bufio.Scanner) {
		p := pubsub.NewPublisher[quote]()
		defer p.Close()
		endpoint, err := p.Bind(within(t), "tcp://127.0.0.1:*")
		must(t, err)
		out := start("subscriber", endpoint)
		must(t, p.WaitSubscribers(within(t), "quotes.eu.sap", 1))
		must(t, p.Publish(within(t), "news", quote{1}))
		must(t, p.Publish(within(t), "quotes.eu.sap", quote{101.5}))
		if got := reads(t, out); got != "quotes.eu.sap 101.5" {
			t.Error(got)
		}
	})
}

func TestWorker(t *testing.T) {
	eachLanguage(t, func(t *testing.T, start func(script, endpoint string) *bufio.Scanner) {
		p := pipeline.NewPusher[int]()
		defer p.Close()
		endpoint, err := p.Bind(within(t), "tcp://127.0.0.1:*")
		must(t, err)
		start("worker", endpoint)
		done, err := p.Push(within(t), 21)
		must(t, err)
		rejected, err := p.Push(within(t), -1)
		must(t, err)
		var twice int
		if err := errors.Join(done.Wait(within(t)), done.Result(&twice)); err != nil || twice != 42 {
			t.Error(twice, err)
		}
		if err := rejected.Wait(within(t)); !errors.Is(err, pipeline.ErrRejected) {
			t.Error(err)
		}
	})
}

func TestPusher(t *testing.T) {
	eachLanguage(t, func(t *testing.T, start func(script, endpoint string) *bufio.Scanner) {
		w := pipeline.NewWorker[int]()
		defer w.Close()
		endpoint, err := w.Bind(within(t), "tcp://127.0.0.1:*")
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- w.Run(ctx, 2, func(_ context.Context, j *pipeline.Job[int]) error {
				if j.Value < 0 {
					return pipeline.Reject(errors.New("below zero"))
				}
				return j.Done(2 * j.Value)
			})
		}()
		out := start("pusher", endpoint)
		got := []string{reads(t, out), reads(t, out), reads(t, out)}
		slices.Sort(got)
		if want := []string{"-20 below zero", "10 20", "30 60"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestMember(t *testing.T) {
	eachLanguage(t, func(t *testing.T, start func(script, endpoint string) *bufio.Scanner) {
		m := group.New[string]("go")
		defer m.Close()
		endpoint, err := m.Bind(within(t), "tcp://127.0.0.1:*")
		must(t, err)
		must(t, m.Join("g"))
		out := start("member", endpoint)
		if got := reads(t, out); got != "hello go" {
			t.Error(got)
		}
		must(t, m.WaitPeers(within(t), "g", 1))
		must(t, m.Whisper(within(t), m.Peers("g")[0], "psst"))
		for e, err := range m.Events(within(t)) {
			if must(t, err); e.Kind != group.Shout {
				continue
			}
			if e.Group != "g" || e.Value != "PSST" || e.Peer.Name != "foreign" {
				t.Errorf("%+v", e)
			}
			break
		}
	})
}
