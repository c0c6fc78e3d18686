package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

const proxyHelp = `Messages are forwarded whole between two sockets, in each direction that their types have:

  yodel proxy --frontend ROUTER tcp://*:5555 --backend DEALER tcp://*:5556   requests to workers, replies back
  yodel proxy --frontend XSUB tcp://*:5555 --backend XPUB tcp://*:5556       publishers to subscribers
  yodel proxy --frontend PULL tcp://*:5555 --backend PUSH tcp://*:5556       work to workers

--frontend and --backend take two words each, a socket type and an endpoint; which of the two types
is in front does not matter. Endpoints are bound; with connect: before it, as in
connect:tcp://10.0.0.1:5556, one is connected to. --capture binds a PUB socket that publishes a copy
of every message, in either direction; read it with yodel sub.

A message is taken from one side only when the other has room, so that senders feel a slow receiver.
But a reply or a publication for one peer whose queue is full is dropped, and counted: a peer that
does not read holds up nobody else. With --slow-limit D one whose queue has been full for D loses
its connection. The proxy runs until Ctrl-C, or until nothing was forwarded for --timeout. Then it
forwards what it has received by then and waits for messages to leave, for up to --linger, and tells
on standard error how much it has forwarded and what was lost and why. Status 0; 1 if accepted
messages could not leave; 3 if --timeout passed and nothing was forwarded at all.`

// A forwarder is one run of the proxy verb.
type forwarder struct {
	*app
	frontend, backend socket.Socket
	capture           *socket.Pub // or nil
	control           proxy.Control
	flags             proxyFlags
	reached           [2]*reached // of the two sides
	began             time.Time
}

type proxyFlags struct {
	frontend, backend, capture string
	hwm                        int
	linger, timeout, stats     time.Duration
	slowLimit                  time.Duration
}

func (a *app) proxyCommand() *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy --frontend TYPE ENDPOINT --backend TYPE ENDPOINT [--capture ENDPOINT]",
		Short: "Forward messages between two sockets",
		Long:  "Forward messages between two sockets.\n\n" + proxyHelp,
		Args:  noArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := &forwarder{app: a, flags: f, began: time.Now()}
			return p.main(cmd.Context())
		},
	}
	cmd.DisableFlagsInUseLine = true
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.frontend, "frontend", "", "one socket: `TYPE ENDPOINT`, such as ROUTER tcp://*:5555")
	fs.StringVar(&f.backend, "backend", "", "the other: `TYPE ENDPOINT`, such as DEALER tcp://*:5556")
	fs.StringVar(&f.capture, "capture", "", "publish a copy of every message at `ENDPOINT`")
	fs.IntVar(&f.hwm, "hwm", 1000, "high-water mark: at most `N` messages wait for one peer, each way; 0: no limit")
	fs.DurationVar(&f.slowLimit, "slow-limit", 0,
		"end the connection to a peer whose queue has been full for `D` (default never)")
	fs.DurationVar(&f.timeout, "timeout", 0, "give up when nothing was forwarded for `D` (default never)")
	fs.DurationVar(&f.linger, "linger", interruptedLinger, "wait at the end for up to `D` for messages to leave")
	fs.DurationVar(&f.stats, "stats", 0, "print the sockets' ledgers on standard error every `D` (default off)")
	a.complete(cmd, &place{})
	return cmd
}

// main opens the sockets, runs the proxy and closes them.
func (p *forwarder) main(ctx context.Context) error {
	front, back, err := p.flags.sides()
	if err != nil {
		return err
	}
	common := &socketFlags{hwm: p.flags.hwm, slowLimit: p.flags.slowLimit}
	p.frontend, p.backend = proxyRoles[front.role].open(common), proxyRoles[back.role].open(common)
	defer p.close(over)
	if err := p.attach(ctx, front, back); err != nil {
		return failf("%w", err)
	}
	p.reached = [2]*reached{
		p.watchEndpoints("proxy", p.frontend, front.connects()), p.watchEndpoints("proxy", p.backend, back.connects()),
	}
	stop := p.watch()
	err = p.forward(ctx)
	stop()
	return p.reached[1].explain(p.reached[0].explain(err))
}

// sides checks the flags.
func (f *proxyFlags) sides() (front, back side, err error) {
	switch {
	case f.frontend == "" || f.backend == "":
		return front, back, usagef("a proxy needs --frontend TYPE ENDPOINT and --backend TYPE ENDPOINT")
	case f.hwm < 0, f.linger < 0, f.timeout < 0, f.stats < 0, f.slowLimit < 0:
		return front, back, usagef("a flag is negative: it must be 0 or more")
	}
	if front, err = parseSide("frontend", f.frontend); err != nil {
		return front, back, err
	}
	if back, err = parseSide("backend", f.backend); err != nil {
		return front, back, err
	}
	if err := front.fits(back); err != nil || f.capture == "" {
		return front, back, err
	}
	_, _, err = parseProxyEndpoint(f.capture)
	return front, back, err
}

// attach gives the sockets their endpoints.
func (p *forwarder) attach(ctx context.Context, front, back side) error {
	one := func(name string, sock socket.Socket, at side) error {
		if at.connect {
			return sock.Connect(at.endpoint)
		}
		actual, err := sock.Bind(ctx, at.endpoint)
		if err == nil {
			p.con.notef("%s %s listening on %s", name, sock.Type(), wildcard(actual, sock.Endpoints()))
		}
		return err
	}
	if p.flags.capture != "" {
		p.capture = socket.NewPub(options[socket.PubOption](&socketFlags{hwm: p.flags.hwm})...)
		at := side{role: p.capture.Type()}
		at.endpoint, at.connect, _ = parseProxyEndpoint(p.flags.capture) // checked before
		if err := one("capture", p.capture, at); err != nil {
			return err
		}
	}
	if err := one("frontend", p.frontend, front); err != nil {
		return err
	}
	return one("backend", p.backend, back)
}

// forward runs the proxy to its end and says what it came to.
func (p *forwarder) forward(ctx context.Context) error {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := cancelWhenIdle(p.forwarded, p.flags.timeout, cancel)
	defer stop()
	opts := []proxy.Option{proxy.WithControl(&p.control), proxy.WithDrain(p.flags.linger)}
	if p.capture != nil {
		opts = append(opts, proxy.WithCapture(p.capture))
	}
	err := proxy.Run(work, p.frontend, p.backend, opts...)
	why := context.Cause(work)

	p.reached[0].end()
	p.reached[1].end()
	drain, done := context.WithTimeout(context.Background(), p.flags.linger)
	defer done()
	left := p.close(drain)
	p.summary(ctx)
	switch {
	case err != nil:
		return failf("%w", err)
	case errors.Is(why, errIdle) && p.forwarded() == tally{}:
		return nothingf("nothing forwarded for %v", p.flags.timeout)
	case left > 0:
		return failf("%s not delivered: %w", countOf(left, "message"), errLinger)
	}
	return nil
}

// sockets are those there are.
func (p *forwarder) sockets() []socket.Socket {
	socks := []socket.Socket{p.frontend, p.backend}
	if p.capture != nil {
		socks = append(socks, p.capture)
	}
	return socks
}

// close closes the sockets once their messages have left or ctx has ended, and returns how many have not. Of those that
// have left it tells what peers may not have read.
func (p *forwarder) close(ctx context.Context) (left uint64) {
	var wg sync.WaitGroup
	for _, sock := range p.sockets() {
		wg.Go(func() {
			err := sock.Shutdown(ctx)
			if err != nil && sock.Stats().Dropped[socket.SocketClosed].Messages == 0 {
				p.con.printf("%s: %v", sock.Type(), err)
			}
		})
	}
	wg.Wait()
	return p.frontend.Stats().Dropped[socket.SocketClosed].Messages +
		p.backend.Stats().Dropped[socket.SocketClosed].Messages
}

// forwarded counts messages, from the frontend to the backend and back.
func (p *forwarder) forwarded() tally {
	st := p.control.Stats()
	return tally{st.Forth.Forwarded.Messages, st.Back.Forwarded.Messages}
}

// watch starts what --stats and the progress line need.
func (p *forwarder) watch() (stop func()) {
	var stops []func()
	if p.flags.stats > 0 {
		stops = append(stops, every(p.flags.stats, func() {
			for _, sock := range p.sockets() {
				p.con.printf("%s", ledgerLine(sock))
			}
		}))
	}
	if !p.quiet && isTerminal(p.con.w) {
		stops = append(stops, every(500*time.Millisecond, func() { p.con.showProgress(p.progress()) }))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
		p.con.showProgress("")
	}
}

func (p *forwarder) progress() string {
	st := p.control.Stats()
	lane := func(l proxy.Counts) string {
		return fmt.Sprintf("%s, %s", countOf(l.Forwarded.Messages, "message"), byteCount(int64(l.Forwarded.Bytes)))
	}
	return fmt.Sprintf("forwarded %s to the backend and %s to the frontend", lane(st.Forth), lane(st.Back))
}

// summary is the last line: what was forwarded and, if anything, what was lost.
func (p *forwarder) summary(ctx context.Context) {
	var line strings.Builder
	fmt.Fprintf(&line, "proxy: %s, in %v", p.progress(), time.Since(p.began).Round(time.Millisecond))
	st := p.control.Stats()
	if n := st.Forth.Dropped.Messages + st.Back.Dropped.Messages; n > 0 {
		fmt.Fprintf(&line, "; %d had nowhere to go", n)
	}
	for _, sock := range p.sockets() {
		led := sock.Stats().Ledger
		if lost := reasons(led.Dropped); lost != "" {
			fmt.Fprintf(&line, "; %s dropped %s", sock.Type(), lost)
		}
		if lost := reasons(led.Discarded); lost != "" {
			fmt.Fprintf(&line, "; %s discarded %s", sock.Type(), lost)
		}
	}
	if ctx.Err() != nil {
		line.WriteString("; interrupted")
	}
	p.con.notef("%s", line.String())
}
