package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// An app is one run of the tool.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	con    *console // standard error

	json, quiet bool
}

// run is the whole program but for the process around it: it returns the exit status. ctx ends as Ctrl-C does.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, con: &console{w: stderr}}
	root := a.rootCommand()
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
receivers print one a line; pair, dealer, router, xpub and xsub do both.

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
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print results as one JSON object a line")
	root.PersistentFlags().BoolVar(&a.quiet, "quiet", false, "no progress, notices or summary on standard error")
	root.PersistentPreRun = func(*cobra.Command, []string) { a.con.quiet = a.quiet }
	for _, v := range verbs {
		root.AddCommand(a.socketCommand(v))
	}
	root.AddCommand(a.proxyCommand(), a.benchCommand(), a.monitorCommand(), a.peersCommand(),
		a.spoolCommand(), a.keygenCommand(), a.versionCommand())
	return root
}

// parent makes cmd one that only has others under it.
func parent(cmd *cobra.Command) {
	cmd.Args = needsCommand
	cmd.RunE = func(*cobra.Command, []string) error { return nil }
	cmd.FParseErrWhitelist.UnknownFlags = true // in "yodel swim --fast" the command is what is wrong, not its flag
}

// needsCommand refuses a command line that stops before a command or names one that does not exist.
func needsCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() && c.Name() != "help" {
				names = append(names, c.Name())
			}
		}
		slices.Sort(names)
		return usagef("a command is missing: one of %s", strings.Join(names, ", "))
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2
	if close := cmd.SuggestionsFor(args[0]); len(close) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(close, " or "))
	}
	return usagef("unknown command %q%s", args[0], hint)
}
