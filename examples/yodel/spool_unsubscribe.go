package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/socket/spool"
)

// subscriberCursor is what the name of the cursor of a durable subscription begins with, ahead of the subscriber's.
const subscriberCursor = "subscriber/"

// isOfSubscriber tells whether a cursor is of a durable subscription of a subscriber: of sub, or of subscribe, where
// there is one for each pattern.
func isOfSubscriber(cursor, name string) bool {
	return cursor == subscriberCursor+name || strings.HasPrefix(cursor, fmt.Sprintf("pubsub:%d:%s:", len(name), name))
}

func (a *app) spoolUnsubscribeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unsubscribe DIR NAME…",
		Short: "Drop the durable subscriptions of subscribers that will not come back",
		Long: `Drop the durable subscriptions that a publisher keeps in a spool for subscribers with these names
(sub or subscribe --subscriber NAME), and with them what waits for nobody else. Who comes with such a name again
begins a new one. A line has the name, quoted, and how many messages it was behind; with --json it
is {"name":…,"messages":…,"bytes":…}. show lists the subscriptions, as "subscriber/NAME" or, of
subscribe, as "pubsub:LENGTH:NAME:PATTERN". If one of the names has none, nothing is dropped.

` + spoolHelp,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return owning(args[0], func(s *spool.Spool) error { return a.unsubscribe(cmd.Context(), s, args[1:]) })
		},
	}
}

func (a *app) unsubscribe(ctx context.Context, s *spool.Spool, names []string) error {
	all := s.Stats().Cursors
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c spool.CursorStats) bool { return isOfSubscriber(c.Name, name) }) {
			return failf("there is no durable subscription %q", name)
		}
	}
	for _, name := range names {
		var n spool.Count
		for _, c := range all {
			if !isOfSubscriber(c.Name, name) {
				continue
			}
			if err := s.DropCursor(ctx, c.Name); err != nil {
				return failf("%w", err)
			}
			n.Messages += c.Lag.Messages
			n.Bytes += c.Lag.Bytes
		}
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
