package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// spout and drain, as Qpid's examples have them, without a broker: what their command lines share, and spout's own.

const mailHelp = `ADDRESS is name[/subject][; {options}], or with an endpoint for the name: tcp://host:port/subject.
A name is that of a service, found on this host and the local network. No broker says what is a queue and what
is a topic: drain NAME is a queue, of which each message goes to one drain; drain NAME/SUBJECT is a topic, of
which each drain gets what its subject matches: * is one word between dots, # any number, also none. spout
sends to what it finds. Options are {mode: browse}, {node: {type: topic}} or queue, which says it beforehand,
and {node: {durable: True}}, which is --durable; create, assert and delete are taken and mean nothing.

-b takes localhost (this host alone), the name of a group, or an endpoint at which drain listens and to which
spout connects. Lost connections are always made again. Seconds may be written 1.5, or with a unit, 500ms.`

const spoutHelp = `CONTENT is the text of the message; with -M KEY=VALUE the content is a map of these, and CONTENT
its entry "text". Each message has the property spout-id, ID:n with n counted from 0, and is printed once it is sent.

spout waits for a receiver, and at the end until all messages were printed there: for 30 s, or what is left of
-t, and then the status is 1. With -t it also stops sending after that time. What is published on a topic
that nobody has subscribed to is dropped, which is no failure while a drain is there at all.

With --durable messages are on disk before they are sent, in $XDG_STATE_HOME/yodel/spout/NAME
(~/.local/state by default), and stay there until a drain has them. The same command, started again after it
was killed or interrupted, goes on where that was, with the same ID; what an earlier one has left goes first.

` + mailHelp

// stateEnv is where programs keep what they need again; by default .local/state at home.
const stateEnv = "XDG_STATE_HOME"

// mailFlags are the flags that spout and drain have both.
type mailFlags struct {
	broker    string
	place     place
	reconnect bool
	interval  seconds
	limit     int
	count     int
	timeout   seconds
	durable   bool
	verbose   bool

	text  string // the address as it was written
	at    address
	local bool // this host alone
}

func (f *mailFlags) register(fs *pflag.FlagSet, first int, count, timeout string) {
	fs.SortFlags = false
	fs.StringVarP(&f.broker, "broker", "b", "",
		"meet at `WHERE`: localhost, a group, or an endpoint (default: the group default)")
	fs.BoolVarP(&f.reconnect, "reconnect", "r", false, "reconnect with the pause of -i (reconnecting itself is always on)")
	f.interval = seconds(3 * time.Second)
	fs.VarP(&f.interval, "reconnect-interval", "i", "pause for `SECONDS` before connecting again, at first")
	fs.IntVarP(&f.limit, "reconnect-limit", "l", 0, "give up after `N` attempts to connect in vain; 0: never")
	fs.IntVarP(&f.count, "count", "c", first, count)
	fs.VarP(&f.timeout, "timeout", "t", timeout)
	fs.BoolVar(&f.durable, "durable", false, "keep on disk what has to outlive this process")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "log what the socket does on standard error")
	f.place.register(fs)
}

// check completes the flags and reads the address.
func (f *mailFlags) check(cmd *cobra.Command, args []string, use transport.Use) (err error) {
	if len(args) == 0 {
		return usagef("%s needs an address, such as news-service/usa.news", cmd.Name())
	}
	f.text = args[0]
	if f.at, err = parseAddress(f.text); err != nil {
		return usagef("address %.200q: %w", f.text, err)
	}
	f.durable = f.durable || f.at.durable
	switch {
	case f.count < 0:
		return usagef("--count is negative: it must be 0 or more")
	case f.limit < 0:
		return usagef("--reconnect-limit is negative: it must be 0 or more")
	case !cmd.Flags().Changed("broker"):
	case f.broker == "localhost":
		f.local = true
	case strings.Contains(f.broker, ":"):
		if f.at.endpoint != "" {
			return usagef("--broker %.80q and the endpoint in the address exclude each other", f.broker)
		}
		if f.at.endpoint = f.broker; !strings.Contains(f.broker, "://") {
			f.at.endpoint = "tcp://" + f.broker
		}
	case cmd.Flags().Changed("group"):
		return usagef("--broker %.80q is a group: it and --group exclude each other", f.broker)
	default:
		if err := checkName("broker", f.broker); err != nil {
			return err
		}
		f.place.group = f.broker
	}
	if err := f.place.check(); err != nil {
		return err
	}
	return f.at.check(use)
}

// settings are the options of a socket that come from the flags.
func (f *mailFlags) settings(a *app, cmd *cobra.Command) (all []socket.Option) {
	if f.reconnect || cmd.Flags().Changed("reconnect-interval") {
		pause := time.Duration(f.interval)
		all = append(all, socket.WithReconnect(pause, max(pause, 2*time.Second)))
	}
	if f.verbose {
		all = append(all, socket.WithLogger(slog.New(slog.NewTextHandler(a.con,
			&slog.HandlerOptions{Level: slog.LevelDebug}))))
	}
	return all
}

// storeDir is where a verb keeps what has to do with its address: a topic's is not where a queue of that name has its.
func (f *mailFlags) storeDir(verb string, topic bool, pattern string) (string, error) {
	base := os.Getenv(stateEnv)
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", failf("no place for --durable: set %s: %w", stateEnv, err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	name := f.at.name
	if name == "" {
		name = f.at.endpoint
	}
	if f.place.group != discovery.DefaultGroup {
		name += "@" + f.place.group
	}
	if topic {
		name += "+topic"
	}
	if pattern != "" {
		name += "+" + pattern
	}
	base = filepath.Join(base, "yodel", verb)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", failf("%w", err)
	}
	return filepath.Join(base, fileName(name)), nil
}

// fileName makes a name of a file of any text, and another one of any other.
func fileName(text string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._+@#"
	if strings.Trim(text, letters) == "" && len(text) <= 200 {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	short := strings.Map(func(r rune) rune {
		if strings.ContainsRune(letters, r) {
			return r
		}
		return '_'
	}, text)
	return short[:min(len(short), 100)] + "~" + hex.EncodeToString(sum[:8])
}

// seconds are a flag that takes a number of seconds, as Qpid's do, or a duration with its unit.
type seconds time.Duration

// maxSeconds is a flag's limit, 30 years.
const maxSeconds = 1e9

func (s *seconds) Set(text string) error {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if n >= 0 && n <= maxSeconds {
			*s = seconds(n * float64(time.Second))
			return nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 && d <= maxSeconds*time.Second {
		*s = seconds(d)
		return nil
	}
	return fmt.Errorf("it must be a number of seconds, 0 or more, such as 30, 0.5 or 500ms")
}

func (s *seconds) String() string {
	return strconv.FormatFloat(time.Duration(*s).Seconds(), 'f', -1, 64)
}

func (s *seconds) Type() string { return "seconds" }

// spoutFlags are those of spout.
type spoutFlags struct {
	mailFlags
	id         string
	subject    string
	replyTo    string
	properties []string
	entries    []string
	content    string
	print      bool

	mail      mail // what is sent, but for its number
	wholeTime bool // --timeout was given
}

func (a *app) spoutCommand() *cobra.Command {
	var f spoutFlags
	cmd := &cobra.Command{
		Use:                   "spout [flags] ADDRESS [CONTENT...]",
		DisableFlagsInUseLine: true,
		Short:                 "Send messages to an address, as Qpid's spout does, without a broker",
		Long:                  "Send messages to an address, as Qpid's spout does, without a broker.\n\n" + spoutHelp,
		Example:               examples["spout"],
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd, args); err != nil {
				return err
			}
			return a.spout(cmd, &f)
		},
	}
	fs := cmd.Flags()
	f.register(fs, 1, "stop after `N` messages; 0: endless", "give up after `SECONDS` (default: see above)")
	fs.Lookup("timeout").DefValue = "" // said in words instead
	fs.StringVarP(&f.id, "id", "I", "", "use `ID` in spout-id instead of a random one")
	fs.StringVarP(&f.subject, "subject", "S", "", "the `SUBJECT` of the message, in place of the address's")
	fs.StringVarP(&f.replyTo, "reply-to", "R", "", "the `ADDRESS` to reply to")
	fs.StringArrayVarP(&f.properties, "property", "P", nil, "a property of the message, `NAME=VALUE`; repeatable")
	fs.StringArrayVarP(&f.entries, "map", "M", nil,
		"an entry of the content, which is a map then, `KEY=VALUE`; repeatable")
	fs.StringVar(&f.content, "content", "", "the `TEXT` of the message, in place of CONTENT")
	fs.BoolVar(&f.print, "print", true, "print each message")
	a.completeMail(cmd, &f.mailFlags)
	return cmd
}

// completeMail sets what is offered for the words and flags of spout and drain.
func (a *app) completeMail(cmd *cobra.Command, f *mailFlags) {
	names := a.announced(&f.place)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(cmd, args, word)
	}
	for flag, offer := range map[string]completer{
		"broker": oneOf("localhost", "tcp://", "ipc://"),
		"print":  oneOf("%(M)s", "%(P)s", "%(C)s"),
		"count":  oneOf(), "timeout": oneOf(), "id": oneOf(), "subject": oneOf(), "reply-to": oneOf(), "property": oneOf(),
		"map": oneOf(), "content": oneOf(), "reconnect-interval": oneOf(), "reconnect-limit": oneOf(),
	} {
		if fl := cmd.Flags().Lookup(flag); fl != nil && fl.Value.Type() != "bool" {
			_ = cmd.RegisterFlagCompletionFunc(flag, offer) // fails for a flag that there is not
		}
	}
	a.complete(cmd, &f.place)
}

// check completes the flags and makes the message.
func (f *spoutFlags) check(cmd *cobra.Command, args []string) error {
	if err := f.mailFlags.check(cmd, args, transport.ForConnect); err != nil {
		return err
	}
	f.wholeTime = cmd.Flags().Changed("timeout")
	words := args[1:]
	given := cmd.Flags().Changed("content")
	switch {
	case given && len(words) > 0:
		return usagef("--content and CONTENT exclude each other")
	case f.at.browse:
		return usagef("mode: browse is for drain")
	}
	if words := strings.Join(words, " "); words != "" {
		f.content, given = words, true
	}
	f.mail = mail{subject: f.at.subject, replyTo: f.replyTo, properties: named(f.properties, "")}
	if cmd.Flags().Changed("subject") {
		f.mail.subject = f.subject
	}
	switch {
	case hasWildcards(f.mail.subject):
		return usagef("the subject %.80q of a message cannot have wildcards", f.mail.subject)
	case len(f.mail.subject) > maxSubject:
		return usagef("the subject %.80q must have at most %d bytes", f.mail.subject, maxSubject)
	}
	for _, name := range []string{"", replyToHeader, subjectProperty} {
		if _, there := f.mail.properties[name]; there {
			return usagef("--property %q: there can be none of this name; see --reply-to and --subject", name)
		}
	}
	switch {
	case len(f.entries) > 0:
		entries := named(f.entries, nil)
		if _, there := entries[""]; there {
			return usagef("--map: the name of an entry is empty")
		}
		if _, there := entries["text"]; given && !there {
			entries["text"] = f.content
		}
		f.mail.content = entries
	case given:
		f.mail.content = f.content
	}
	if _, err := f.numbered(f.id, 0).frames(); err != nil {
		return usagef("the properties: %w", err)
	}
	return nil
}

// numbered is the nth message.
func (f *spoutFlags) numbered(id string, n int) *mail {
	m := f.mail
	m.properties = map[string]any{spoutID: id + ":" + strconv.Itoa(n)}
	maps.Copy(m.properties, f.mail.properties)
	return &m
}

// fingerprint is the same for the same command: what it sends, and where to.
func (f *spoutFlags) fingerprint() string {
	text, err := json.Marshal([]any{
		f.text, f.place.group, f.count, f.id, f.mail.subject, f.mail.replyTo, f.mail.properties, f.mail.content,
	})
	if err != nil {
		return "" // text and maps of text can be written
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// appendPrinted appends what is printed of a message, as spout prints it.
func (a *app) appendPrinted(b []byte, m *mail, format mailFormat) ([]byte, error) {
	if !a.json {
		return append(format.appendTo(b, m), '\n'), nil
	}
	line, err := json.Marshal(mailJSON{m.subject, m.replyTo, m.properties, jsonable(m.content)})
	if err != nil {
		return b, failf("%w", err)
	}
	return append(append(b, escapeControls(line)...), '\n'), nil
}
