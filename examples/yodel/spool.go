package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket/spool"
)

const spoolHelp = `ls, show, browse, dead and verify look into a spool without a change to it, also while a socket
has it open. purge, requeue and unsubscribe change it, and fail with "in use by pid N" while another
process has it.`

func (a *app) spoolCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "Look into a spool, check it, and clear it out",
		Long:  "Look into a spool, check it, and clear it out.\n\n" + spoolHelp,
	}
	parent(cmd)
	cmd.AddCommand(
		a.spoolLsCommand(), a.spoolShowCommand(), a.spoolBrowseCommand(), a.spoolDeadCommand(), a.spoolVerifyCommand(),
		a.spoolPurgeCommand(), a.spoolRequeueCommand(), a.spoolUnsubscribeCommand(),
	)
	return cmd
}

// looking runs f with a view of the spool in a directory.
func looking(dir string, f func(v *spool.View) error) error {
	v, err := spool.Inspect(dir)
	if err != nil {
		return failf("%w", err)
	}
	defer v.Close() //nolint:errcheck // always nil
	return f(v)
}

// owning runs f with the spool itself, of which this process is the owner meanwhile. There must be one already; what it
// holds is bounded by nothing, for its bounds are its user's.
func owning(dir string, f func(s *spool.Spool) error) error {
	if err := looking(dir, func(*spool.View) error { return nil }); err != nil {
		return err
	}
	s, err := spool.Open(dir, spool.Options{
		MaxBytes: -1, DeadBytes: -1, MaxDeliveries: -1, Overflow: spool.Reject, Network: true,
	})
	if err != nil {
		return failf("%w", err)
	}
	err = f(s)
	if closed := s.Close(); err == nil && closed != nil {
		err = failf("%w", closed)
	}
	return err
}

func (a *app) spoolVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "Read everything and check every checksum",
		Long: `Read everything and check every checksum. What is damaged is printed, a line each: the file, where
it is in it, and which messages are lost by it. The status is 1 if there is damage. A commit at the
end that is not whole is no damage: it was never acknowledged.

With --json it is one object: {"segments":…,"batches":…,"records":…,"messages":…,"bytes":…,"torn":…,
"damage":[{"path":…,"offset":…,"size":…,"seqs":[[first,last],…],"live":…,"dead":…}]}; live is how
many of the messages somebody still waits for.

` + spoolHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return looking(args[0], func(v *spool.View) error { return a.verify(cmd.Context(), v) })
		},
	}
}

// A verifyJSON is what verify found, as JSON.
type verifyJSON struct {
	Segments int          `json:"segments"`
	Batches  int          `json:"batches"`
	Records  int          `json:"records"`
	Messages int          `json:"messages"`
	Bytes    int64        `json:"bytes"`
	Torn     int64        `json:"torn"`
	Damage   []damageJSON `json:"damage"`
}

type damageJSON struct {
	Path   string      `json:"path"`
	Offset int64       `json:"offset"`
	Size   int64       `json:"size"`
	Seqs   [][2]uint64 `json:"seqs"` // the first and the last of each range
	Live   uint64      `json:"live"`
	Dead   bool        `json:"dead"`
}

func (a *app) verify(ctx context.Context, v *spool.View) error {
	r, err := v.Verify(ctx)
	if err != nil {
		return failf("%w", err)
	}
	live := uint64(0)
	found := verifyJSON{r.Segments, r.Batches, r.Records, r.Messages, r.Bytes, r.Torn, []damageJSON{}}
	for _, d := range r.Damage {
		j := damageJSON{d.Path, d.Off, d.Size, [][2]uint64{}, d.Live, d.Dead}
		for _, s := range d.Seqs {
			j.Seqs = append(j.Seqs, [2]uint64{s.From, s.To - 1})
		}
		found.Damage = append(found.Damage, j)
		live += d.Live
	}
	if a.json {
		if err := a.printJSON(found); err != nil {
			return err
		}
	} else {
		for _, d := range found.Damage {
			if err := a.print(d.String() + "\n"); err != nil {
				return err
			}
		}
		if err := a.print(fmt.Sprintf("%s in %s, %s checked: %s\n", countOf(r.Messages, "message"),
			countOf(r.Segments, "segment"), sizeOf(uint64(r.Bytes)), verdict(&r))); err != nil {
			return err
		}
	}
	if len(r.Damage) > 0 {
		return failf("%s damaged; %s lost that somebody waits for", countOf(len(r.Damage), "place"), countOf(live, "message"))
	}
	return nil
}

func verdict(r *spool.Report) string {
	switch {
	case len(r.Damage) > 0:
		return countOf(len(r.Damage), "place") + " damaged"
	case r.Torn > 0:
		return fmt.Sprintf("good; %s at the end of a commit that was never acknowledged", sizeOf(uint64(r.Torn)))
	}
	return "good"
}

// String is the damage as a line.
func (d *damageJSON) String() string {
	what := "no message is lost"
	if len(d.Seqs) > 0 {
		what = "lost: "
		if d.Dead {
			what = "lost dead letters: "
		}
		for i, s := range d.Seqs {
			if i > 0 {
				what += ", "
			}
			what += rangeOf(s[0], s[1])
		}
	}
	return fmt.Sprintf("damaged: %s at %d, %d bytes; %s", printable(d.Path), d.Offset, d.Size, what)
}

func rangeOf(first, last uint64) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

// purgeFlags are the flags of purge.
type purgeFlags struct {
	before string
	to     uint64
	dead   bool
	all    bool
}

func (a *app) spoolPurgeCommand() *cobra.Command {
	var f purgeFlags
	cmd := &cobra.Command{
		Use:   "purge DIR",
		Short: "Drop messages from a spool",
		Long: `Drop messages from a spool, for every consumer, and print how many. Of several conditions all must
hold; one there must be, or --all.

` + spoolHelp,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			which, err := f.filter(cmd, time.Now())
			if err != nil {
				return err
			}
			return owning(args[0], func(s *spool.Spool) error { return a.purge(cmd.Context(), s, which) })
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.before, "before", "",
		"those appended before `TIME`: 2026-11-30T12:00:00Z, or for how long they have been there, such as 24h")
	fs.Uint64Var(&f.to, "to", 0, "those below the number `SEQ`, which browse --json prints")
	fs.BoolVar(&f.dead, "dead", false, "dead letters, instead of messages that wait")
	fs.BoolVar(&f.all, "all", false, "all of them")
	return cmd
}

// filter is what the flags ask for.
func (f *purgeFlags) filter(cmd *cobra.Command, now time.Time) (spool.Filter, error) {
	which := spool.Filter{To: f.to, Dead: f.dead}
	conditions := cmd.Flags().Changed("before") || cmd.Flags().Changed("to")
	switch {
	case f.all && conditions:
		return which, usagef("--all and a condition exclude each other")
	case !f.all && !conditions:
		return which, usagef("say what to drop: --before, --to or --all")
	case cmd.Flags().Changed("to") && f.to == 0:
		return which, usagef("--to 0: the numbers begin at 1")
	}
	if !cmd.Flags().Changed("before") {
		return which, nil
	}
	if d, err := time.ParseDuration(f.before); err == nil {
		if d < 0 {
			return which, usagef("--before %s is negative", f.before)
		}
		which.Before = now.Add(-d)
		return which, nil
	}
	t, err := time.Parse(time.RFC3339, f.before)
	if err != nil {
		return which, usagef("--before %q: it must be a time such as 2026-11-30T12:00:00Z or a duration such as 24h",
			f.before)
	}
	which.Before = t
	return which, nil
}

func (a *app) purge(ctx context.Context, s *spool.Spool, which spool.Filter) error {
	n, err := s.Purge(ctx, which)
	if err != nil {
		return failf("%w", err)
	}
	if a.json {
		return a.printJSON(struct {
			Messages uint64 `json:"messages"`
			Bytes    uint64 `json:"bytes"`
		}{n.Messages, n.Bytes})
	}
	return a.print(fmt.Sprintf("purged %s, %s\n", countOf(n.Messages, "message"), sizeOf(n.Bytes)))
}

func (a *app) spoolRequeueCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "requeue DIR [SEQ…]",
		Short: "Send dead letters once more",
		Long: `Append dead letters, which dead lists, again as new messages with new numbers, and take them from the
dead letters. A line has the old number and the new one; with --json it is {"seq":…,"new_seq":…}.

` + spoolHelp,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := parseSeqs(args[1:])
			switch {
			case err != nil:
				return err
			case all && len(seqs) > 0:
				return usagef("--all and numbers exclude each other")
			case !all && len(seqs) == 0:
				return usagef("say which: their numbers, or --all")
			}
			return owning(args[0], func(s *spool.Spool) error { return a.requeue(cmd.Context(), s, seqs) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	return cmd
}

// requeue appends dead letters again, all of them if none are named.
func (a *app) requeue(ctx context.Context, s *spool.Spool, seqs []uint64) error {
	if len(seqs) == 0 {
		for d, err := range s.DeadLetters(ctx) {
			if err != nil {
				return failf("%w", err)
			}
			seqs = append(seqs, d.Seq)
		}
	}
	for _, seq := range seqs {
		now, err := s.Requeue(ctx, seq)
		if errors.Is(err, spool.ErrNoMessage) {
			return failf("there is no dead letter %d", seq)
		}
		if err != nil {
			return failf("%w", err)
		}
		if a.json {
			err = a.printJSON(struct {
				Seq    uint64 `json:"seq"`
				NewSeq uint64 `json:"new_seq"`
			}{seq, now})
		} else {
			err = a.print(fmt.Sprintf("%d %d\n", seq, now))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
