// Command crashtest kills, stops and cuts off a sender and its receivers, in processes of their own, and then checks
// that every message that was accepted came, once, in order and undamaged, or was answered:
//
//	go run ./examples/crashtest                                   # some minutes
//	go run ./examples/crashtest --messages 20000 --kills 10 --cuts 50
//	go run ./examples/crashtest --seed 7 --only inbox --keep
//	go run ./examples/crashtest --long                            # hours
//
// For each scenario it prints what was done and how many messages were lost, doubled, out of order, damaged, or came
// and were never sent; how often something was stuck, and how many processes ended by themselves. The exit status is 0
// only if all of these are zero and everything that was planned was done.
//
// # Scenarios
//
// A sender is a PUSH with many goroutines, each of which numbers its messages; a message counts as accepted once Send
// has returned nil, which is written where it survives the process. A receiver is a PULL that writes down what it got
// before it acknowledges it. Between them stands a relay that cuts connections after a given number of bytes.
//
//	links    reliable links in memory: connections are cut and processes stopped, but not killed
//	memory   the sender has a spool, the receiver nothing: what comes twice is flagged as redelivered
//	inbox    the receiver has an inbox; the application may see a message again, flagged
//	kept     as inbox, but nobody receives from it before all is over: then each message is there once
//	noted    the receiver notes in a spool what it has taken: what comes twice is flagged
//	taken    the receiver keeps what it has taken with its own data: nothing comes twice
//	shared   three receivers share the messages of one sender
//	durable  a PUB with a spool, and a SUB with a name that keeps what it has taken: nothing comes twice
//	audience three such SUBs, each with topics of its own, that keep nothing: what comes twice is flagged
//	requests a REQ with a spool asks, and a REP that keeps its answers in a spool: each is answered once
//	full     as inbox, and the disk runs full: a file system of its own where root may mount one, else a cap
//
// Of requests there are fewer. One is handed out again only if the receiver was killed before its answer was safe, and
// an answer comes again only if it was the last that a life of the sender had got.
//
// What is done to them follows from the seed alone, and happens after so many messages, not at a time; what comes of it
// the operating system has a say in.
//
// # Reading the source
//
// plan.go makes the plan and run.go carries it out; process.go, cutter.go and disk_linux.go are what it needs for that.
// sender.go and receiver.go are the two kinds of worker process, asker.go and answerer.go those for requests. note.go
// is what a message carries, tally.go and journal.go are the files in which the workers write down what they did;
// check.go and check_requests.go judge these.
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
	if job := os.Getenv(workerVariable); job != "" {
		os.Exit(worker(job))
	}
	if status, done := inNamespace(); done {
		os.Exit(status)
	}
	ctx, stop := cli.Context(context.Background())
	defer stop()
	status, err := start(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// start reads the flags, runs the scenarios and returns the exit status.
func start(ctx context.Context, args []string, out, errs io.Writer) (int, error) {
	o, err := readFlags(args, errs)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if err != nil {
		return 2, err
	}
	return o.crash(ctx, out, errs)
}
