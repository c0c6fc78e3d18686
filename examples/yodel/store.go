package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/socket/spool"
)

const storeHelp = `With --spool DIR a message is accepted once it is on disk in DIR, whether there is a peer or not,
and stays there until a peer has acknowledged it: one that is killed, or gone when the tool ends,
gets it by the next run with the same DIR, which begins with what is left. --linger then is how long
to wait for acknowledgements; messages that lack theirs are kept in DIR, and make the status 1. DIR
takes up to 1 GiB, or --spool-max: then --overflow block waits, reject reports the message, and
drop-oldest drops the oldest ones; the others mean nothing here. yodel spool tells what DIR holds.`

const keeperHelp = `With --spool DIR what is published is kept in DIR for those subscribers that have a name
(sub --dedup --subscriber): each gets all of it, once and in order, from when it first came, also what is published
while it is away and what an earlier run has left. A message that is for any of them is accepted once
it is on disk. Others are served as without --spool. --wait, unless it is given, waits for nobody if
DIR keeps a subscription to the topic of the first message. At the end pub waits up to --linger for
these subscribers to acknowledge, also for those that are away; what is left then is kept in DIR for
the next run, is told, and is no failure.

DIR takes up to 1 GiB, or --spool-max: then --overflow block, the default with --spool, waits,
reject reports the message, and drop-oldest drops the oldest ones, of which the subscriber is told
how many; the others mean nothing here. A subscriber that has been away for seven days is forgotten.
yodel spool show DIR tells how far each is.`

const subscriberHelp = `With --subscriber NAME as well, each publisher that has a --spool keeps for NAME what it
publishes on the topics that NAME has subscribed to, also while it is away; what was published before it came for
the first time it does not get. What a publisher has lost or dropped for it is told, with the number
of messages. Of two subscribers with one name the later one takes over. From any other publisher it
gets what is published while it is connected.`

// registerStore registers what has to do with spools.
func (f *socketFlags) registerStore(fs *pflag.FlagSet, v *verb) {
	if v.is(dedups) {
		fs.StringVar(&f.dedup, "dedup", "", "note in `DIR` what has been printed, and print none of it again")
	}
	if v.names() {
		fs.StringVar(&f.subscriber, "subscriber", "",
			"with --dedup: be `NAME` to publishers, which keep for it what they publish while it is away")
	}
	if v.is(spools) {
		what := "store messages in `DIR`, and forward them from there"
		if v.is(publishes) {
			what = "keep in `DIR` what is for subscribers with a name until they have it"
		}
		fs.StringVar(&f.spool, "spool", "", what)
		fs.Int64Var(&f.spoolMax, "spool-max", 1<<30, "with --spool: keep no more than `N` bytes there")
	}
}

// storeOverflows are the policies of a spool.
var storeOverflows = map[string]spool.Overflow{
	"": spool.Block, "block": spool.Block, "reject": spool.Reject, "drop-oldest": spool.DropOldest,
}

const (
	maxSubscriber = 200     // bytes of a name
	minSpool      = 1 << 20 // bytes of a spool
)

// checkStore says what is wrong with --spool.
func (f *socketFlags) checkStore(fs *pflag.FlagSet) error {
	switch {
	case fs.Changed("dedup") && f.dedup == "":
		return usagef("--dedup is empty: give it a directory")
	case fs.Changed("subscriber") && f.dedup == "":
		return usagef("--subscriber is for --dedup: give that, too")
	case fs.Changed("subscriber") && (f.subscriber == "" || len(f.subscriber) > maxSubscriber):
		return usagef("--subscriber %.32q: it must have 1 to %d bytes", f.subscriber, maxSubscriber)
	}
	return checkSpool(fs, f.spoolMax, f.overflow)
}

// checkSpool says what is wrong with --spool, --spool-max and what becomes of what has no room there.
func checkSpool(fs *pflag.FlagSet, limit int64, overflow string) error {
	switch {
	case fs.Changed("spool-max") && !fs.Changed("spool"):
		return usagef("--spool-max is for --spool: give that, too")
	case fs.Changed("spool-max") && limit < minSpool:
		return usagef("--spool-max %d: it must be at least %d bytes", limit, minSpool)
	case !fs.Changed("spool"):
		return nil
	case fs.Lookup("spool").Value.String() == "":
		return usagef("--spool is empty: give it a directory")
	}
	if _, ok := storeOverflows[overflow]; !ok {
		var names []string
		for name := range storeOverflows {
			if name != "" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return usagef("--overflow %s does not go with --spool, which takes %s", overflow, names)
	}
	return nil
}

// openStore opens what --spool or --dedup names; no verb has both.
func (f *socketFlags) openStore(a *app) (err error) {
	if f.dedup != "" {
		if f.taken, err = spool.Open(f.dedup, spool.Options{}); err != nil {
			return failf("%w", err)
		}
	}
	if f.spool == "" {
		return nil
	}
	f.store, err = a.openSpool(f.spool, f.spoolMax, f.overflow, "message")
	return err
}

// openSpool opens a directory of --spool, and tells of what is in it.
func (a *app) openSpool(dir string, limit int64, overflow, thing string) (*spool.Spool, error) {
	q, err := spool.Open(dir, spool.Options{
		Overflow: storeOverflows[overflow], MaxBytes: limit,
		Events: func(e spool.Event) {
			switch e.Kind {
			case spool.Damaged, spool.Failing, spool.Healthy, spool.Full, spool.Room, spool.Dropped, spool.Buried:
				a.con.printf("%s: %v", dir, e)
			default: // nothing to worry about
			}
		},
	})
	if err != nil {
		return nil, failf("%w", err)
	}
	if n := q.Stats().Live.Messages; n > 0 {
		a.con.notef("%s: %s from before", dir, countOf(n, thing))
	}
	return q, nil
}

// closeStore ends the use of --spool and --dedup, after the socket's end.
func (s *session) closeStore() {
	if s.flags.taken != nil {
		if err := s.flags.taken.Close(); err != nil {
			s.con.printf("%v", err)
		}
	}
	if s.flags.store == nil {
		return
	}
	if left := s.flags.store.Stats().Live.Messages; left > 0 && !s.kept {
		s.con.printf("%s kept in %s", countOf(left, "message"), s.flags.spool)
		s.kept = true
	}
	if err := s.flags.store.Close(); err != nil {
		s.con.printf("%v", err)
	}
}

// awaitStored waits until nothing is left in a spool, for subscribers that are away too: they may come.
func awaitStored(ctx context.Context, q *spool.Spool) {
	for q.Stats().Live.Messages > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stored is what it comes to that a socket with a spool has waited for acknowledgements, and has ended for a reason.
func (s *session) stored(why error) error {
	left := s.flags.store.Stats().Live.Messages
	s.kept = left > 0
	switch {
	case left == 0:
		return nil
	case errors.Is(why, errIdle) && s.sock.Stats().Delivered.Messages == 0:
		return nothingf("nothing could be sent for %v: %s kept in %s",
			s.flags.timeout, countOf(left, "message"), s.flags.spool)
	}
	text := countOf(left, "message") + " not acknowledged, kept in " + s.flags.spool
	if why != nil {
		return failf("%s: %w", text, why)
	}
	return failf("%s", text)
}
