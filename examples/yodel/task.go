package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// The verbs of package patterns: call and serve, publish and subscribe, submit and work. Each has a file; here is what
// they share.

// A taskVerb is one of them as a command.
type taskVerb struct {
	name  string
	args  string // what stands behind the name, in capitals
	short string
	long  string
	by    way
	begin func(fs *pflag.FlagSet, f *taskFlags) taskRun
}

// A taskRun is a task with the flags of its own verb.
type taskRun interface {
	// check says what is wrong with the words behind the verb, and with the flags.
	check(fs *pflag.FlagSet, words []string) error
	// open makes what meets the peers.
	open(t *task) party
	// run is the work; after it the party is closed.
	run(ctx context.Context, t *task) error
	// summary is what was done.
	summary(t *task) string
}

// taskVerbs are all of them, in the order in which they are told of.
func taskVerbs() []*taskVerb {
	return []*taskVerb{callVerb, serveVerb, publishVerb, subscribeVerb, submitVerb, workVerb}
}

// taskFlags are the flags that tasks have; each has those that mean something to it.
type taskFlags struct {
	meetFlags

	data    string
	hasData bool
	count   int
	timeout time.Duration
	linger  time.Duration

	exec        string
	execTimeout time.Duration
	parallel    int

	spool         string
	spoolMax      int64
	spoolOverflow string       // what becomes of what has no room there
	thing         string       // what is kept there
	store         *spool.Spool // nil without --spool
	before        uint64       // how much was in it
}

// A party is what a pattern has in place of a socket.
type party interface {
	Type() string
	Close() error
}

// A task is one verb of a pattern at work.
type task struct {
	meeting
	flags *taskFlags
	party party
	began time.Time

	out     *printer     // what is printed, or nil
	reached *reached     // what keeps endpoints from having peers
	done    atomic.Int64 // what the verb has done so far, as it counts
	failed  atomic.Int64 // what of that was in vain
	ended   sync.Once
	told    sync.Map // what need not be told again
}

func (a *app) taskCommand(v *taskVerb) *cobra.Command {
	var f taskFlags
	cmd := &cobra.Command{
		Use:               strings.TrimSpace(v.name + " " + v.args),
		Short:             v.short,
		Long:              v.short + ".\n\n" + v.long + "\n\n" + commonHelp,
		Example:           examples[v.name],
		ValidArgsFunction: oneOf(),
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	f.register(fs, v.by)
	r := v.begin(fs, &f)
	fs.DurationVar(&f.timeout, "timeout", 0, "give up when nothing could be sent or received for `D` (default never)")
	f.security.register(fs)
	cmd.Args = func(_ *cobra.Command, words []string) error { return v.checkWords(words) }
	cmd.RunE = func(cmd *cobra.Command, words []string) error {
		f.hasData = fs.Changed("data")
		if err := f.check(fs); err != nil {
			return err
		}
		if err := r.check(fs, words); err != nil {
			return err
		}
		return a.runTask(cmd.Context(), v, &f, r)
	}
	a.complete(cmd, &f.place)
	return cmd
}

// checkWords refuses too few words, and endpoints among them.
func (v *taskVerb) checkWords(words []string) error {
	for _, w := range words {
		if strings.Contains(w, "://") {
			return usagef("an endpoint goes to %s: %q", v.flagOf(), w)
		}
	}
	many := strings.HasSuffix(v.args, "...")
	switch {
	case v.args == "" && len(words) > 0:
		return usagef("unexpected argument %q", words[0])
	case v.args != "" && len(words) == 0:
		return usagef("a %s is missing: yodel %s %s", strings.TrimSuffix(v.args, "..."), v.name, v.args)
	case !many && len(words) > 1:
		return usagef("unexpected argument %q", words[1])
	}
	return nil
}

// flagOf is the flag for an endpoint.
func (v *taskVerb) flagOf() string {
	switch {
	case v.by&binds == 0:
		return "--connect"
	case v.by&connects == 0:
		return "--bind"
	}
	return "--bind or --connect"
}

func (f *taskFlags) check(fs *pflag.FlagSet) error {
	if err := f.meetFlags.check(fs); err != nil {
		return err
	}
	switch {
	case fs.Lookup("exec") != nil && strings.TrimSpace(f.exec) == "":
		return usagef("--exec is missing: the command that does the work")
	case fs.Lookup("parallel") != nil && f.parallel == 0:
		return usagef("--parallel 0: it must be 1 or more")
	}
	return refuseNegative(fs)
}

// runTask opens what meets the peers, does the work and says what came of it.
func (a *app) runTask(ctx context.Context, v *taskVerb, f *taskFlags, r taskRun) error {
	if err := f.security.open(a); err != nil {
		return err
	}
	defer f.security.close()
	if err := f.openStore(a); err != nil {
		return err
	}
	defer f.closeStore(a)
	t := &task{meeting: meeting{app: a, name: v.name, at: &f.meetFlags}, flags: f, began: time.Now()}
	t.party = r.open(t)
	t.who = t.party
	defer t.close()
	if err := t.attach(ctx); err != nil {
		return err
	}
	t.reached = a.watchEndpoints(v.name, socketsOf(t.party), f.connect)
	err := r.run(ctx, t)
	t.reached.end()
	t.close()
	<-t.reached.over // all has been told
	if t.out != nil {
		if n := t.out.unprinted(); n > 0 {
			a.con.printf("%s: %s received and not printed", v.name, countOf(n, "message"))
		}
	}
	if !isBrokenPipe(err) {
		line := fmt.Sprintf("%s: %s, in %v", v.name, r.summary(t), time.Since(t.began).Round(time.Millisecond))
		if ctx.Err() != nil {
			line += "; interrupted"
		}
		a.con.notef("%s", line)
	}
	return t.reached.explain(err)
}

// close ends it, if that was not done in better order.
func (t *task) close() {
	t.ended.Do(func() {
		t.closing.Store(true)
		t.leave()
		if err := t.party.Close(); err != nil {
			t.con.printf("%s: %v", t.name, err)
		}
	})
}

// within bounds one step by --timeout. The cause of the context's end is then errIdle.
func (t *task) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if t.flags.timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, t.flags.timeout, errIdle)
}

// idle ends ctx, with the cause errIdle, when nothing was done for --timeout.
func (t *task) idle(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	look := func() tally { return tally{out: uint64(t.done.Load())} }
	stop := sync.OnceFunc(cancelWhenIdle(look, t.flags.timeout, cancel))
	return ctx, func(err error) {
		stop()
		cancel(err)
	}
}

// say tells something once, however often it happens.
func (t *task) say(what error) {
	text := what.Error()
	if _, known := t.told.LoadOrStore(text, true); !known {
		t.con.notef("%s: %s", t.name, text)
	}
}

// socketsOf are the sockets that a party has by now, for their events.
func socketsOf(p party) eventful {
	switch p := p.(type) {
	case interface{ Socket() socket.Socket }:
		return p.Socket()
	case interface{ Sockets() []*socket.Dealer }:
		return eventsOf[*socket.Dealer](p.Sockets())
	case interface{ Sockets() []*socket.XSub }:
		return eventsOf[*socket.XSub](p.Sockets())
	case interface{ Sockets() []socket.Socket }:
		return eventsOf[socket.Socket](p.Sockets())
	}
	return eventsOf[socket.Socket](nil)
}

// eventsOf are the events of several sockets, as those of one.
type eventsOf[S eventful] []S

func (all eventsOf[S]) Events(ctx context.Context) iter.Seq[socket.Event] {
	return func(yield func(socket.Event) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		events := make(chan socket.Event)
		var readers sync.WaitGroup
		for _, s := range all {
			readers.Go(func() {
				for ev := range s.Events(ctx) {
					select {
					case events <- ev:
					case <-ctx.Done():
						return
					}
				}
			})
		}
		go func() {
			readers.Wait()
			close(events)
		}()
		for ev := range events {
			if !yield(ev) {
				return
			}
		}
	}
}
