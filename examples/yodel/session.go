package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket"
)

// A session is one socket at work for one verb.
type session struct {
	meeting
	verb  *verb
	flags *socketFlags
	sock  socket.Socket
	began time.Time
	asked time.Time // of req: when the last request was sent

	// What the verb has done so far, for the progress line and the summary: messages sent, printed or replied to.
	messages, bytes atomic.Int64

	out     *printer           // what is printed, or nil
	printed []*socket.Delivery // with --dedup: and not acknowledged yet
	kept    bool               // it was told that messages are left in --spool
	reached *reached           // what keeps endpoints from having peers, or nil

	twoWay // for the verbs that converse
}

// printer makes the printer of what the verb prints.
func (s *session) printer(format string) *printer {
	s.out = newPrinter(s.stdout, format, s.flags.delim)
	return s.out
}

// done counts one message.
func (s *session) done(size int) {
	s.messages.Add(1)
	s.bytes.Add(int64(size))
}

func (a *app) socketCommand(v *verb) *cobra.Command {
	var f socketFlags
	cmd := &cobra.Command{
		Use:     v.name,
		Short:   v.short,
		Long:    v.help(),
		Example: examples[v.name],
		Args:    noArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd, v, &f)
			if err != nil {
				return err
			}
			defer s.close()
			unobserved, err := s.observe()
			if err != nil {
				return err
			}
			defer unobserved()
			s.reached = a.watchEndpoints(v.name, s.sock, f.connect)
			s.reached.setOverflow(&f)
			s.promptForLines()
			stop := s.watch(true)
			err = v.run(cmd.Context(), s)
			stop()
			s.reached.end()
			unobserved()
			s.close()
			<-s.reached.over // all has been told
			s.noteUnprinted(err)
			if !isBrokenPipe(err) {
				s.summary(cmd.Context())
			}
			return s.reached.explain(err)
		},
	}
	f.register(cmd.Flags(), v)
	a.complete(cmd, &f.place)
	return cmd
}

// open checks the flags, makes the socket and gives it its endpoints.
func (a *app) open(cmd *cobra.Command, v *verb, f *socketFlags) (*session, error) {
	if err := f.check(a, cmd); err != nil {
		return nil, err
	}
	if err := f.security.open(a); err != nil {
		return nil, err
	}
	if err := f.openStore(a); err != nil {
		f.security.close()
		return nil, err
	}
	s := newSession(a, f, v.open(f))
	if err := s.attach(cmd.Context()); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func newSession(a *app, f *socketFlags, sock socket.Socket) *session {
	return &session{
		meeting: meeting{app: a, name: f.verb.name, who: sock, at: &f.meetFlags},
		verb:    f.verb, flags: f, sock: sock, began: time.Now(), twoWay: twoWay{enough: make(chan struct{})},
	}
}

// close ends the socket without waiting for what is still queued; verbs that send have drained it before.
func (s *session) close() {
	s.closing.Store(true)
	s.leave()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.sock.Shutdown(ctx) // what is left is in the ledger, and in the summary
	s.flags.security.close()
	s.closeStore()
}

// within bounds one step by --timeout. The cause of the context's end is then errIdle. Where both directions are at
// work a step in one may take longer: runTwoWay bounds them together.
func (s *session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.flags.timeout <= 0 || s.verb.is(converses) {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, s.flags.timeout, errIdle)
}

// interrupted reports whether err is there because of Ctrl-C, or of another signal that ends the program.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && !isBrokenPipe(err) && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err()))
}
