package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

const (
	// receiverTime is how long spout waits for a receiver and, at the end, for its messages to be received, unless
	// --timeout says it.
	receiverTime = 30 * time.Second
	// lateTime is how long it waits for more receivers of which it knows, and for their subscriptions.
	lateTime = time.Second
	// aloneTime is how long it looks for a receiver before it does without, with --durable.
	aloneTime = 2 * time.Second
	// leastTime is how long it waits at the end for messages to be received though --timeout is over.
	leastTime = time.Second
)

// spouting is one run of spout.
type spouting struct {
	*session
	spout *spoutFlags
	pub   *socket.Pub  // of a topic
	push  *socket.Push // of a queue
	id    string
	from  int // what an earlier run has sent of the same
	until time.Time
}

// errGivenUp is the end by --reconnect-limit.
var errGivenUp = errors.New("--reconnect-limit reached")

func (a *app) spout(cmd *cobra.Command, f *spoutFlags) (err error) {
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	s := &spouting{spout: f, id: f.id, until: time.Now().Add(receiverTime)}
	if f.wholeTime {
		s.until = time.Now().Add(time.Duration(f.timeout))
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, s.until, errIdle)
		defer stop()
	}
	if s.id == "" {
		s.id = newSpoutID()
	}
	found, err := a.seek(ctx, cmd, f, s.until)
	if err != nil {
		return err
	}
	if err := s.open(a, cmd, found); err != nil {
		found.close()
		return err
	}
	defer s.close()
	s.reached = a.watchEndpoints("spout", s.sock, s.flags.connect)
	stopCounting := giveUpAfter(s.sock, f.limit, cancel)
	defer stopCounting()
	err = s.connect(ctx, found)
	if err == nil {
		err = s.send(ctx)
	}
	err = s.finish(cmd.Context(), err)
	s.reached.end()
	s.close()
	<-s.reached.over
	return s.reached.explain(err)
}

// newSpoutID draws an ID in the form of a UUID, version 4.
func newSpoutID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// open makes the socket, and opens the spool.
func (s *spouting) open(a *app, cmd *cobra.Command, found *sought) error {
	f := s.spout
	flags := &socketFlags{
		verb: &verb{name: "spout", can: sends}, meetFlags: meetFlags{place: f.place}, hwm: 1000, spoolMax: 1 << 30,
	}
	if f.at.endpoint != "" {
		flags.connect = []string{f.at.endpoint}
	}
	topic := found.kind == nodeTopic
	if f.durable {
		dir, err := f.storeDir("spout", topic, "")
		if err != nil {
			return err
		}
		flags.spool = dir
		if err := flags.openStore(a); err != nil {
			return err
		}
	}
	var sock socket.Socket
	if topic {
		opts := append(options[socket.PubOption](flags), socket.WithReliable(), socket.WithOverflow(socket.Block))
		for _, o := range f.settings(a, cmd) {
			opts = append(opts, o)
		}
		s.pub = socket.NewPub(opts...)
		sock = s.pub
	} else {
		opts := append(options[socket.PushOption](flags), socket.WithReliable())
		if !f.durable {
			opts = append(opts, socket.WithReassign(lateTime))
		}
		for _, o := range f.settings(a, cmd) {
			opts = append(opts, o)
		}
		s.push = socket.NewPush(opts...)
		sock = s.push
	}
	s.session = newSession(a, flags, sock)
	return nil
}

// connect connects the socket and waits for receivers, unless a spool takes what they do not.
func (s *spouting) connect(ctx context.Context, found *sought) error {
	s.found = found.node
	if err := found.connect(s); err != nil {
		return err
	}
	for _, e := range s.flags.connect {
		if err := s.sock.Connect(e); err != nil {
			return failf("%w", err)
		}
	}
	subject := s.spout.mail.subject
	if s.flags.store != nil {
		if s.pub != nil && !s.keeps(subject) {
			s.await(ctx, aloneTime, func(ctx context.Context) error { return s.pub.WaitSubscribers(ctx, subject, 1) })
		}
		return nil
	}
	first, cancel := context.WithDeadlineCause(ctx, s.until, errIdle)
	defer cancel()
	if err := s.sock.WaitPeers(first, 1); err != nil {
		if why := context.Cause(first); why != nil {
			return why
		}
		return failf("%w", err)
	}
	n := max(1, found.receivers())
	s.await(ctx, lateTime, func(ctx context.Context) error { return s.sock.WaitPeers(ctx, n) })
	if s.pub != nil {
		s.await(ctx, lateTime, func(ctx context.Context) error { return s.pub.WaitSubscribers(ctx, subject, n) })
	}
	return nil
}

// await waits for what is good to have.
func (s *spouting) await(ctx context.Context, d time.Duration, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_ = f(ctx) // it is no failure that there are fewer
}

// keeps reports whether the spool keeps a subscription to the subject.
func (s *spouting) keeps(subject string) bool {
	for _, prefix := range s.pub.Topics() {
		if strings.HasPrefix(subject, prefix) {
			return true
		}
	}
	return false
}

// send sends and prints the messages.
func (s *spouting) send(ctx context.Context) error {
	f := s.spout
	if err := s.resume(); err != nil {
		return err
	}
	out := newLockedWriter(s.stdout)
	format, err := parseFormat("%(M)s")
	if err != nil {
		return err
	}
	for n := s.from; f.count == 0 || n < f.count; n++ {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			break
		}
		m := f.numbered(s.id, n)
		if err = s.sendOne(ctx, m, n, out); err != nil {
			break
		}
		s.done(len(s.id))
		if !f.print {
			continue
		}
		m.subject = f.subject // that of the address shows only where the message has come, as with Qpid
		line, err := s.appendPrinted(nil, m, format)
		if err != nil {
			return err
		}
		if err := out.write(true, line); err != nil {
			return err
		}
		if s.flags.store != nil {
			if err := out.flush(); err != nil {
				return err
			}
		}
	}
	if e := out.flush(); e != nil {
		return e
	}
	if err == nil && s.pub != nil && s.flags.store == nil && s.pub.Stats().Dropped[socket.NoSubscriber].Messages > 0 {
		s.con.notef("spout: nobody has subscribed to %q", f.mail.subject)
	}
	return err
}

// sendOne sends the nth message. With a spool it and the count are there together or not at all; of a topic, which has
// a message once for all subscribers and none if there is none, the count comes first, with what tells whether the
// message followed.
func (s *spouting) sendOne(ctx context.Context, m *mail, n int, out *lockedWriter) error {
	frames, err := m.frames()
	if err != nil {
		return failf("%w", err)
	}
	msg := socket.Msg{Frames: frames}
	switch q := s.flags.store; {
	case q != nil && s.push != nil:
		state, err := s.state(n+1, false)
		if err != nil {
			return failf("%w", err)
		}
		return s.commit(ctx, state, &spool.Message{Frames: frames})
	case q != nil:
		state, err := s.state(n, false)
		if err != nil {
			return failf("%w", err)
		}
		if err := s.commit(ctx, state, nil); err != nil {
			return err
		}
		return s.pub.Send(ctx, msg)
	}
	sock := s.sock.(socket.Sender)
	err = sock.TrySend(msg)
	if !errors.Is(err, socket.ErrWouldBlock) {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	return sock.Send(ctx, msg)
}
