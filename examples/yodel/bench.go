package main

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

const benchHelp = `One side of a measurement; start the other side in another process, with the same --size and --count.

  yodel bench recv tcp://127.0.0.1:5557       and  yodel bench send tcp://127.0.0.1:5557
  yodel bench echo tcp://127.0.0.1:5557       and  yodel bench ping tcp://127.0.0.1:5557
  yodel bench publish tcp://127.0.0.1:5557    and  yodel bench subscribe tcp://127.0.0.1:5557   (--subscribers of them)
  yodel bench inproc

recv, subscribe and inproc print {"msgs_per_s":…,"mb_per_s":…,"count":…,"size":…}; the clock runs from the first message
to the last, and a megabyte is 10^6 bytes. ping prints {"rtt_us":…,"p50_us":…,"p99_us":…,"p999_us":…}: the mean and
exact percentiles of --count round trips less the first 10 %, which are warm-up. The other sides print nothing.
publish never drops a message: it waits for the slowest subscriber.`

// A bench is one side of one measurement.
type bench struct {
	*app
	size, count, subscribers int
	hwm                      int
	timeout                  time.Duration
	security                 security
	reached                  *reached // of the side that connects, else nil
}

func (a *app) benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Be one side of a measurement",
		Long:  benchHelp,
	}
	parent(cmd)
	for _, side := range []struct {
		name, short string
		count       int
		prints      bool
		run         func(b *bench, ctx context.Context, endpoint string) error
	}{
		{"recv", "Bind, receive and print the throughput", 1_000_000, true, (*bench).recv},
		{"send", "Connect and send to a recv", 1_000_000, false, (*bench).send},
		{"echo", "Bind and answer a ping", 100_000, false, (*bench).echo},
		{"ping", "Connect, ask an echo and print the round-trip times", 100_000, true, (*bench).ping},
		{"publish", "Bind, wait for the subscribers and publish to them", 1_000_000, false, (*bench).publish},
		{"subscribe", "Connect, receive from a publish and print the throughput", 1_000_000, true, (*bench).subscribe},
		{"inproc", "Send and receive within this process and print the throughput", 1_000_000, true, (*bench).inproc},
	} {
		b := &bench{app: a}
		sub := &cobra.Command{
			Use: side.name + " ENDPOINT", Short: side.short, Long: side.short + ".\n\n" + benchHelp, Args: oneEndpoint,
		}
		if side.name == "inproc" {
			sub.Use, sub.Args = side.name, noArgument
		}
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			if err := b.check(); err != nil {
				return err
			}
			if err := b.security.check(cmd.Flags(), nil, nil); err != nil {
				return err
			}
			if side.name == "inproc" && b.security.given() {
				return usagef("--curve flags mean nothing within one process, where nothing is encrypted")
			}
			if err := b.security.open(a); err != nil {
				return err
			}
			defer b.security.close()
			ctx := cmd.Context()
			if side.prints {
				var stop func()
				ctx, stop = b.whileRead(ctx)
				defer stop()
			}
			err := side.run(b, ctx, append(args, "")[0])
			if why := context.Cause(ctx); err != nil && isBrokenPipe(why) {
				return why
			}
			return b.status(err)
		}
		fs := sub.Flags()
		fs.SortFlags = false
		fs.IntVar(&b.size, "size", 16, "bytes in a message: `N`")
		fs.IntVar(&b.count, "count", side.count, "`N` messages or round trips")
		if side.name == "publish" {
			fs.IntVar(&b.subscribers, "subscribers", 1, "wait for `N` subscribers before the first message")
		}
		fs.IntVar(&b.hwm, "hwm", 1000, "high-water mark: at most `N` messages wait, on each side; 0: no limit")
		fs.DurationVar(&b.timeout, "timeout", 0, "give up when no message went either way for `D` (default never)")
		b.security.registerCurve(fs)
		cmd.AddCommand(sub)
	}
	return cmd
}

func (b *bench) check() error {
	switch {
	case b.size < 0:
		return usagef("--size is negative: it must be 0 or more")
	case b.count < 1:
		return usagef("--count %d: it must be 1 or more", b.count)
	case b.subscribers < 0, b.hwm < 0, b.timeout < 0:
		return usagef("a flag is negative: it must be 0 or more")
	}
	return nil
}

// status turns what a side came to into an exit status.
func (b *bench) status(err error) error {
	if _, ok := errors.AsType[*statusError](err); !ok && err != nil {
		err = failf("%w", err)
	}
	return b.reached.explain(err)
}

// guard bounds work on a socket by --timeout. done turns the error of the work into what to report.
func (b *bench) guard(ctx context.Context, sock socket.Socket) (_ context.Context, done func(error) error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := cancelWhenIdle(traffic(sock), b.timeout, cancel)
	return ctx, func(err error) error {
		stop()
		b.reached.end()
		cause := context.Cause(ctx)
		cancel(nil)
		led := sock.Stats().Ledger
		switch {
		case err == nil:
			return nil
		case errors.Is(cause, errIdle) && led.Handed.Messages+led.Delivered.Messages == 0:
			return nothingf("nothing came or went for %v", b.timeout)
		case cause != nil:
			return failf("%w after %d sent and %d received of %d", cause, led.Delivered.Messages, led.Handed.Messages, b.count)
		}
		return err
	}
}

// bind says where, since the port may be any.
func (b *bench) bind(ctx context.Context, sock socket.Socket, endpoint string) error {
	if err := checkEndpoint(endpoint, transport.ForBind); err != nil {
		return err
	}
	at, err := sock.Bind(ctx, endpoint)
	if err != nil {
		return err
	}
	b.con.notef("listening on %s", wildcard(at, sock.Endpoints()))
	return nil
}

func (b *bench) connect(sock socket.Socket, endpoint string) error {
	if err := checkEndpoint(endpoint, transport.ForConnect); err != nil {
		return err
	}
	if err := sock.Connect(endpoint); err != nil {
		return err
	}
	b.reached = b.watchEndpoints("bench", sock, []string{endpoint})
	return nil
}

// benchOptions are those of all sockets here. Close need not linger: what matters is sent before.
func benchOptions[T any](b *bench) []T {
	opts := []T{socket.WithSendHWM(b.hwm).(T), socket.WithRecvHWM(b.hwm).(T), socket.WithLinger(0).(T)}
	for _, o := range b.security.options {
		opts = append(opts, o.(T))
	}
	return opts
}

// body is the content of every message: sockets never change what they send, so that one will do.
func (b *bench) body() socket.Msg { return socket.NewMsg(make([]byte, b.size)) }

// round keeps results readable.
func round(v float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(v*p) / p
}
