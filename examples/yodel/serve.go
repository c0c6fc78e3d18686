package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

var serveVerb = &taskVerb{
	name: "serve", args: "METHOD", by: binds | connects,
	short: "Answer the calls of a method by a command",
	long: `METHOD is what call, and any client of package patterns/rpc, calls. For each call sh runs --exec with
the request as JSON on standard input; what it writes to standard output, JSON as well, is the reply, in the
encoding of the request; nothing is null. YODEL_ATTEMPT says how many attempts there were before. Up to --parallel
commands run at once; calls beyond wait for a moment and are then refused, so that callers go elsewhere. --connect
is for the DEALER of a proxy.

` + valueHelp + `

With --stream each line that the command writes is a value of its own, sent at once.

A command that fails is told on standard error, and to the caller with the code "unknown" and the last line that the
command wrote to standard error; with status 75 (EX_TEMPFAIL) the code is "unavailable", which has callers try again
that may, and with 65 (EX_DATAERR) "invalid_argument". When its caller gives up, or after --exec-timeout
("deadline_exceeded"), it is killed with all that it has started.

With --count N the tool ends with status 0 after N calls; those that run then are answered too. With --timeout it
gives up when no call ended for that long: status 3 if there was none at all, 1 if less than --count, 0 otherwise.
At the end callers are told to go elsewhere, and calls that run have --linger to end; a second Ctrl-C ends at once.`,
	begin: func(fs *pflag.FlagSet, f *taskFlags) taskRun {
		s := &server{taskFlags: f}
		f.registerExec(fs, "call", "its output is the reply", 0)
		fs.BoolVar(&s.stream, "stream", false, "reply with a stream: a value for each line of the output")
		fs.IntVar(&f.count, "count", 0, "stop after `N` calls; 0: endless")
		fs.DurationVar(&f.linger, "linger", defaultLinger, "wait at the end for up to `D` for calls that run")
		return s
	},
}

// A server is serve.
type server struct {
	*taskFlags
	method string
	stream bool

	service *rpc.Service
	enough  func()        // called when --count is reached
	over    chan struct{} // closed by enough
	turns   chan struct{} // of streams, which the service does not count
}

func (s *server) check(_ *pflag.FlagSet, words []string) error {
	s.method = words[0]
	if strings.HasPrefix(s.method, "yodel.") {
		return usagef("METHOD %.32q: names that begin with \"yodel.\" are the service's own", s.method)
	}
	return checkMethod(s.method)
}

func (s *server) open(t *task) party {
	s.over = make(chan struct{})
	s.enough = sync.OnceFunc(func() { close(s.over) })
	s.turns = make(chan struct{}, s.parallel)
	s.service = rpc.NewService(
		rpc.WithConcurrency(s.parallel), rpc.WithGrace(s.linger), rpc.WithName("yodel serve "+s.method, ""),
		rpc.WithRouter(secured[socket.RouterOption](&s.security)...),
		rpc.WithMiddleware(func(ctx context.Context, i *rpc.Info, next func(context.Context) error) error {
			err := next(ctx)
			if err != nil && ctx.Err() == nil {
				t.con.printf("serve: %v", err)
			}
			if n := t.done.Add(1); s.count > 0 && n >= int64(s.count) {
				s.enough()
			}
			return err
		}))
	if s.stream {
		rpc.HandleSource(s.service, s.method, func(ctx context.Context, request patterns.Raw) iter.Seq2[patterns.Raw, error] {
			return func(yield func(patterns.Raw, error) bool) {
				if err := s.answerStream(ctx, t, request, yield); err != nil && !errors.Is(err, errLeft) {
					yield(patterns.Raw{}, err)
				}
			}
		})
	} else {
		rpc.Handle(s.service, s.method, func(ctx context.Context, request patterns.Raw) (patterns.Raw, error) {
			return s.answer(ctx, t, request)
		})
	}
	return s.service
}

func (s *server) summary(t *task) string { return "answered " + countOf(t.done.Load(), "call") }

func (s *server) run(ctx context.Context, t *task) error {
	wait, stop := t.idle(ctx)
	defer stop(nil)
	select {
	case <-wait.Done():
	case <-s.over:
		stop(errEnough)
	}
	t.closing.Store(true)
	t.leave() // so that nobody finds it any more
	if n := s.service.Stats().Running; n > 0 && s.linger > 0 {
		t.con.notef("serve: waiting for %s to end", countOf(n, "call"))
	}
	err := s.service.Serve(wait)
	why := context.Cause(wait)
	if errors.Is(why, errEnough) {
		why = nil
	}
	if status := countStatus(ctx, why, t.done.Load(), s.count, "call", t.flags.timeout); status != nil {
		return status
	}
	if err != nil {
		return failf("%w", err)
	}
	return nil
}

// errLeft is the end of a stream that nobody reads any more.
var errLeft = errors.New("the stream was left")

func (s *server) answer(ctx context.Context, t *task, request patterns.Raw) (patterns.Raw, error) {
	input, err := toJSON(request)
	if err != nil {
		return patterns.Raw{}, patterns.Errorf(patterns.CodeInvalidArgument, "the request: %w", err)
	}
	out, err := t.command(ctx, input, callVars(ctx)...)
	if err != nil {
		return patterns.Raw{}, replyError(ctx, err)
	}
	reply, err := fromJSON(out, request.Type)
	if err != nil {
		return patterns.Raw{}, patterns.Errorf(patterns.CodeInternal, "the command's output is no JSON: %w", err)
	}
	return reply, nil
}

func (s *server) answerStream(
	ctx context.Context, t *task, request patterns.Raw, yield func(patterns.Raw, error) bool,
) error {
	input, err := toJSON(request)
	if err != nil {
		return patterns.Errorf(patterns.CodeInvalidArgument, "the request: %w", err)
	}
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err = t.commandLines(ctx, input, func(line []byte) error {
		item, err := fromJSON(line, request.Type)
		if err != nil {
			return patterns.Errorf(patterns.CodeInternal, "the command's output is no JSON: %w", err)
		}
		if !yield(item, nil) {
			return errLeft
		}
		return nil
	}, callVars(ctx)...)
	return replyError(ctx, err)
}

// callVars are the variables that a command gets.
func callVars(ctx context.Context) []string {
	i := rpc.InfoFrom(ctx)
	if i == nil {
		return nil
	}
	return []string{fmt.Sprintf("ATTEMPT=%d", i.Attempt)}
}

// replyError is what the caller is told of a command that failed.
func replyError(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*commandError](err)
	switch {
	case !ok || ctx.Err() != nil:
		return err
	case errors.Is(err, errCommandTimeout):
		return patterns.Errorf(patterns.CodeDeadlineExceeded, "%s", failed.text())
	case failed.status() == exitLater:
		return patterns.Errorf(patterns.CodeUnavailable, "%s", failed.text())
	case failed.status() == exitData:
		return patterns.Errorf(patterns.CodeInvalidArgument, "%s", failed.text())
	}
	return patterns.Errorf(patterns.CodeUnknown, "%s", failed.text())
}
