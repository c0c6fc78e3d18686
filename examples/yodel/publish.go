package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/pubsub"
	"github.com/yodel-mq/yodel/socket"
)

var publishVerb = &taskVerb{
	name: "publish", args: "SUBJECT", by: binds,
	short: "Publish each line under a subject to those who have subscribed to it",
	long: `SUBJECT is 1 to 16 words with dots between them, such as quotes.eu.sap. Events are the lines of standard
input, or --data. Before the first one publish waits for --wait subscribers to SUBJECT (1 by default). An event that
nobody has subscribed to is dropped. A subscriber that cannot keep up misses events, and is told how many;
--overflow block waits for it instead. It differs from pub in what goes along with a message, by which subscribe and
all subscribers of package patterns/pubsub know wildcards and gaps; sub gets three frames of it, the last of which
is the value.

` + valueHelp + `

With --last-values N it keeps the newest event of each of N subjects, and with --replay N the N newest events, for
those who come later and ask for them (subscribe --last, --replay). At the end it waits up to --linger for events to
leave; what is left then is a failure (status 1). With --timeout it also gives up when nothing could be sent for
that long: status 3 if there was not one event, else 1. Ctrl-C stops reading, leaves events one more second and ends
with status 0 if all have left. A line that is no JSON is told and not sent, and makes the status 1 at the end.

With --spool DIR what is published is kept in DIR for those who have subscribed with a name (subscribe --subscriber):
each gets all of it, once and in order, from when it first came, also what is published while it is away and what an
earlier run has left. An event that is for any of them is accepted once it is on disk. Others are served as without
--spool. --wait, unless it is given, waits for nobody if DIR keeps any subscription. At the end publish waits up to
--linger for these subscribers to acknowledge, also for those that are away; what is left then is kept in DIR, is
told, and is no failure. DIR takes up to 1 GiB, or --spool-max: then --overflow block, the default with --spool, waits,
and drop-oldest drops the oldest events, of which the subscriber is told how many; the others mean nothing here.
yodel spool show DIR tells how far each is, and unsubscribe ends one that will not come back.`,
	begin: func(fs *pflag.FlagSet, f *taskFlags) taskRun {
		p := &publisher{taskFlags: f}
		fs.StringVar(&f.data, "data", "", "publish `JSON` once (--count N: N times); -: the lines of standard input")
		fs.IntVar(&f.count, "count", 0, "stop after `N` events; 0: at the end of the input")
		fs.IntVar(&p.wait, "wait", 1, "wait for `N` subscribers to the first event")
		fs.IntVar(&p.lastValues, "last-values", 0, "keep the newest event of each of up to `N` subjects")
		fs.IntVar(&p.replay, "replay", 0, "keep the `N` newest events")
		fs.StringVar(&p.overflow, "overflow", "",
			"what to do with an event for a subscriber whose queue is full: `POLICY` is one of "+
				strings.Join(overflowNames(), ", ")+" (default drop-newest)")
		f.registerSpool(fs, "keep in `DIR` what is for subscribers with a name until they have it")
		f.thing = "event"
		fs.DurationVar(&f.linger, "linger", defaultLinger, "wait at the end for up to `D` for events to leave")
		return p
	},
}

// A publisher is publish.
type publisher struct {
	*taskFlags
	subject            string
	wait               int
	hasWait            bool
	lastValues, replay int
	overflow           string

	pub *pubsub.Publisher[patterns.Raw]
}

func (p *publisher) check(fs *pflag.FlagSet, words []string) error {
	p.subject, p.hasWait = words[0], fs.Changed("wait")
	if _, known := overflowPolicies[p.overflow]; fs.Changed("overflow") && !known {
		return usagef("--overflow %q: it must be one of %s", p.overflow, strings.Join(overflowNames(), ", "))
	}
	if p.overflow == "newest" || p.overflow == "oldest" {
		p.overflow = "drop-" + p.overflow
	}
	p.spoolOverflow = p.overflow
	switch err := checkSpool(fs, p.spoolMax, p.overflow); {
	case err != nil:
		return err
	case p.spool != "" && p.overflow == "reject":
		return usagef("--overflow reject does not go with --spool, which takes [block drop-oldest]")
	}
	nobody := pubsub.NewPublisher[patterns.Raw]() // which knows what a subject is
	defer nobody.Close()                          //nolint:errcheck // it is always nil
	if err := nobody.Publish(context.Background(), p.subject, patterns.Raw{}); errors.Is(err, pubsub.ErrSubject) {
		return usagef("SUBJECT %.64q: it must be 1 to 16 words with dots between them, without \"*\", \">\" and \"#\"",
			p.subject)
	}
	return nil
}

func (p *publisher) open(*task) party {
	opts := secured[socket.XPubOption](&p.security)
	if p.overflow != "" && p.store == nil {
		opts = append(opts, socket.WithOverflow(overflowPolicies[p.overflow]))
	}
	p.pub = pubsub.NewPublisher[patterns.Raw](
		pubsub.WithCodec(patterns.JSON()), pubsub.WithXPub(opts...), pubsub.WithLastValue(p.lastValues),
		pubsub.WithReplay(p.replay, 0), pubsub.WithSpool(p.store))
	return p.pub
}

func (p *publisher) summary(t *task) string {
	text := "published " + countOf(t.done.Load(), "event")
	if lost := reasons(p.pub.Socket().Stats().Dropped); lost != "" {
		text += "; dropped " + lost
	}
	return text
}

func (p *publisher) run(ctx context.Context, t *task) error {
	src, err := p.source(t.app, "an event")
	if err != nil {
		return err
	}
	defer src.close()
	err = p.publishAll(ctx, t, src)
	switch {
	case errors.Is(err, errIdle) && t.done.Load() == 0:
		return nothingf("nothing could be sent for %v", t.flags.timeout)
	case errors.Is(err, errIdle):
		return failf("nothing could be sent for %v", t.flags.timeout)
	case interrupted(ctx, err):
		err = nil
	}
	if e := p.drain(ctx, t); e != nil && err != nil {
		t.con.printf("%v", e)
	} else if e != nil {
		err = e
	}
	switch n := t.failed.Load(); {
	case err == nil && n > 0:
		return failf("%s not sent", countOf(n, "line"))
	case err == nil:
		return nil
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return failf("%w", err)
}

func (p *publisher) publishAll(ctx context.Context, t *task, src source) error {
	for n := 0; p.count == 0 || n < p.count; n++ {
		it, err := src.next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case src.refuses(err):
			t.con.printf("publish: %v; not sent", err)
			t.failed.Add(1)
			continue
		case err != nil:
			return err
		}
		if err := p.publish(ctx, t, it.frames[0]); src.refuses(err) {
			t.con.printf("publish: %v; not sent", err)
			t.failed.Add(1)
			continue
		} else if err != nil {
			return err
		}
		t.done.Add(1)
	}
	return nil
}

// publish publishes one event, the first one once there are subscribers.
func (p *publisher) publish(ctx context.Context, t *task, value []byte) error {
	limited, cancel := t.within(ctx)
	defer cancel()
	var err error
	if t.done.Load() == 0 && p.wait > 0 && (p.hasWait || !p.keepsAny()) {
		err = p.pub.WaitSubscribers(limited, p.subject, p.wait)
	}
	if err == nil {
		err = p.pub.Publish(limited, p.subject, jsonBody(value))
	}
	if err != nil && limited.Err() != nil {
		return context.Cause(limited)
	}
	return err
}

// keepsAny tells whether the spool has a subscription, for which what is published waits.
func (p *publisher) keepsAny() bool { return p.store != nil && len(p.store.Stats().Cursors) > 0 }

// drain waits for events to leave and, with --spool, to be acknowledged.
func (p *publisher) drain(ctx context.Context, t *task) error {
	t.closing.Store(true)
	wait, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	linger := time.AfterFunc(p.linger, func() { cancel(errLinger) })
	defer linger.Stop()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(min(p.linger, interruptedLinger), func() { cancel(errInterrupted) })
	})()
	defer cancelWhenIdle(traffic(p.pub.Socket()), p.timeout, cancel)()
	kept := uint64(0)
	if p.store != nil {
		awaitStored(wait, p.store)
		if kept = p.left(); kept > 0 {
			t.con.printf("%s kept in %s", countOf(kept, "event"), p.spool)
		}
	}
	err := p.pub.Shutdown(wait)
	left := p.pub.Socket().Stats().Dropped[socket.SocketClosed].Messages
	switch {
	case err == nil:
		return nil
	case kept > 0: // what is on its way to a subscriber with a name is kept, too
		return nil
	case left == 0:
		t.con.printf("%v", err)
		return nil
	}
	return failf("%s not delivered: %w", countOf(left, "message"), context.Cause(wait))
}
