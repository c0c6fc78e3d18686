package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// browseFlags are the flags of browse and dead.
type browseFlags struct {
	from      uint64
	count     int
	format    string
	delimText string
	delim     []byte
}

func (f *browseFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.Uint64Var(&f.from, "from", 0, "begin with the number `SEQ`")
	fs.IntVar(&f.count, "count", 0, "print no more than `N`; 0 is all")
	fs.StringVar(&f.format, "format", "line", "how to print: "+strings.Join(formats, ", "))
	fs.StringVar(&f.delimText, "delim", `\t`, "put `C` between frames (default TAB)")
	fs.Lookup("delim").DefValue = "" // said in words instead
}

func (f *browseFlags) check(a *app, cmd *cobra.Command) (err error) {
	switch {
	case !slices.Contains(formats, f.format):
		return usagef("--format %q: it must be one of %s", f.format, strings.Join(formats, ", "))
	case f.count < 0:
		return usagef("--count is negative: it must be 0 or more")
	case a.json && cmd.Flags().Changed("format") && f.format != "json":
		return usagef("--json and --format %s contradict each other", f.format)
	case a.json:
		f.format = "json"
	}
	if f.delim, err = unescape(f.delimText); err != nil {
		return usagef("--delim %q: not a valid escape; use \\t, \\n, \\x00, \\\\ or plain text", f.delimText)
	}
	return nil
}

// A spooledJSON is a message of a spool, as JSON.
type spooledJSON struct {
	Frames    [][]byte   `json:"frames"`
	Seq       uint64     `json:"seq"`
	Enqueued  time.Time  `json:"enqueued"`
	Expires   *time.Time `json:"expires,omitempty"`
	Attempts  int        `json:"attempts"`
	State     string     `json:"state,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`

	// Of dead letters.
	Reason    string     `json:"reason,omitempty"`
	LastError string     `json:"last_error,omitempty"`
	Cursor    string     `json:"cursor,omitempty"`
	Last      *time.Time `json:"last,omitempty"`
}

func newSpooledJSON(m *spool.Message) spooledJSON {
	j := spooledJSON{Frames: m.Frames, Seq: m.Seq, Enqueued: m.Enqueued, Expires: orNil(m.Expires), Attempts: m.Attempts}
	if j.Frames == nil {
		j.Frames = [][]byte{}
	}
	return j
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (a *app) spoolBrowseCommand() *cobra.Command {
	var f browseFlags
	cmd := &cobra.Command{
		Use:   "browse DIR",
		Short: "Print the messages that wait in a spool",
		Long: `Print the messages that wait in a spool, the oldest first, as a receiver would. None is consumed.

With --json a line is {"frames":["…base64…"],"seq":…,"enqueued":…,"attempts":…,"state":"queued" or
"delayed"}, and for those that have them "expires" and "not_before".

` + spoolHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(a, cmd); err != nil {
				return err
			}
			return looking(args[0], func(v *spool.View) error { return a.browse(cmd.Context(), v, &f) })
		},
	}
	f.register(cmd)
	return cmd
}

func (a *app) browse(ctx context.Context, v *spool.View, f *browseFlags) error {
	p := newPrinter(a.stdout, f.format, f.delim)
	n := 0
	for e, err := range v.Browse(ctx, f.from) {
		if err != nil {
			return failf("%w", err)
		}
		j := newSpooledJSON(&e.Message)
		j.State, j.NotBefore = e.State.String(), orNil(e.NotBefore)
		if err := p.printSpooled(&j, ""); err != nil {
			return err
		}
		if n++; n == f.count {
			break
		}
	}
	return p.flush()
}

func (a *app) spoolDeadCommand() *cobra.Command {
	var f browseFlags
	cmd := &cobra.Command{
		Use:   "dead DIR",
		Short: "Print the dead letters of a spool",
		Long: `Print the dead letters of a spool: messages that were given up. A line has the number, by which
requeue takes it, why it was given up and the last error, in quotes, and the message; --format raw
has the message alone.

With --json a line is that of browse without state, and "reason", "last_error", "cursor" and "last",
which is when it was given up.

` + spoolHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(a, cmd); err != nil {
				return err
			}
			return looking(args[0], func(v *spool.View) error { return a.dead(cmd.Context(), v, &f) })
		},
	}
	f.register(cmd)
	return cmd
}

func (a *app) dead(ctx context.Context, v *spool.View, f *browseFlags) error {
	p := newPrinter(a.stdout, f.format, f.delim)
	n := 0
	for d, err := range v.DeadLetters(ctx) {
		if err != nil {
			return failf("%w", err)
		}
		if d.Seq < f.from {
			continue
		}
		j := newSpooledJSON(&d.Message)
		j.Reason, j.LastError, j.Cursor, j.Last = d.Reason, d.LastError, d.Cursor, orNil(d.Last)
		head := fmt.Sprintf("%d %s %s ", d.Seq, strconv.Quote(d.Reason), strconv.Quote(d.LastError))
		if err := p.printSpooled(&j, head); err != nil {
			return err
		}
		if n++; n == f.count {
			break
		}
	}
	return p.flush()
}

// printSpooled prints a message of a spool; head goes before it on its line.
func (p *printer) printSpooled(j *spooledJSON, head string) error {
	switch p.format {
	case "json":
		line, err := json.Marshal(j)
		if err != nil {
			return failf("%w", err)
		}
		p.b = append(p.b[:0], escapeControls(line)...)
		return p.writeLine(true)
	case "raw":
	default:
		if head != "" {
			if err := p.w.write(false, []byte(head)); err != nil {
				return err
			}
		}
	}
	return p.print(socket.Msg{Frames: j.Frames})
}

func parseSeqs(args []string) (seqs []uint64, err error) {
	for _, arg := range args {
		seq, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || seq == 0 {
			return nil, usagef("%q is no number of a message: they begin at 1", arg)
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}
