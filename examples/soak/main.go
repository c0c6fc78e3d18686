// Command soak runs sockets of every role against each other, does to them what networks, hosts and strangers do, and
// then balances every ledger against every receiver:
//
//	go run ./examples/soak                                  # a minute
//	go run -race ./examples/soak --duration 1h --keep
//	go run ./examples/soak --seed 7 --number 42 --verbose   # one scenario again
//
// It prints how many messages were lost, doubled, out of order, unnamed (in no ledger), or came wrong, how often
// something was stuck, and how many processes crashed; a data race is a crash when it is built with -race. The exit
// status is 0 only if all of these are zero.
//
// # Scenarios
//
// A soak is many scenarios, some side by side. Each is a plan that follows from the seed and its number alone: a few
// sockets in processes of their own (over inproc in one process), what they send, how fast they receive, their options,
// and steps: a process is killed, or stopped for a while; a receiver pauses until everything before it is full; the
// relay between two processes resets its connections or freezes them; a socket moves to another address, leaves and
// comes back, or ends cleanly while the receiver has not read; strangers flood it. The same seed makes the same plans;
// what comes of them the operating system has a say in.
//
// Half of the scenarios cut no connection. In them everything that was sent must arrive. In the others a message may be
// lost with a connection, as check.go says exactly; such messages are counted as cut, which is no fault.
//
// # Reading the source
//
// plan.go says what a plan is and make.go makes one; execute.go carries it out, steps.go its steps and ending.go its
// end. worker.go and actor.go are the other side, in the worker processes; protocol.go is what the two say to each
// other. note.go is what each message carries, evidence.go what becomes known, and check.go judges it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/yodel-mq/yodel/examples/internal/cli"
)

func main() {
	if os.Getenv("SOAK_WORKER") != "" {
		if err := work(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := cli.Context(context.Background())
	defer stop()
	status, err := start(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// start reads the flags, soaks and returns its exit status.
func start(ctx context.Context, args []string, out, errs io.Writer) (int, error) {
	o, err := readFlags(args, errs)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if err != nil {
		return 2, err
	}
	return o.soak(ctx, out, errs)
}
