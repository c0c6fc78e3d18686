// Command quickstart shows what Yodel does, in one command and a few seconds, offline and without privileges:
//
//	go run ./examples/quickstart
//
// It runs as three processes. The host, which is the one you started, starts two guests, ann and bob, by running its
// own program again. No process is told where another is: the host announces what it offers by name, and the guests
// look for these names, by multicast DNS. Then
//
//   - the guests send requests to the host, over tcp (REQ and REP);
//   - the host publishes news and each guest receives the topics it has subscribed to, over ipc (PUB and SUB);
//   - the host spreads work over goroutines, over inproc (PUSH and PULL).
//
// At the end it adds up the ledgers of all sockets of all three processes, and exits with status 0 only if every
// message is accounted for.
//
// Read host.go first, then guest.go, names.go, pipeline.go and account.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/cli"
)

func main() {
	ctx, stop := cli.Context(context.Background()) // Ctrl-C, for one, ends it
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second) // far more than needed: a hang is a failure, too
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	defer cli.WatchReader(os.Stdout, func() { giveUp(errors.New("nobody reads any more what is printed")) })()

	var err error
	if len(os.Args) > 1 && os.Args[1] == "guest" {
		err = guest(ctx, os.Args[2:])
	} else {
		err = host(ctx)
	}
	if err != nil {
		if len(os.Args) == 1 {
			err = fmt.Errorf("quickstart: %w", err) // a guest's are told by the host
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
