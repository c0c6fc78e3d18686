package socket

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/spool"
)

// What the engine knows of a spool: the verbs of a store and of its cursors, and nothing of how they keep what they
// keep. spool_disk.go makes them of a spool.Spool.

// A store keeps the messages of a socket until they are settled. Its methods may be called by any number of goroutines.
type store interface {
	// incarnation names the stream of messages that comes from it.
	incarnation() (stream reliable.ID, epoch, nonce uint64)
	// next is the number of the next message.
	next() uint64
	// append stores a message, and returns its number once it is safe. Without room it waits, if it may. With a time in
	// expires the message is worth nothing from then on.
	append(ctx context.Context, wait bool, m Msg, expires time.Time) (number uint64, err error)
	// cursor makes this socket the one consumer of a cursor until its leave, which fails if there is another. only, if
	// not nil, says which messages are for it. lost is called, with no lock held, for messages that it will not hand out
	// though they were not settled; nth is how many consumers it has had.
	cursor(
		name string, only func(number uint64, m Msg) bool, lost func(r numberRange, why Reason),
	) (c cursor, nth uint64, err error)

	// keep keeps data with a cursor that cursor has returned, durably, in place of what was kept.
	keep(a assignment, data []byte) error

	// subscriptions names the cursors that subscription has made.
	subscriptions() []string
	// subscription returns the cursor of a name, which is made, durably, if there is none, with the data that is kept
	// with it: o's, unless that is nil. It is the same cursor each time, until it is dropped or has expired.
	subscription(name string, o subscriptionOptions) (c cursor, data []byte, err error)
	drop(ctx context.Context, name string) error
	stats() []spool.CursorStats
}

// subscriptionOptions is how a store keeps what is for one durable subscription.
type subscriptionOptions struct {
	start    spool.Start // of a new one
	only     func(number uint64, m Msg) bool
	maxBytes int64
	expiry   time.Duration
	data     []byte
}

// A cursor is a place in a store. All methods but next and bury wait for nothing, so that they may be called under
// outbox.mu.
type cursor interface {
	// next hands out messages in the order of their numbers, at least one, for which it waits. What is given back
	// comes first.
	next(ctx context.Context, messages int, bytes int64) ([]stored, error)
	settle(r numberRange)
	release(r numberRange)                                        // gives back what was not tried
	giveBack(number uint64, delay time.Duration, cause error)     // gives back what was tried
	bury(ctx context.Context, number uint64, reason string) error // makes a dead letter
	settled(number uint64) bool                                   // whether it is settled, or lost
	low() uint64                                                  // all below is settled
	lowOnDisk() uint64                                            // and stays so in the next life
	above(most int) []numberRange                                 // what is settled above, the lowest first
	lag() Count                                                   // what is not settled; bytes are an estimate
	kept() []byte                                                 // the data that is kept with it; nil for none
	// claim makes this socket the one consumer; see store.cursor.
	claim(lost func(r numberRange, why Reason)) error
	leave()
}

// A numberRange is the numbers from From up to, but without, To.
type numberRange = reliable.Range

// stored is a message that a cursor has handed out.
type stored struct {
	number   uint64
	frames   [][]byte
	size     int
	attempts int       // deliveries that were begun before
	expires  time.Time // zero: never
}
