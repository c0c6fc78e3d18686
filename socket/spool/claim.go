package spool

import (
	"fmt"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A Loss is messages that a cursor will not hand out any more though nobody has settled them by it.
type Loss struct {
	Why   EventKind // Dropped, Expired, Buried, Purged or Damaged
	Seqs  Range
	Count Count // Bytes is an estimate as a rule, and 0 of what is damaged
}

// Claim makes the caller the one consumer of a cursor, which a second one is not as long as the first has not called
// Unclaim: the error matches ErrInUse. lost, if not nil, is told what the cursor loses from now on, by one goroutine,
// in order with Options.Events, and may be told still after Unclaim; it must not block for long, nor call the Spool's
// Close. nth counts the claims since the spool was opened.
func (c *Cursor) Claim(lost func(Loss)) (nth uint64, err error) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.lost != nil {
		return 0, s.wrap("claim", fmt.Errorf("%w: its cursor %q has a consumer", ErrInUse, c.name))
	}
	if lost == nil {
		lost = func(Loss) {}
	}
	c.lost = lost
	c.claims++
	return c.claims, nil
}

// Unclaim ends a claim. What was handed out stays so: the consumer gives back what it has not settled.
func (c *Cursor) Unclaim() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.lost = nil
}

// lose tells whoever has claimed a cursor what it loses. The caller holds the lock.
func (s *Spool) lose(st *cursorState, why EventKind, r ranges.Range, n Count) {
	if c := s.handles[st.id]; c != nil && c.lost != nil {
		tell := c.lost
		s.events.call(func() { tell(Loss{Why: why, Seqs: Range(r), Count: n}) })
	}
}
