package spool

import "time"

// Mutation is mutation, for tests.
type Mutation = mutation

// LastMutation is the highest of them; they go from 1.
const LastMutation = tailNotZeroed

// OpenEnv opens a spool with a clock and a source of random numbers of the test's own, and with a mistake in it.
func OpenEnv(dir string, opts Options, now func() time.Time, random func() uint64, m Mutation) (*Spool, error) {
	return open(dir, opts, env{now: now, random: random, mutation: m})
}

// OpenInTurns is OpenEnv of a spool that does the same again if all else is the same (see turns.go). It belongs to one
// goroutine, in a bubble.
func OpenInTurns(dir string, opts Options, now func() time.Time, random func() uint64, m Mutation) (*Spool, error) {
	pause := func() { time.Sleep(time.Nanosecond) } // in a bubble no time passes while anybody works
	return open(dir, opts, env{now: now, random: random, mutation: m, pause: pause})
}
