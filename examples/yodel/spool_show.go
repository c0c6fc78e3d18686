package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A spoolJSON is what a spool holds, as JSON.
type spoolJSON struct {
	Dir       string       `json:"dir"`
	ID        string       `json:"id"`
	Owner     *ownerJSON   `json:"owner,omitempty"`
	Messages  uint64       `json:"messages"`
	Bytes     uint64       `json:"bytes"` // an estimate
	Oldest    *time.Time   `json:"oldest,omitempty"`
	Age       float64      `json:"age"` // of the oldest message, in seconds
	First     uint64       `json:"first"`
	Next      uint64       `json:"next"`
	Dead      uint64       `json:"dead"`
	DeadBytes uint64       `json:"dead_bytes"`
	Segments  int          `json:"segments"`
	FileBytes int64        `json:"file_bytes"`
	Cursors   []cursorJSON `json:"cursors"`
}

type ownerJSON struct {
	PID  int    `json:"pid"`
	Host string `json:"host"`
}

type cursorJSON struct {
	Name     string `json:"name"`
	Low      uint64 `json:"low"` // the lowest number that is not settled
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

const spoolJSONHelp = `With --json it is {"dir":…,"id":…,"owner":{"pid":…,"host":…},"messages":…,"bytes":…,"oldest":…,
"age":seconds,"first":…,"next":…,"dead":…,"dead_bytes":…,"segments":…,"file_bytes":…,
"cursors":[{"name":…,"low":…,"messages":…,"bytes":…}]}; owner is there while a process has it. Bytes
of messages are estimated, those of files are exact.`

func (a *app) spoolLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls DIR…",
		Short: "What spools hold, a line each",
		Long: `What spools hold, a line each: messages and bytes that wait, the age of the oldest, dead letters,
and who has it.

` + spoolJSONHelp + "\n\n" + spoolHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, dir := range args {
				err := looking(dir, func(v *spool.View) error { return a.showSpool(dir, v, spoolJSON.line) })
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) spoolShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show DIR",
		Short: "All that is known of a spool",
		Long: "All that is known of a spool: depth, bytes, age, files, and how far each consumer is.\n\n" +
			spoolJSONHelp + "\n\n" + spoolHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return looking(args[0], func(v *spool.View) error { return a.showSpool(args[0], v, spoolJSON.lines) })
		},
	}
}

func (a *app) showSpool(dir string, v *spool.View, text func(spoolJSON) string) error {
	j, err := newSpoolJSON(dir, v, time.Now())
	if err != nil {
		return failf("%w", err)
	}
	if a.json {
		return a.printJSON(j)
	}
	return a.print(text(j))
}

func newSpoolJSON(dir string, v *spool.View, now time.Time) (spoolJSON, error) {
	st, err := v.Stats()
	if err != nil {
		return spoolJSON{}, err
	}
	id, err := v.ID()
	if err != nil {
		return spoolJSON{}, err
	}
	j := spoolJSON{
		Dir: dir, ID: id.String(), Messages: st.Live.Messages, Bytes: st.Live.Bytes, First: st.First, Next: st.Next,
		Dead: st.Dead.Messages, DeadBytes: st.Dead.Bytes, Segments: st.Segments, FileBytes: st.Files,
		Cursors: []cursorJSON{},
	}
	if pid, host, ok := v.Owner(); ok {
		j.Owner = &ownerJSON{pid, host}
	}
	if !st.Oldest.IsZero() {
		j.Oldest, j.Age = &st.Oldest, max(0, now.Sub(st.Oldest).Round(time.Millisecond).Seconds())
	}
	for _, c := range st.Cursors {
		j.Cursors = append(j.Cursors, cursorJSON{c.Name, c.Low, c.Lag.Messages, c.Lag.Bytes})
	}
	return j, nil
}

// line is it all in one line.
func (j spoolJSON) line() string {
	parts := []string{printable(j.Dir), countOf(j.Messages, "message"), sizeOf(j.Bytes)}
	if j.Oldest != nil {
		parts = append(parts, "oldest "+j.age())
	}
	if j.Dead > 0 {
		parts = append(parts, fmt.Sprintf("%d dead", j.Dead))
	}
	return strings.Join(append(parts, j.owner()), "  ") + "\n"
}

// lines are one for each thing.
func (j spoolJSON) lines() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	row("directory", "%s", printable(j.Dir))
	row("id", "%s", j.ID)
	row("owner", "%s", j.owner())
	row("messages", "%d, %s", j.Messages, sizeOf(j.Bytes))
	if j.Oldest != nil {
		row("oldest", "%s ago, %s", j.age(), j.Oldest.UTC().Format(time.RFC3339))
	}
	row("numbers", "from %d, the next is %d", j.First, j.Next)
	row("dead", "%d, %s", j.Dead, sizeOf(j.DeadBytes))
	row("files", "%s, %s", countOf(j.Segments, "segment"), sizeOf(uint64(j.FileBytes)))
	for _, c := range j.Cursors {
		row("cursor", "%s waits at %d: %s, %s", strconv.Quote(c.Name), c.Low, countOf(c.Messages, "message"), sizeOf(c.Bytes))
	}
	return b.String()
}

func (j *spoolJSON) owner() string {
	if j.Owner == nil {
		return "not in use"
	}
	return fmt.Sprintf("in use by pid %d on %s", j.Owner.PID, printable(j.Owner.Host))
}

func (j *spoolJSON) age() string { return (time.Duration(j.Age) * time.Second).String() }

// sizeOf is a number of bytes for people.
func sizeOf(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1000, 0
	for f >= 999.95 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	return fmt.Sprintf("%.1f %cB", f, units[i])
}
