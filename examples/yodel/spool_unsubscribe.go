package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket/spool"
)

// subscriberCursor is what the name of the cursor of a durable subscription begins with, ahead of the subscriber's.
const subscriberCursor = "subscriber/"

func (a *app) spoolUnsubscribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unsubscribe DIR NAME…",
		Short: "Drop the durable subscriptions of subscribers that will not come back",
		Long: `Drop the durable subscriptions that a publisher keeps in a spool for subscribers with these names
(sub --subscriber NAME), and with them what waits for nobody else. Who comes with such a name again
begins a new one. A line has the name, quoted, and how many messages it was behind; with --json it
is {"name":…,"messages":…,"bytes":…}. show lists the subscriptions, as "subscriber/NAME". If one
of the names has none, nothing is dropped.

` + spoolHelp,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return owning(args[0], func(s *spool.Spool) error { return a.unsubscribe(cmd.Context(), s, args[1:]) })
		},
	}
}

func (a *app) unsubscribe(ctx context.Context, s *spool.Spool, names []string) error {
	waits := make(map[string]spool.Count)
	for _, c := range s.Stats().Cursors {
		waits[c.Name] = c.Lag
	}
	for _, name := range names {
		if _, ok := waits[subscriberCursor+name]; !ok {
			return failf("there is no durable subscription %q", name)
		}
	}
	for _, name := range names {
		if err := s.DropCursor(ctx, subscriberCursor+name); err != nil {
			return failf("%w", err)
		}
		n := waits[subscriberCursor+name]
		var err error
		if a.json {
			err = a.printJSON(struct {
				Name     string `json:"name"`
				Messages uint64 `json:"messages"`
				Bytes    uint64 `json:"bytes"`
			}{name, n.Messages, n.Bytes})
		} else {
			err = a.print(fmt.Sprintf("%s %s\n", strconv.Quote(name), countOf(n.Messages, "message")))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
