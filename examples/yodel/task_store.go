package main

import (
	"github.com/spf13/pflag"
)

// What submit and publish keep on disk.

// registerSpool registers what has to do with spools.
func (f *taskFlags) registerSpool(fs *pflag.FlagSet, what string) {
	fs.StringVar(&f.spool, "spool", "", what)
	fs.Int64Var(&f.spoolMax, "spool-max", 1<<30, "with --spool: keep no more than `N` bytes there")
}

// openStore opens what --spool names.
func (f *taskFlags) openStore(a *app) (err error) {
	if f.spool == "" {
		return nil
	}
	if f.store, err = a.openSpool(f.spool, f.spoolMax, f.spoolOverflow, f.thing); err == nil {
		f.before = f.store.Stats().Live.Messages
	}
	return err
}

// closeStore ends the use of --spool, after the end of what has used it.
func (f *taskFlags) closeStore(a *app) {
	if f.store == nil {
		return
	}
	if err := f.store.Close(); err != nil {
		a.con.printf("%v", err)
	}
}

// left is how much waits in --spool.
func (f *taskFlags) left() uint64 { return f.store.Stats().Live.Messages }
