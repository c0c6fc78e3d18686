package socket

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A diskStore is a spool.Spool as the engine sees it.
type diskStore struct{ q *spool.Spool }

func (d diskStore) incarnation() (stream reliable.ID, epoch, nonce uint64) {
	epoch, nonce = d.q.Incarnation()
	return reliable.ID(d.q.ID()), epoch, nonce
}

func (d diskStore) next() uint64 { return d.q.Stats().Next }

func (d diskStore) append(
	ctx context.Context, wait bool, m Msg, expires time.Time,
) (number uint64, err error) {
	kept := spool.Message{Frames: m.Frames, Expires: expires}
	if wait {
		number, err = d.q.Append(ctx, kept)
	} else {
		number, err = d.q.TryAppend(kept)
	}
	if errors.Is(err, spool.ErrFull) {
		err = spoolFullError{err}
	}
	return number, err
}

func (d diskStore) cursor(
	name string, only func(number uint64, m Msg) bool, lost func(r numberRange, why Reason),
) (cursor, uint64, error) {
	c, err := d.q.Cursor(name, cursorOptions(only))
	if err != nil {
		return nil, 0, err
	}
	nth, err := c.Claim(func(l spool.Loss) { lost(numberRange(l.Seqs), lossReasons[l.Why]) })
	return diskCursor{c}, nth, err
}

func cursorOptions(only func(number uint64, m Msg) bool) spool.CursorOptions {
	o := spool.CursorOptions{Start: spool.Start{At: spool.Earliest}}
	if only != nil {
		o.Filter = func(m *spool.Message) bool { return only(m.Seq, Msg{Frames: m.Frames}) }
	}
	return o
}

func (d diskStore) keep(a assignment, data []byte) error {
	o := cursorOptions(a.only)
	o.Data = data
	_, err := d.q.Cursor(a.cursor, o)
	return err
}

// subscriberCursor is what the names of cursors for durable subscriptions begin with.
const subscriberCursor = "subscriber/"

func (d diskStore) subscriptions() (names []string) {
	for _, c := range d.q.Stats().Cursors {
		if name, ok := strings.CutPrefix(c.Name, subscriberCursor); ok {
			names = append(names, name)
		}
	}
	return names
}

func (d diskStore) subscription(name string, o subscriptionOptions) (cursor, []byte, error) {
	c, err := d.q.Cursor(subscriberCursor+name, spool.CursorOptions{
		Start: o.start, MaxBytes: o.maxBytes, Expiry: o.expiry, Data: o.data,
		Filter: func(m *spool.Message) bool { return o.only(m.Seq, Msg{Frames: m.Frames}) },
	})
	if err != nil {
		return nil, nil, err
	}
	return diskCursor{c}, c.Data(), nil
}

func (d diskStore) drop(ctx context.Context, name string) error {
	return d.q.DropCursor(ctx, subscriberCursor+name)
}

func (d diskStore) stats() (all []spool.CursorStats) {
	for _, c := range d.q.Stats().Cursors {
		if name, ok := strings.CutPrefix(c.Name, subscriberCursor); ok {
			c.Name = name
			all = append(all, c)
		}
	}
	return all
}

// lossReasons are the columns of the ledger for what a spool loses.
var lossReasons = map[spool.EventKind]Reason{
	spool.Expired: Expired, spool.Buried: DeadLettered, spool.Dropped: SpoolFull, spool.Purged: Purged,
	spool.Damaged: Damaged,
}

type diskCursor struct{ c *spool.Cursor }

func (d diskCursor) claim(lost func(r numberRange, why Reason)) error {
	_, err := d.c.Claim(func(l spool.Loss) { lost(numberRange(l.Seqs), lossReasons[l.Why]) })
	return err
}

func (d diskCursor) next(ctx context.Context, messages int, bytes int64) (all []stored, err error) {
	ms, err := d.c.Next(ctx, messages, bytes)
	for _, m := range ms {
		all = append(all, stored{
			number: m.Seq, frames: m.Frames, size: Msg{Frames: m.Frames}.Size(), attempts: m.Attempts, expires: m.Expires,
		})
	}
	return all, err
}

func (d diskCursor) settle(r numberRange)  { d.c.Settle(spool.Range(r)) }
func (d diskCursor) release(r numberRange) { d.c.Release(spool.Range(r)) }

func (d diskCursor) giveBack(number uint64, delay time.Duration, cause error) {
	d.c.Return(number, delay, cause)
}

func (d diskCursor) bury(ctx context.Context, number uint64, reason string) error {
	err := d.c.Bury(ctx, number, reason)
	if errors.Is(err, spool.ErrSettled) || errors.Is(err, spool.ErrNoMessage) || errors.Is(err, spool.ErrNoCursor) {
		return nil
	}
	return err
}

func (d diskCursor) settled(number uint64) bool { return d.c.Settled(number) }
func (d diskCursor) low() uint64                { return d.c.Low() }
func (d diskCursor) lowOnDisk() uint64          { return d.c.LowOnDisk() }
func (d diskCursor) lag() Count                 { return Count(d.c.Lag()) }
func (d diskCursor) kept() []byte               { return d.c.Data() }
func (d diskCursor) leave()                     { d.c.Unclaim() }

func (d diskCursor) above(most int) (all []numberRange) {
	for _, r := range d.c.Above(most) {
		all = append(all, numberRange(r))
	}
	return all
}

// A spoolFullError is what a spool without room says.
type spoolFullError struct{ error }

func (e spoolFullError) Unwrap() error { return e.error }

func (e spoolFullError) Is(target error) bool {
	return target == ErrSpoolFull || target == ErrWouldBlock
}
