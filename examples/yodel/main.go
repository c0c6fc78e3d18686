// Command yodel is the engine as a command-line tool: each verb is one socket, fed from standard input and printing
// to standard output, so that a shell pipeline can reach any ZMTP peer.
//
//	yodel pull --bind tcp://127.0.0.1:5557
//	seq 10 | yodel push --connect tcp://127.0.0.1:5557
//
// Results go to standard output, everything else to standard error. The exit status is 0 when done, 1 when something
// failed, 2 for wrong usage and 3 when --timeout passed with nothing to show. SIGHUP, SIGTERM and SIGQUIT end it as
// Ctrl-C does, unless it was started to ignore them; and a verb that prints ends, with status 1, when its reader has
// gone.
//
// Start reading at run (root.go) and verbs.go; then send.go, recv.go, request.go, reply.go and twoway.go are one way
// of using a socket each, session.go is what they share; discover.go is how they find peers by name; proxy.go,
// bench.go, monitor.go, peers.go, spool.go and top.go are the verbs that are not one socket. call.go, serve.go,
// publish.go, subscribe.go, submit.go and work.go are those of package patterns, and task.go is what they share;
// spout.go and drain_verb.go are spout and drain, as Qpid has them.
package main

import (
	"context"
	"os"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/examples/internal/cli"
	"github.com/yodel-mq/yodel/socket"
)

func main() {
	ctx, _ := cli.Context(context.Background())
	os.Exit(runAs(ctx, discovery.ID(socket.ThisNode()), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
