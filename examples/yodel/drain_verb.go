package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/transport"
)

// drain, the receiver that goes with spout; what a socket does at its end is in drain.go.

const drainHelp = `Each message is printed as --print says: %(M)s is the message, %(P)s its properties, %(C)s its
content, %(P[name])s one property, %(C[key])s one entry of a content that is a map, %(M.subject)s, %(M.reply_to)s,
and %% a percent sign; with r for s, as Python writes the value. Nothing is evaluated.

drain is done when no message has come for -t, which is counted for each anew, or with -c N after N messages.
Without -t it takes what is there: it waits up to a second to be found, and then until nothing has come for
100 ms; what waits for it elsewhere, it cannot ask. A message counts as received once it was printed: what
was not is the next drain's. Status 1 if there were fewer than -c says, 3 if there were none within -t.

With --durable this drain is the same one whenever it is started again, and prints nothing twice:
$XDG_STATE_HOME/yodel/drain/NAME has what was printed. When it was killed while it was just printing, what it
printed shows in the file that is its standard output; a pipe has no memory, and is given that again.

With {mode: browse} drain prints what spout --durable keeps for NAME on this host, and consumes nothing.

` + mailHelp

const (
	foundTime = time.Second            // how long drain waits to be found, without --timeout
	quietTime = 100 * time.Millisecond // how long nothing may come then
)

// drainFlags are those of drain.
type drainFlags struct {
	mailFlags
	forever bool
	print   string
	format  mailFormat
	waits   bool // --timeout was given, and is no 0
}

func (a *app) drainCommand() *cobra.Command {
	var f drainFlags
	cmd := &cobra.Command{
		Use:                   "drain [flags] ADDRESS",
		DisableFlagsInUseLine: true,
		Short:                 "Print the messages of an address, as Qpid's drain does, without a broker",
		Long:                  "Print the messages of an address, as Qpid's drain does, without a broker.\n\n" + drainHelp,
		Example:               examples["drain"],
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(a, cmd, args); err != nil {
				return err
			}
			if f.at.browse {
				return a.browseMail(cmd.Context(), &f)
			}
			return a.drainAddress(cmd, &f)
		},
	}
	fs := cmd.Flags()
	f.register(fs, 0, "stop after `N` messages; 0: endless", "stop when nothing has come for `SECONDS`")
	fs.BoolVarP(&f.forever, "forever", "f", false, "wait for ever, whatever --timeout says")
	fs.StringVarP(&f.print, "print", "p", "%(M)s", "how to print a message: `FORMAT`, see above")
	a.completeMail(cmd, &f.mailFlags)
	return cmd
}

// check completes the flags.
func (f *drainFlags) check(a *app, cmd *cobra.Command, args []string) (err error) {
	if err := f.mailFlags.check(cmd, args, transport.ForBind); err != nil {
		return err
	}
	switch {
	case len(args) > 1:
		return usagef("unexpected argument %q", args[1])
	case f.at.kind == nodeQueue && f.at.subject != "":
		return usagef("a queue cannot be received from by subject, as %q would be", f.at.subject)
	case f.at.browse && f.durable:
		return usagef("mode: browse consumes nothing: --durable means nothing with it")
	case a.json && cmd.Flags().Changed("print"):
		return usagef("--json and --print contradict each other")
	}
	if f.format, err = parseFormat(f.print); err != nil {
		return usagef("--print: %w", err)
	}
	f.waits = f.timeout > 0
	if f.at.subject != "" {
		f.at.kind = nodeTopic
	}
	return nil
}

// pattern is what subjects must match, of a topic.
func (f *drainFlags) pattern() string {
	if f.at.subject == "" {
		return "#"
	}
	return f.at.subject
}

// draining is one run of drain.
type draining struct {
	*session
	drain  *drainFlags
	record *printRecord // with --durable
	out    *mailPrinter
	topic  bool
}

func (a *app) drainAddress(cmd *cobra.Command, f *drainFlags) error {
	s := &draining{drain: f, topic: f.at.kind == nodeTopic}
	if err := s.open(a, cmd); err != nil {
		return err
	}
	defer s.closeAll()
	s.reached = a.watchEndpoints("drain", s.sock, nil)
	read, stop := s.whileRead(cmd.Context())
	defer stop()
	err := s.attach(cmd.Context())
	if err == nil {
		err = s.receive(read)
		if e := s.out.flush(); e != nil && (err == nil || !isBrokenPipe(err)) {
			err = e
		}
		err = s.status(cmd.Context(), err)
	}
	s.reached.end()
	s.closeAll()
	<-s.reached.over
	return s.reached.explain(err)
}

func (s *draining) closeAll() {
	s.close()
	if s.record != nil {
		s.record.close()
		s.record = nil
	}
}

// open makes the socket and opens what --durable keeps.
func (s *draining) open(a *app, cmd *cobra.Command) error {
	f := s.drain
	flags := &socketFlags{verb: &verb{name: "drain", can: prints}, meetFlags: meetFlags{place: f.place}, hwm: 1000}
	switch {
	case f.at.endpoint != "":
		flags.bind = []string{f.at.endpoint}
	case f.local:
		flags.announce, flags.bind = []string{f.at.name}, []string{"tcp://127.0.0.1:0"}
	default:
		flags.announce = []string{f.at.name}
	}
	if f.durable {
		dir, err := f.storeDir("drain", s.topic, f.at.subject)
		if err != nil {
			return err
		}
		flags.dedup = dir
		if err := flags.openStore(a); err != nil {
			return err
		}
		if s.record, err = openPrintRecord(dir + "+printed"); err != nil {
			_ = flags.taken.Close() // nothing was written
			return err
		}
	}
	var sock socket.Socket
	if s.topic {
		opts := append(options[socket.SubOption](flags), socket.WithManualAck(),
			socket.WithSubscription(subjectPrefix(f.pattern())))
		if flags.taken != nil {
			name := "drain-" + flags.taken.ID().String()
			opts = append(opts, socket.WithSubscriberName(name, socket.DurableOptions{}))
		}
		for _, o := range f.settings(a, cmd) {
			opts = append(opts, o)
		}
		sock = socket.NewSub(opts...)
	} else {
		opts := append(options[socket.PullOption](flags), socket.WithManualAck())
		for _, o := range f.settings(a, cmd) {
			opts = append(opts, o)
		}
		sock = socket.NewPull(opts...)
	}
	s.session = newSession(a, flags, sock)
	out, err := newMailPrinter(a, s.record, flags.taken)
	if err != nil {
		s.closeAll()
		return err
	}
	s.out = out
	return nil
}

// receive prints messages until there are enough, or none for long enough.
func (s *draining) receive(ctx context.Context) error {
	f := s.drain
	wait := foundTime
	if f.waits {
		wait = time.Duration(f.timeout)
	}
	sock := s.sock.(deliverer)
	for n := 0; f.count == 0 || n < f.count; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		d, err := sock.Next(over)
		if errors.Is(err, context.Canceled) || s.out.full() {
			if e := s.out.flush(); e != nil {
				return e
			}
		}
		if errors.Is(err, context.Canceled) {
			d, err = s.next(ctx, sock, wait)
		}
		if err != nil {
			return err
		}
		if !f.waits {
			wait = quietTime
		}
		m := readMail(d.Frames, s.topic)
		if s.topic && !matchSubject(f.pattern(), m.subject) || s.out.knows(d) {
			s.out.pass(d)
			continue
		}
		if err := s.out.print(d, m, f.format); err != nil {
			return err
		}
		n++
		s.done(d.Size())
	}
	return nil
}

// next waits for a message for so long.
func (s *draining) next(ctx context.Context, sock deliverer, wait time.Duration) (*socket.Delivery, error) {
	if s.drain.forever {
		return sock.Next(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, wait, errIdle)
	defer cancel()
	d, err := sock.Next(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errIdle) {
		err = errIdle
	}
	return d, err
}

// status is what a run that ended with err comes to.
func (s *draining) status(ctx context.Context, err error) error {
	got, want := s.messages.Load(), int64(s.drain.count)
	missing := want > 0 && got < want
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errIdle) && got == 0 && s.drain.waits:
		return nothingf("nothing received for %v", time.Duration(s.drain.timeout))
	case errors.Is(err, errIdle) && missing:
		return failf("got %s of %d", countOf(got, "message"), want)
	case errors.Is(err, errIdle):
		return nil
	case interrupted(ctx, err) && missing:
		return failf("interrupted: got %s of %d", countOf(got, "message"), want)
	case interrupted(ctx, err):
		return nil
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return failf("%w", err)
}

// browseMail prints what spout --durable keeps for an address.
func (a *app) browseMail(ctx context.Context, f *drainFlags) error {
	n, found := 0, false
	for _, topic := range []bool{false, true} {
		dir, err := f.storeDir("spout", topic, "")
		if err != nil {
			return err
		}
		if _, err := os.Stat(dir); err != nil || f.at.kind == nodeQueue && topic || f.at.kind == nodeTopic && !topic {
			continue
		}
		found = true
		err = looking(dir, func(v *spool.View) error {
			for e, err := range v.Browse(ctx, 0) {
				if err != nil {
					return failf("%w", err)
				}
				m := readMail(e.Frames, topic)
				if f.at.subject != "" && !matchSubject(f.at.subject, m.subject) {
					continue
				}
				if f.count > 0 && n == f.count {
					return nil
				}
				if err := a.writeMail(m, f.format); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return failf("no spout --durable has kept anything for %s on this host", f.text)
	}
	return nil
}

// writeMail prints one message at once.
func (a *app) writeMail(m *mail, format mailFormat) error {
	b, err := a.appendPrinted(nil, m, format)
	if err != nil {
		return err
	}
	if isTerminal(a.stdout) {
		b = append(appendClean(nil, b[:len(b)-1]), '\n')
	}
	if _, err := a.stdout.Write(b); err != nil {
		return outputError(err)
	}
	return nil
}
