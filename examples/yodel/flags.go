package main

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/socket/spool"
)

// socketFlags are the flags of the socket verbs. Each verb has those that mean something to it.
type socketFlags struct {
	verb *verb
	meetFlags

	timeout   time.Duration
	stats     time.Duration
	hwm       int
	overflow  string
	slowLimit time.Duration
	id        string

	data, file string
	hasData    bool
	hasFile    bool
	input      string
	interval   time.Duration
	wait       int
	hasWait    bool
	linger     time.Duration
	confirm    bool
	spool      string
	spoolMax   int64
	store      *spool.Spool // what --spool names, once it is open
	dedup      string
	taken      *spool.Spool // what --dedup names
	subscriber string

	count     int
	delimText string
	delim     []byte
	format    string

	topic    string
	hasTopic bool
	topics   []string

	echo        bool
	exec        string
	execTimeout time.Duration

	observe bool // at the control socket of the process
}

// The formats of --format.
var formats = []string{"line", "quoted", "hex", "json", "raw"}

func (f *socketFlags) register(fs *pflag.FlagSet, v *verb) {
	f.verb = v
	fs.SortFlags = false
	f.meetFlags.register(fs, binds|connects|finds)

	switch {
	case v.is(converses):
		fs.StringVar(&f.data, "data", "", "send `TEXT` once instead of reading standard input")
		fs.StringVar(&f.file, "file", "",
			"send the bytes of the file at `PATH` as one message, once, instead of reading standard input")
	case v.is(sends):
		fs.StringVar(&f.data, "data", "", "send `TEXT` once (--count N: N times) instead of reading standard input")
		fs.StringVar(&f.file, "file", "", "send the bytes of the file at `PATH` as one message (--count N: N times)")
	}
	if v.is(sends) {
		fs.StringVar(&f.input, "input", "line",
			"how lines and --data are written: `FORM` is one of "+strings.Join(inputs, ", ")+", the counterparts of --format")
	}
	switch {
	case v.is(converses):
		fs.IntVar(&f.count, "count", 0, "stop after `N` messages received; 0: endless")
	case v.is(sends):
		fs.IntVar(&f.count, "count", 0, "stop after `N` messages; 0: at the end of the input")
	case v.is(replies):
		fs.IntVar(&f.count, "count", 0, "stop after `N` replies; 0: endless")
	default:
		fs.IntVar(&f.count, "count", 0, "stop after `N` messages; 0: endless")
	}
	if v.is(sends) {
		fs.DurationVar(&f.interval, "interval", 0, "pause for `D` between messages")
	}
	switch {
	case v.is(sends | prints):
		fs.StringVar(&f.delimText, "delim", `\t`,
			"`C` separates the frames of a message in a line, read or printed; Go escapes such as \\t and \\x00; "+
				"empty: none (default TAB)")
	case v.is(sends):
		fs.StringVar(&f.delimText, "delim", `\t`,
			"split a line into frames at `C`; Go escapes such as \\t and \\x00; empty: one frame (default TAB)")
	default:
		fs.StringVar(&f.delimText, "delim", `\t`,
			"join the frames of a message with `C`; Go escapes such as \\t and \\x00 (default TAB)")
	}
	fs.Lookup("delim").DefValue = "" // said in words instead
	if v.is(publishes) {
		fs.StringVar(&f.topic, "topic", "", "put `T` in front of every message as its first frame")
	}
	switch {
	case v.is(subscribes | converses):
		fs.StringArrayVar(&f.topics, "topic", nil, "subscribe to `T`; repeatable (default nothing)")
	case v.is(subscribes):
		fs.StringArrayVar(&f.topics, "topic", nil, "subscribe to `T`; repeatable (default everything)")
	}
	if v.is(prints) {
		fs.StringVar(&f.format, "format", "line", "how to print: "+strings.Join(formats, ", "))
	}
	f.registerStore(fs, v)
	if v.is(replies) {
		fs.BoolVar(&f.echo, "echo", false, "reply with the request (the default)")
		fs.StringVar(&f.exec, "exec", "",
			"run `CMD` by sh for each request, which it gets on standard input, and reply with its output")
		fs.DurationVar(&f.execTimeout, "exec-timeout", 0,
			"kill a CMD that runs for longer than `D`, with all that it has started, and reply with nothing; 0: never")
	}
	fs.DurationVar(&f.timeout, "timeout", 0, "give up when nothing could be sent or received for `D` (default never)")
	if v.is(sends) || v.is(replies) {
		fs.DurationVar(&f.linger, "linger", defaultLinger,
			"wait at the end for up to `D` for messages to leave, and those of push, pair, dealer, router and xsub to be read")
	}
	if v.is(sends) {
		accepted := "the socket has accepted it"
		if v.is(spools) {
			accepted += "; with --spool, once it is on disk"
		}
		fs.BoolVar(&f.confirm, "confirm", false, "print each line on standard output once "+accepted)
		switch {
		case v.is(publishes | converses):
			fs.IntVar(&f.wait, "wait", 0, "wait for `N` subscribers to the first message")
		case v.is(publishes):
			fs.IntVar(&f.wait, "wait", 1, "wait for `N` subscribers to the first message")
		default:
			fs.IntVar(&f.wait, "wait", 0, "wait for `N` peers before the first message")
		}
	}
	fs.IntVar(&f.hwm, "hwm", 1000, "high-water mark: at most `N` messages wait for one peer, each way; 0: no limit")
	if v.is(overflows) {
		fs.StringVar(&f.overflow, "overflow", "",
			"what to do with a message when --hwm leaves no room for it: `POLICY` is one of "+
				strings.Join(overflowNames(), ", ")+" (default "+v.overflow()+")")
		fs.DurationVar(&f.slowLimit, "slow-limit", 0,
			"end the connection to a peer whose queue has been full for `D` (default never)")
	}
	fs.StringVar(&f.id, "id", "", "routing identity `ID`, shown to peers (1 to 255 bytes)")
	fs.DurationVar(&f.stats, "stats", 0, "print the socket's ledger on standard error every `D` (default off)")
	fs.BoolVar(&f.observe, "observe", false, "show what the socket does to 'yodel top' of this user")
	f.security.register(fs)
}

// check completes the flags and says what is wrong with them.
func (f *socketFlags) check(a *app, cmd *cobra.Command) error {
	fs := cmd.Flags()
	f.hasData, f.hasFile = fs.Changed("data"), fs.Changed("file")
	f.hasTopic, f.hasWait = fs.Changed("topic"), fs.Changed("wait")
	if err := f.meetFlags.check(fs); err != nil {
		return err
	}
	if err := refuseNegative(fs); err != nil {
		return err
	}
	switch {
	case f.hasData && f.hasFile:
		return usagef("--data and --file exclude each other")
	case f.echo && f.exec != "":
		return usagef("--echo and --exec exclude each other")
	case f.execTimeout > 0 && f.exec == "":
		return usagef("--exec-timeout is for --exec: give that, too")
	case fs.Changed("exec") && strings.TrimSpace(f.exec) == "":
		return usagef("--exec is empty: give it a command")
	case fs.Changed("id") && (f.id == "" || len(f.id) > 255 || f.id[0] == 0):
		return usagef("--id %.32q: it must have 1 to 255 bytes, the first not zero", f.id)
	}
	if _, known := overflowPolicies[f.overflow]; fs.Changed("overflow") && !known {
		return usagef("--overflow %q: it must be one of %s", f.overflow, strings.Join(overflowNames(), ", "))
	}
	switch f.overflow {
	case "newest", "oldest":
		f.overflow = "drop-" + f.overflow
	}
	if err := f.checkStore(fs); err != nil {
		return err
	}
	if fs.Lookup("input") != nil && !slices.Contains(inputs, f.input) {
		return usagef("--input %q: it must be one of %s", f.input, strings.Join(inputs, ", "))
	}
	if fs.Lookup("format") != nil {
		if !slices.Contains(formats, f.format) {
			return usagef("--format %q: it must be one of %s", f.format, strings.Join(formats, ", "))
		}
		if a.json {
			if fs.Changed("format") && f.format != "json" {
				return usagef("--json and --format %s contradict each other", f.format)
			}
			f.format = "json"
		}
	}
	var err error
	f.delim, err = unescape(f.delimText)
	if err != nil {
		return usagef("--delim %q: not a valid escape; use \\t, \\n, \\x00, \\\\ or plain text", f.delimText)
	}
	return nil
}

// unescape resolves Go escapes such as \t and \x00.
func unescape(s string) ([]byte, error) {
	var b []byte
	for s != "" {
		r, multibyte, rest, err := strconv.UnquoteChar(s, 0)
		switch {
		case err != nil:
			return nil, err
		case r < utf8.RuneSelf || multibyte:
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, byte(r)) // \x80 and above are bytes, not runes
		}
		s = rest
	}
	return b, nil
}

// subscriptions are the topics of a subscriber.
func (f *socketFlags) subscriptions() []string {
	if !f.hasTopic {
		return []string{""}
	}
	return f.topics
}
