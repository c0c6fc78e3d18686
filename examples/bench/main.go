package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/examples/internal/cli"
)

func main() {
	ctx, stop := cli.Context(context.Background())
	err := dispatch(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == backlogVerb {
		return backlogSide(ctx, args[1])
	}
	for _, s := range suites() {
		if len(args) > 0 && args[0] == s.verb {
			return side(ctx, s, args[1:])
		}
	}
	return measure(ctx, args)
}

// measure is the whole program as its user sees it.
func measure(ctx context.Context, args []string) error {
	var s settings
	var only, names, jsonFile, svgFile string
	var freeze time.Duration
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&s.quick, "quick", false, "small counts, fewer sizes, 3 rounds: two minutes, of --patterns one")
	flags.IntVar(&s.rounds, "rounds", 0, "rounds to take medians over (default 5; with --quick 3)")
	flags.StringVar(&only, "only", "",
		"measure only what matches this `regexp`, such as oneway-tcp, roundtrip, fanout, fanin, match, idle")
	flags.StringVar(&names, "peers", "",
		"measure only these `peers`, with commas between (default all: yodel,reliable,curve,tls,libzmq,"+
			"libzmq-curve,go-zeromq,nats,raw,raw-tls; "+
			"of --patterns yodel,sockets,grpc,connect,connect1,nats)")
	flags.IntVar(&s.hwm, "hwm", 1000, "high-water mark of Yodel and libzmq, in `messages`, each way")
	flags.BoolVar(&s.syscalls, "syscalls", false, "count system calls too, in one more run of each under perf")
	flags.StringVar(&jsonFile, "json", "", "write every run, medians and bars to this `file`")
	flags.DurationVar(&freeze, "frozen", 0,
		"instead, publish for so long to twenty subscribers, one of which receives nothing")
	var stores, backlog, patterns bool
	flags.BoolVar(&patterns, "patterns", false,
		"instead, measure calls, streams, events and jobs of package patterns beside gRPC, Connect and NATS")
	flags.BoolVar(&stores, "store", false,
		"instead, measure the spool beside a file that is synced and JetStream; --only says what, --rounds how often")
	flags.BoolVar(&backlog, "backlog", false, "instead, measure what a spool with 1 GiB in it costs")
	flags.StringVar(&svgFile, "svg", "", "draw a chart into this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("bench: unexpected argument %q; everything is a flag, see --help", flags.Arg(0))
	}
	if freeze > 0 {
		return frozen(ctx, freeze, os.Stdout, os.Stderr)
	}
	if s.rounds <= 0 {
		s.rounds = pick(s.quick, 3, 5)
	}
	if only != "" {
		re, err := regexp.Compile(only)
		if err != nil {
			return fmt.Errorf("bench: --only: %w", err)
		}
		s.only = re
	}
	if stores {
		return storeBench(ctx, s.rounds, pick(s.quick, 100*time.Millisecond, 400*time.Millisecond), s.only, os.Stdout, os.Stderr)
	}
	if backlog {
		return backlogBench(ctx, s.rounds, os.Stdout, os.Stderr)
	}
	s.suite = socketSuite()
	if patterns {
		s.suite = patternSuite()
		if svgFile != "" {
			return errors.New("bench: --svg draws what sockets do; --patterns has --json")
		}
	}
	if names != "" {
		s.peers = strings.Split(names, ",")
		for _, n := range s.peers {
			if _, err := s.suite.peer(n); err != nil {
				return err
			}
		}
	}

	res, err := run(ctx, s, newProgress(os.Stderr))
	if err != nil {
		return err
	}
	res.judge()
	if err := res.print(os.Stdout); err != nil {
		return err
	}
	if jsonFile != "" {
		if err := res.writeJSON(jsonFile); err != nil {
			return err
		}
	}
	if svgFile != "" {
		return res.writeSVG(svgFile)
	}
	return nil
}
