package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/socket"
)

const monitorHelp = `The socket is made, bound and connected as the flags say, and its events are printed, one a line,
until Ctrl-C or until --timeout has passed (here: the whole time, whatever happens in it). So that
peers are not held up, messages that arrive are received and thrown away, and requests are
answered. Standard input is never read: a sender sends only what --data or --file says, and the
monitor ends when that is done, but for pair, dealer, router, xpub and xsub, which then go on
receiving. A receiver with --count ends when it has as many.

With --json an event is {"time":…,"kind":…} and, where there is something to say, "endpoint"
(ours), "address" (the far end, before the handshake), "peer" (type, identity, address, node, and
id, which is the same as peers prints it),
"error", "reason" (why messages were dropped), "retry" (the pause before the next attempt) and
"count".

Status 3 means that there was not one event.

When nobody reads its standard output any more, the tool ends with status 1 and without a word.`

func (a *app) monitorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Print the events of a socket",
		Long:  "Print the events of a socket: monitor VERB with any flags of that verb.\n\n" + monitorHelp,
	}
	parent(cmd)
	for _, v := range verbs {
		cmd.AddCommand(a.monitorOne(v))
	}
	return cmd
}

func (a *app) monitorOne(v *verb) *cobra.Command {
	var f socketFlags
	cmd := &cobra.Command{
		Use:   v.name,
		Short: "Print the events of a " + v.name + " socket",
		Long:  "Print the events of a " + v.name + " socket.\n\n" + monitorHelp,
		Args:  noArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd, v, &f)
			if err != nil {
				return err
			}
			defer s.close()
			defer s.watch(false)()
			return s.monitor(cmd.Context())
		},
	}
	f.register(cmd.Flags(), v)
	a.complete(cmd, &f.place)
	return cmd
}

// monitor prints events while the verb does its work behind the scenes.
func (s *session) monitor(ctx context.Context) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	ctx, stopReading := s.whileRead(ctx)
	defer stopReading()
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	work := *s.app
	work.stdout = io.Discard
	flags := *s.flags
	flags.timeout = 0 // it bounds the whole
	quiet := newSession(&work, &flags, s.sock)

	worked := make(chan error, 1)
	go func() {
		err := quiet.work(ctx)
		s.close() // which ends the events below
		worked <- err
	}()
	n, failed := 0, error(nil)
	for ev := range s.sock.Events(context.Background()) {
		if failed != nil {
			continue // to the end, which is near
		}
		if failed = s.printEvent(ev); failed != nil {
			stop()
		}
		n++
	}
	err := <-worked
	switch {
	case failed != nil:
		return failed
	case isBrokenPipe(context.Cause(ctx)):
		return context.Cause(ctx)
	case ctx.Err() == nil:
		return err
	case n == 0:
		return nothingf("no event for %v", s.flags.timeout)
	}
	return nil // Ctrl-C or --timeout
}

// work runs the verb, or nothing if that would read standard input, until ctx ends.
func (s *session) work(ctx context.Context) error {
	if s.verb.is(sends) && !s.flags.hasData && !s.flags.hasFile {
		if !s.verb.is(converses) {
			<-ctx.Done()
			return nil
		}
		s.stdin = strings.NewReader("")
	}
	return s.verb.run(ctx, s)
}

// printEvent prints one event at once: somebody is watching. Strangers have a say in what is printed.
func (s *session) printEvent(ev socket.Event) error {
	if !s.json {
		return s.print(ev.Time.Format("15:04:05.000") + " " + clean(ev.String()) + "\n")
	}
	return s.printJSON(newEventLine(ev))
}

// An eventLine is an event as JSON.
type eventLine struct {
	Time     time.Time     `json:"time"`
	Kind     string        `json:"kind"`
	Endpoint string        `json:"endpoint,omitempty"`
	Address  string        `json:"address,omitempty"`
	Peer     *peerLine     `json:"peer,omitempty"`
	Error    string        `json:"error,omitempty"`
	Reason   socket.Reason `json:"reason,omitempty"`
	Retry    string        `json:"retry,omitempty"`
	Count    uint64        `json:"count,omitempty"`
}

type peerLine struct {
	Type     string `json:"type"`
	Identity string `json:"identity,omitempty"`
	Address  string `json:"address,omitempty"`
	Node     string `json:"node,omitempty"` // in hexadecimal
	ID       string `json:"id,omitempty"`   // the same, as peers has it
}

func newEventLine(ev socket.Event) eventLine {
	l := eventLine{
		Time: ev.Time, Kind: ev.Kind.String(), Endpoint: ev.Endpoint, Address: ev.Address,
		Reason: ev.Reason, Count: ev.Count,
	}
	if ev.Retry > 0 {
		l.Retry = ev.Retry.Round(time.Microsecond).String()
	}
	if p := ev.Peer; p != nil {
		l.Peer = &peerLine{Type: p.Type, Identity: string(p.Identity), Address: p.Address}
		if p.Node != (socket.NodeID{}) {
			l.Peer.Node, l.Peer.ID = p.Node.String(), discovery.ID(p.Node).String()
		}
	}
	if ev.Err != nil {
		l.Error = ev.Err.Error()
	}
	return l
}
