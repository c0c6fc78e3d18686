package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/discovery"
)

// An app is one run of the tool.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	con    *console     // standard error
	node   discovery.ID // under which it announces; one of its own for each socket if zero

	json, quiet bool
}

// run is the whole program but for the process around it: it returns the exit status. ctx ends as Ctrl-C does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runAs(ctx, discovery.ID{}, args, stdin, stdout, stderr)
}

// runAs is run under a node id, that which the process's sockets show to their peers.
func runAs(ctx context.Context, node discovery.ID, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, con: &console{w: stderr}, node: node}
	root := a.rootCommand()
	if err := checkHelp(root, args); err != nil {
		return a.report(root, err)
	}
	root.SetArgs(append([]string{}, joinSides(args)...)) // never nil, which would mean os.Args
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return a.report(cmd, err)
}

// report says why the program ends, if there is something to say, and returns the exit status.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return statusDone
	}
	if isBrokenPipe(err) {
		return statusFailed
	}
	status := statusUsage // all errors that are not ours are cobra's, about the command line
	if e, ok := errors.AsType[*statusError](err); ok {
		status = e.status
	}
	a.con.printf("%s: %v", cmd.CommandPath(), err)
	if status == statusUsage {
		a.con.printf("run '%s --help' for usage", cmd.CommandPath())
	}
	return status
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "yodel",
		Short: "Brokerless messaging from the command line",
		Long: `yodel sends and receives messages over ZMTP 3.1 sockets: to other yodels, to programs that use the Yodel
library, and to any ZeroMQ peer. A verb is a socket type; senders read one message a line from standard input,
receivers print one a line; pair, dealer, router, xpub and xsub do both. call and serve are typed services,
publish and subscribe typed events, and submit and work jobs that are acknowledged, all in JSON.

  yodel pull --bind tcp://127.0.0.1:5557
  seq 10 | yodel push --connect tcp://127.0.0.1:5557

By --announce and --find they meet by name instead, on this host and the local network; peers lists who is
there.

  yodel pull --announce work
  seq 10 | yodel push --find work

An endpoint that is connected to and has no peer is told on standard error within a second, with what went
wrong. --quiet keeps that for the end, in case of a failure.

SIGTERM, SIGHUP (the terminal has gone) and SIGQUIT end it in good order, as Ctrl-C does; a second one ends it
at once, SIGQUIT with a dump of what it was doing, but for SIGHUP. What was ignored when it was started stays
ignored, as SIGHUP under nohup, and SIGINT and SIGQUIT in the background of a script.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 --timeout passed with nothing to show.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	parent(root)
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print results as one JSON object a line")
	root.PersistentFlags().BoolVar(&a.quiet, "quiet", false, "no progress, notices or summary on standard error")
	root.PersistentPreRun = func(*cobra.Command, []string) { a.con.quiet = a.quiet }
	for _, v := range verbs {
		root.AddCommand(a.socketCommand(v))
	}
	for _, v := range taskVerbs() {
		root.AddCommand(a.taskCommand(v))
	}
	root.AddCommand(a.proxyCommand(), a.benchCommand(), a.monitorCommand(), a.peersCommand(),
		a.topCommand(), a.spoolCommand(), a.keygenCommand(), a.versionCommand())
	root.AddCommand(a.spoutCommand(), a.drainCommand())
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			parent(c)
		}
	}
	return root
}
