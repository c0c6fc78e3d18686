// Package cli is what the example programs owe to whoever starts them: they end in good order when a signal tells
// them to, and when there is nobody left to read what they print.
package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Context returns a context that ends when a signal tells the program to: an interrupt (Ctrl-C), SIGTERM, SIGHUP (its
// terminal has gone) or SIGQUIT (Ctrl-\). The program then says goodbye, removes what it made and ends. A second
// signal ends it at once, and SIGQUIT with Go's dump of all goroutines; but not SIGHUP, which a closing terminal may
// send twice.
//
// A signal that was ignored when the program started, as by nohup or by a shell's trap, stays ignored. Go tells that
// of SIGINT and SIGHUP alone. SIGQUIT goes by SIGINT, since shells ignore both for a command that they start in the
// background; SIGTERM always ends the program.
//
// A write to a pipe that nobody reads is an error from now on, also on standard output, where it would have been a
// signal that ends a Go program without a goodbye.
func Context(parent context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	got := make(chan os.Signal, 1)
	quit := make(chan struct{})
	again := []os.Signal{syscall.SIGTERM} // those that end the program at once the second time
	if signal.Ignored(os.Interrupt) {
		signal.Ignore(syscall.SIGQUIT)
	} else {
		again = append(again, os.Interrupt, syscall.SIGQUIT)
	}
	signal.Notify(got, again...)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(got, syscall.SIGHUP)
	}
	// Notify rather than Ignore, which a command that the program runs would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		select {
		case sig := <-got:
			signal.Reset(again...)
			cancel(fmt.Errorf("stopped by a signal: %v", sig))
		case <-quit:
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(got)
		close(quit)
		cancel(nil)
	})
}
