package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket/observe"
)

const topHelp = `Without a TARGET they are all processes of this user on this host that have a control socket: yodel's
socket verbs with --observe, and programs that call observe.Registry.Listen. A TARGET is the path of a
control socket, or the URL of a program that serves observe.Registry.Handler, such as
http://127.0.0.1:8080/debug/yodel/.

OUT is what was delivered and IN what was handed to the application since the socket was made, in
messages; QUEUED and UNREAD are what waits, FULL% how full the queue of the fullest peer is. WHY is why
most of what was DROPPED or discarded was, or why there is no peer. A line that begins with ! is a
warning. With --json it is a snapshot a line, as socket/observe has it.

Status 1 means that one of them could not be read.`

func (a *app) topCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "top [TARGET...]",
		Short: "Show what the sockets of running processes do",
		Long:  "Show what the sockets of running processes do.\n\n" + topHelp,
		Example: `  yodel pull --bind tcp://127.0.0.1:5557 --observe
  yodel top --once
  yodel top --once --json http://127.0.0.1:8080/debug/yodel/`,
		RunE: func(cmd *cobra.Command, targets []string) error {
			if !once {
				return usagef("give --once, to see it once")
			}
			return a.top(cmd.Context(), targets)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print it once and end")
	return cmd
}

// topTime is how long a target may take to answer.
const topTime = 5 * time.Second

// top prints what processes do.
func (a *app) top(ctx context.Context, targets []string) error {
	ctx, cancel := context.WithTimeout(ctx, topTime)
	defer cancel()
	var readings []observe.Reading
	if len(targets) == 0 {
		found, err := observe.Processes(ctx)
		if err != nil {
			return failf("%w", err)
		}
		readings = found
	}
	for _, target := range targets {
		s, err := observe.Read(ctx, target)
		readings = append(readings, observe.Reading{Path: target, Snapshot: s, Err: err})
	}
	if len(readings) == 0 {
		a.con.notef("top: no process of this user has a control socket; yodel's socket verbs open one with --observe")
		return nil
	}
	var read []*observe.Snapshot
	var failed error
	for _, r := range readings {
		if r.Err != nil {
			if failed != nil {
				a.con.printf("%v", failed)
			}
			failed = failf("%s: %s", clean(r.Path), clean(r.Err.Error()))
			continue
		}
		read = append(read, r.Snapshot)
	}
	if a.json {
		for _, s := range read {
			if err := a.printJSON(s); err != nil {
				return err
			}
		}
		return failed
	}
	if len(read) > 0 {
		var table strings.Builder
		renderTop(&table, read)
		if err := a.print(table.String()); err != nil {
			return err
		}
	}
	return failed
}

// renderTop writes the warnings and the table. What comes from other processes is fit for a terminal in it.
func renderTop(w io.Writer, all []*observe.Snapshot) {
	process := func(s *observe.Snapshot) string { return fmt.Sprintf("%s/%d", clean(s.Process.Name), s.Process.PID) }
	for _, s := range all {
		for _, warning := range s.Warnings {
			_, _ = fmt.Fprintf(w, "! %s  %s: %s\n", process(s), clean(warning.Subject), clean(warning.Text))
		}
	}
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				_, _ = io.WriteString(table, "\t")
			}
			_, _ = io.WriteString(table, strings.ReplaceAll(clean(fmt.Sprint(c)), "\t", " "))
		}
		_, _ = io.WriteString(table, "\n")
	}
	row("PROC/PID", "SOCKET", "TYPE", "PEERS", "OUT", "IN", "QUEUED", "FULL%", "UNREAD", "DROPPED", "RTT", "WHY")
	for _, s := range all {
		for i := range s.Sockets {
			k := &s.Sockets[i]
			dropped, why := lostMost(k)
			rtt := "-"
			if k.RTTMedian > 0 {
				rtt = (time.Duration(k.RTTMedian) * time.Microsecond).String()
			}
			full := math.Round(100 * max(k.SendFill, k.RecvFill))
			row(process(s), k.Name, k.Type, len(k.Peers)+k.PeersMore, k.Ledger.Delivered.Messages(),
				k.Ledger.Handed.Messages(), k.Ledger.Queued.Messages(), full, k.Ledger.Unread.Messages(), dropped, rtt, why)
		}
	}
	_ = table.Flush() // to memory
}

// lostMost is how many messages were dropped or discarded, and why most of them were; or why there is no peer.
func lostMost(k *observe.SocketState) (total uint64, why string) {
	why = "-"
	most := uint64(0)
	for _, by := range []map[string]observe.Count{k.Ledger.Dropped, k.Ledger.Discarded} {
		for reason, c := range by {
			n := c.Messages()
			total += n
			if n > most || n == most && n > 0 && reason < why {
				most, why = n, reason
			}
		}
	}
	if len(k.Peers) > 0 {
		return total, why
	}
	for _, e := range k.Endpoints {
		if e.Up == 0 && e.Error != "" {
			return total, e.Error
		}
	}
	return total, why
}
