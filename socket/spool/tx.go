package spool

import (
	"context"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A Tx is an atomic batch: messages, what they were made from, and small values of the caller's own, in one commit with
// one sync. After a crash all of it is there or nothing. It belongs to one goroutine, and ends with Commit or Discard;
// nothing has to be released.
type Tx struct {
	s    *Spool
	r    *request
	over bool
}

// Begin begins a Tx.
func (s *Spool) Begin() *Tx {
	t := &Tx{s: s, r: s.newRequest(forState)}
	t.r.atomic, t.r.urgent = true, true
	return t
}

// Append adds a message, whose frames the spool takes over. It gets its seq at Commit: messages of a Tx have
// consecutive ones.
func (t *Tx) Append(m Message) error {
	if t.over {
		return t.s.wrap("append to", ErrSettled)
	}
	t.r.need = forMessages
	t.r.try = t.s.opts.Overflow == Reject
	t.r.message(&m)
	return nil
}

// Settle has the Tx settle messages of a cursor of the same spool: to consume and to produce in one commit.
func (t *Tx) Settle(c *Cursor, r ...Range) {
	var set ranges.Set
	t.s.mu.Lock()
	written := t.s.written // what comes later is not settled by it
	t.s.mu.Unlock()
	for _, r := range r {
		set.AddRange(max(r.From, 1), min(r.To, written))
	}
	if set.End() == 0 {
		return
	}
	t.r.add(settledRecord(c.id, 0, set.Above()))
}

// The limits of Set.
const (
	MaxKey    = 255     // bytes of a key
	MaxValue  = 4 << 10 // bytes of a value
	maxValues = 1 << 20 // of all keys and values
)

// Set keeps a small value under a key of the caller's own, to be read by Value: how far a bridge has read elsewhere,
// for one. nil removes it. ErrTooLarge beyond MaxKey or MaxValue; Commit returns it beyond 1 MiB of all of them, for
// they are written again with every new file.
func (t *Tx) Set(key string, value []byte) error {
	if len(key) > MaxKey || len(value) > MaxValue {
		return t.s.wrap("set a value in", ErrTooLarge)
	}
	t.r.add(valueRecord(key, value))
	t.r.add(valueRecord(key, value)) // damage to one is not to cost the value
	t.r.values = append(t.r.values, keyValue{key, value})
	return nil
}

type keyValue struct {
	key   string
	value []byte
}

// Commit commits all of it, and returns the seq of the first message, if there is one. Without room it does what
// Options.Overflow says. Errors are those of Append; whatever they are, the Tx is over.
func (t *Tx) Commit(ctx context.Context) (first uint64, err error) {
	if t.over {
		return 0, t.s.wrap("commit to", ErrSettled)
	}
	t.over = true
	if err := t.s.roomForValues(t.r); err != nil {
		return 0, t.s.wrap("commit to", err)
	}
	if len(t.r.recs) == 0 {
		return 0, nil
	}
	if err := t.s.submit(ctx, t.r); err != nil {
		return 0, t.s.wrap("commit to", err)
	}
	return t.r.first, nil
}

// Discard ends the Tx without a trace. After Commit it does nothing.
func (t *Tx) Discard() { t.over = true }

// roomForValues holds what a request sets against what all values may take.
func (s *Spool) roomForValues(r *request) error {
	if len(r.values) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for k, v := range s.st.values {
		n += len(k) + len(v)
	}
	for _, kv := range r.values {
		n -= len(kv.key) + len(s.st.values[kv.key])
		if kv.value != nil {
			n += 2*len(kv.key) + len(kv.value)
		}
	}
	if n > maxValues {
		return ErrTooLarge
	}
	return nil
}

// Value returns what a Tx has set under a key.
func (s *Spool) Value(key string) (value []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.st.values[key]
	return append([]byte(nil), v...), ok
}
