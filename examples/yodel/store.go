package main

import (
	"errors"
	"slices"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/socket/spool"
)

const storeHelp = `With --spool DIR a message is accepted once it is on disk in DIR, whether there is a peer or not,
and stays there until a peer has acknowledged it: one that is killed, or gone when the tool ends,
gets it by the next run with the same DIR, which begins with what is left. --linger then is how long
to wait for acknowledgements; messages that lack theirs are kept in DIR, and make the status 1. DIR
takes up to 1 GiB: then --overflow block waits, reject reports the message, and drop-oldest drops
the oldest ones; the others mean nothing here. yodel spool tells what DIR holds.`

// storeOverflows are the policies of a spool.
var storeOverflows = map[string]spool.Overflow{
	"": spool.Block, "block": spool.Block, "reject": spool.Reject, "drop-oldest": spool.DropOldest,
}

// checkStore says what is wrong with --spool.
func (f *socketFlags) checkStore(fs *pflag.FlagSet) error {
	if fs.Changed("dedup") && f.dedup == "" {
		return usagef("--dedup is empty: give it a directory")
	}
	if !fs.Changed("spool") {
		return nil
	}
	if f.spool == "" {
		return usagef("--spool is empty: give it a directory")
	}
	if _, ok := storeOverflows[f.overflow]; !ok {
		var names []string
		for name := range storeOverflows {
			if name != "" {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return usagef("--overflow %s does not go with --spool, which takes %s", f.overflow, names)
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
	f.store, err = spool.Open(f.spool, spool.Options{
		Overflow: storeOverflows[f.overflow],
		Events: func(e spool.Event) {
			switch e.Kind {
			case spool.Damaged, spool.Failing, spool.Healthy, spool.Full, spool.Room, spool.Dropped, spool.Buried:
				a.con.printf("%s: %v", f.spool, e)
			default: // nothing to worry about
			}
		},
	})
	if err != nil {
		return failf("%w", err)
	}
	if n := f.store.Stats().Live.Messages; n > 0 {
		a.con.notef("%s: %s from before", f.spool, countOf(n, "message"))
	}
	return nil
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
