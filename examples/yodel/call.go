package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

var callVerb = &taskVerb{
	name: "call", args: "METHOD", by: connects | finds,
	short: "Call a method of a service with each line and print the reply",
	long: `METHOD is one of package patterns/rpc, or what serve answers. Requests are the lines of standard input,
or --data; each is sent when the reply to the one before has been printed. Of all that are connected to or found
each call goes to the one with fewest calls.

` + valueHelp + `

With --stream the method answers with any number of values, printed as they come. With --stream-input all lines are
the values of one request to a method that takes a stream, sent as it has room for them, and with both it answers
while they are sent; a line that is no JSON is told and not sent, and makes the status 1 at the end.

A call is tried again at another service if none has begun it; with --idempotent also if one is lost that may have,
and with --hedge D a second one gets it too when the first takes longer than D: only for what may be done twice. With
--once KEY a service does it once, however often it is called with KEY: of several lines the second one has KEY-2 and
so on.

A call waits three seconds, or --timeout, for a service to appear. An error that the service replies is told, the
lines behind it are sent still, and the status is 1 at the end. No service, a service that is lost, and one that has
not replied within --timeout end it: with status 3 if --timeout passed before there was any reply, else 1. With
--json each reply is {"method":…,"reply":…,"from":…}, or has "error" in place of "reply", with "code" and "text".
Ctrl-C ends with status 0, or 1 while a reply is awaited.

` + readerHelp,
	begin: func(fs *pflag.FlagSet, f *taskFlags) taskRun {
		c := &caller{taskFlags: f}
		fs.StringVar(&f.data, "data", "", "call with `JSON` once (--count N: N times); -: with the lines of standard input")
		fs.BoolVar(&c.stream, "stream", false, "the method answers with a stream")
		fs.BoolVar(&c.streamInput, "stream-input", false, "the method takes a stream: make one call of all lines")
		fs.StringVar(&c.once, "once", "", "have a service do it once for all calls with `KEY`, which should be hard to guess")
		fs.BoolVar(&c.idempotent, "idempotent", false, "it may be done twice: try again when a service is lost")
		fs.DurationVar(&c.hedge, "hedge", 0,
			"call a second service when the first takes longer than `D`; implies --idempotent")
		fs.IntVar(&f.count, "count", 0,
			"stop after `N` calls; with --stream after N values received, with --stream-input alone after N values sent; "+
				"0: at the end of the input")
		return c
	},
}

// A caller is call.
type caller struct {
	*taskFlags
	method      string
	stream      bool
	streamInput bool
	once        string
	idempotent  bool
	hedge       time.Duration

	client *rpc.Client
	from   *socket.Peer // of the last reply
}

const (
	maxMethod = 255 // bytes of a name
	maxOnce   = 56  // bytes of a key, which leaves room for a number
)

// checkMethod says what is wrong with the name of a method.
func checkMethod(name string) error {
	if name == "" || len(name) > maxMethod || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return usagef("METHOD %.32q: it must be 1 to %d bytes of text", name, maxMethod)
	}
	return nil
}

func (c *caller) check(fs *pflag.FlagSet, words []string) error {
	c.method = words[0]
	switch {
	case fs.Changed("once") && (c.once == "" || len(c.once) > maxOnce):
		return usagef("--once %.32q: it must have 1 to %d bytes", c.once, maxOnce)
	case (c.stream || c.streamInput) && (c.once != "" || c.hedge > 0 || c.idempotent):
		return usagef("--stream and --stream-input exclude --once, --hedge and --idempotent: a stream is not tried again")
	}
	return checkMethod(c.method)
}

// defaultPatience is how long a call waits for a service, without --timeout.
const defaultPatience = 3 * time.Second

func (c *caller) open(*task) party {
	patience := defaultPatience
	if c.timeout > 0 {
		patience = c.timeout + time.Second // so that it is --timeout that passes
	}
	c.client = rpc.NewClient(
		rpc.WithCodec(patterns.JSON()), rpc.WithTimeout(0), rpc.WithPatience(patience),
		rpc.WithDealer(secured[socket.DealerOption](&c.security)...),
		rpc.WithMiddleware(func(ctx context.Context, i *rpc.Info, next func(context.Context) error) error {
			err := next(ctx)
			c.from = i.Peer
			return err
		}))
	return c.client
}

func (c *caller) summary(t *task) string { return "got " + repliesTo(t.done.Load()) }

func repliesTo(n int64) string { return "replies to " + countOf(n, "call") }

func (c *caller) run(ctx context.Context, t *task) error {
	src, err := c.source(t.app, "a request")
	if err != nil {
		return err
	}
	defer src.close()
	t.out = newPrinter(t.stdout, "line", nil)
	read, stop := t.whileRead(ctx)
	defer stop()
	if c.streamInput {
		err = c.callWithStream(read, t, src)
	} else {
		err = c.callAll(read, t, src)
	}
	if interrupted(ctx, err) {
		err = nil
	}
	failed := t.failed.Load()
	switch {
	case err != nil || failed == 0:
	case c.streamInput:
		err = failf("%s not sent", countOf(failed, "line"))
	default:
		err = failf("%d of %s failed", failed, countOf(failed+t.done.Load(), "call"))
	}
	if _, ok := errors.AsType[*statusError](err); ok || err == nil || isBrokenPipe(err) {
		return err
	}
	return failf("%w", err)
}

func (c *caller) callAll(ctx context.Context, t *task, src source) error {
	for n := 1; c.stream || c.count == 0 || n <= c.count; n++ {
		it, err := src.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case src.refuses(err):
			t.con.printf("call: %v; not sent", err)
			t.failed.Add(1)
			continue
		case err != nil:
			return err
		}
		if c.stream {
			err = c.callStream(ctx, t, it.frames[0])
		} else {
			err = c.callOne(ctx, t, it.frames[0], n)
		}
		switch {
		case errors.Is(err, errEnough):
			t.done.Add(1)
			return nil
		case err == nil:
			t.done.Add(1)
			continue
		}
		var last bool
		if err, last = c.outcome(ctx, t, err, n); last || c.hasData && c.data != "-" && c.count <= 1 {
			return err
		}
		t.con.printf("call: %v", err)
		t.failed.Add(1)
	}
	return nil
}

// callOne makes one call and prints its reply.
func (c *caller) callOne(ctx context.Context, t *task, request []byte, n int) error {
	ctx, cancel := t.within(ctx)
	defer cancel()
	var opts []rpc.CallOption
	if c.once != "" {
		key := c.once
		if n > 1 {
			key = fmt.Sprintf("%s-%d", key, n)
		}
		opts = append(opts, rpc.Once(key))
	}
	if c.idempotent || c.hedge > 0 {
		opts = append(opts, rpc.Idempotent(), rpc.Hedge(c.hedge))
	}
	reply, err := rpc.Call[patterns.Raw](ctx, c.client, c.method, jsonBody(request), opts...)
	if err != nil {
		return err
	}
	return c.print(t, reply)
}

// outcome is what the error of a call comes to, and whether it is the end.
func (c *caller) outcome(ctx context.Context, t *task, err error, n int) (_ error, last bool) {
	_, unanswered := errors.AsType[*rpc.CallError](err)
	replied, _ := errors.AsType[*patterns.Error](err)
	late := t.flags.timeout > 0 && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errIdle))
	switch {
	case isBrokenPipe(context.Cause(ctx)):
		return context.Cause(ctx), true
	case ctx.Err() != nil:
		return failf("interrupted: no reply to call %d", n), true
	case late && t.done.Load()+t.failed.Load() == 0 && !t.out.printed():
		return nothingf("no reply for %v", t.flags.timeout), true
	case late:
		return failf("no reply to call %d for %v", n, t.flags.timeout), true
	case errors.Is(err, rpc.ErrNoResponders):
		return failf("call %d: there is no service that takes it", n), true
	case unanswered || replied == nil:
		return failf("%w", err), true
	}
	if t.json {
		if e := c.printError(t, replied); e != nil {
			return e, true
		}
	}
	return failf("%w", replied), false
}

// print prints a reply.
func (c *caller) print(t *task, reply patterns.Raw) error {
	text, err := toJSON(reply)
	if err != nil {
		return failf("the reply: %w", err)
	}
	line := text
	if t.json {
		line = appendJSON([]byte(`{"method":`), c.method)
		line = append(append(line, `,"reply":`...), text...)
		line = append(appendJSON(append(line, `,"from":`...), origin(c.from)), '}')
	}
	return t.out.printNow(line)
}

func (c *caller) printError(t *task, e *patterns.Error) error {
	line := appendJSON([]byte(`{"method":`), c.method)
	line = appendJSON(append(line, `,"error":{"code":`...), string(e.Code))
	line = appendJSON(append(line, `,"text":`...), e.Text)
	line = appendJSON(append(line, `},"from":`...), origin(c.from))
	return t.out.printNow(append(line, '}'))
}
