package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
)

var subscribeVerb = &taskVerb{
	name: "subscribe", args: "PATTERN...", by: connects | finds,
	short: "Print the events whose subject matches one of the patterns",
	long: `A PATTERN is a subject, such as quotes.eu.sap, in which a word may be "*", any one word, and the last
one ">", one or more, or "#", any number, also none: put it in quotes. Events are printed as they come, the subject,
a space and the value; with --json as {"subject":…,"value":…,"from":…}, with "missed" (how many before it did not
come; -1: nobody knows), "attempt" (with --queue-group, how often somebody else had it before) and "replay" (true if
it was published before) where there is something to say. What was missed is told on standard error too. Publishers
are publish, and any of package patterns/pubsub; of pub, and all of ZeroMQ, the second frame is the value, which is
a string if it is no JSON.

` + valueHelp + `

With --last the newest event of each subject comes first, with --replay N the N newest ones, as far as publishers
keep them. With --queue-group NAME each event goes to one of all that have subscribed with NAME, and to another if
that one is lost before it has printed it.

With --count N the tool ends with status 0 after N events. With --timeout it gives up when nothing was received for
that long: status 3 if there was nothing at all, 1 if less than --count, 0 otherwise. Ctrl-C ends with status 0, or
1 before --count is reached.

` + readerHelp,
	begin: func(fs *pflag.FlagSet, f *taskFlags) taskRun {
		s := &subscriber{taskFlags: f}
		fs.IntVar(&f.count, "count", 0, "stop after `N` events; 0: endless")
		fs.BoolVar(&s.last, "last", false, "ask for the newest event of each subject")
		fs.IntVar(&s.replay, "replay", 0, "ask for the `N` newest events")
		fs.StringVar(&s.group, "queue-group", "", "share events with all others that have subscribed with `NAME`")
		fs.StringVar(&s.name, "subscriber", "",
			"be `NAME` to publishers, which keep for it what they publish while it is away")
		return s
	},
}

// A subscriber is subscribe.
type subscriber struct {
	*taskFlags
	patterns []string
	last     bool
	replay   int
	group    string
	name     string

	sub *pubsub.Subscriber[patterns.Raw]
}

// A rawEvent is one whose value is not decoded.
type rawEvent = pubsub.Event[patterns.Raw]

const maxGroup = 200 // bytes of a name

func (s *subscriber) check(fs *pflag.FlagSet, words []string) error {
	s.patterns = words
	switch {
	case fs.Changed("queue-group") && (s.group == "" || len(s.group) > maxGroup):
		return usagef("--queue-group %.32q: it must have 1 to %d bytes", s.group, maxGroup)
	case fs.Changed("subscriber") && (s.name == "" || len(s.name) > maxSubscriber):
		return usagef("--subscriber %.32q: it must have 1 to %d bytes", s.name, maxSubscriber)
	case s.name != "" && (s.group != "" || s.last || s.replay > 0):
		return usagef("--subscriber excludes --queue-group, --last and --replay: what it gets is kept for it alone")
	case s.group != "" && (s.last || s.replay > 0):
		return usagef("--queue-group excludes --last and --replay: a group begins with what is published now")
	}
	nobody := pubsub.NewSubscriber[patterns.Raw]() // which knows what a pattern is
	defer nobody.Close()                           //nolint:errcheck // it is always nil
	for _, w := range words {
		if err := nobody.Subscribe(w, s.options()...); err != nil {
			return usagef("PATTERN %.64q: it must be 1 to 16 words with dots between them, each may be \"*\", "+
				"and the last \">\" or \"#\"", w)
		}
	}
	return nil
}

func (s *subscriber) options() (opts []pubsub.SubscribeOption) {
	if s.last {
		opts = append(opts, pubsub.Last())
	}
	if s.replay > 0 {
		opts = append(opts, pubsub.Replay(s.replay))
	}
	return append(opts, pubsub.Group(s.group), pubsub.Durable(s.name))
}

func (s *subscriber) open(*task) party {
	s.sub = pubsub.NewSubscriber[patterns.Raw](
		pubsub.WithCodec(patterns.JSON()), pubsub.WithXSub(secured[socket.XSubOption](&s.security)...))
	for _, p := range slices.Compact(s.patterns) {
		_ = s.sub.Subscribe(p, s.options()...) // it was checked
	}
	return s.sub
}

func (s *subscriber) summary(t *task) string {
	text := "received " + countOf(t.done.Load(), "event")
	st := s.sub.Stats()
	if st.Missed > 0 {
		text += ", missed " + countOf(st.Missed, "event")
	}
	if st.Undecodable > 0 {
		text += ", could make nothing of " + countOf(st.Undecodable, "event")
	}
	return text
}

func (s *subscriber) run(ctx context.Context, t *task) error {
	t.out = newPrinter(t.stdout, "line", nil)
	read, stopReading := t.whileRead(ctx)
	defer stopReading()
	wait, stop := t.idle(read)
	defer stop(nil)
	err := s.printAll(wait, t)
	return countStatus(ctx, err, t.done.Load(), s.count, "event", s.timeout)
}

func (s *subscriber) printAll(ctx context.Context, t *task) error {
	for e, err := range s.sub.Events(ctx) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, pubsub.ErrRefused), errors.Is(err, pubsub.ErrMismatch):
			t.say(err)
			continue
		case err != nil:
			return err
		}
		s.tellGap(t, &e)
		if err := s.print(t, &e); err != nil {
			return err
		}
		if n := t.done.Add(1); n == int64(s.count) {
			return nil
		}
	}
	return context.Cause(ctx)
}

// tellGap tells of events that did not come.
func (s *subscriber) tellGap(t *task, e *rawEvent) {
	switch {
	case e.Missed > 0:
		t.con.printf("subscribe: %s of %s missed", countOf(int64(e.Missed), "event"), e.From)
	case e.Missed < 0:
		t.con.printf("subscribe: %s was connected again, and nobody knows how many events of it are missed", e.From)
	}
}

// print prints an event.
func (s *subscriber) print(t *task, e *rawEvent) error {
	value, err := toJSON(e.Value)
	if err != nil { // of a plain ZeroMQ publisher it may be anything
		value = textJSON(e.Value.Data)
	}
	if !t.json {
		return t.out.printNow(append(append([]byte(e.Subject), ' '), value...))
	}
	line := appendJSON([]byte(`{"subject":`), e.Subject)
	line = append(append(line, `,"value":`...), value...)
	line = appendJSON(append(line, `,"from":`...), origin(e.From))
	line = appendCount(line, "missed", e.Missed)
	line = appendCount(line, "attempt", e.Attempt)
	if e.Replay {
		line = append(line, `,"replay":true`...)
	}
	return t.out.printNow(append(line, '}'))
}
