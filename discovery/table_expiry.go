package discovery

import (
	"math"
	"time"
)

// Forever as a TTL means that a node does not expire, because the backend has other means to know when it goes.
const Forever time.Duration = math.MaxInt64

// An expiry is when a node ends unless it is heard of again. The timer is not moved with each announcement: when it
// fires too early it is set again.
type expiry struct {
	until time.Time // the zero time for ever
	full  time.Time // what until was before the node was suspected
	due   time.Time // when the timer fires, the zero time if it does not
	timer *time.Timer
}

func (c *TableConfig) expiry(ttl, lifetime time.Duration) expiry {
	if ttl == Forever {
		return expiry{}
	}
	if ttl <= 0 || lifetime > 0 && lifetime < ttl {
		ttl = lifetime
	}
	ttl = min(max(ttl, c.MinTTL), c.MaxTTL)
	end := time.Now().Add(ttl)
	return expiry{until: end, full: end}
}

// renew sets the end for a newer record. extend takes a repetition, which can only put the end off: in open mode
// anybody can send one with a short TTL, and that must not end a node.
func (l *expiry) renew(end time.Time) { l.until, l.full = end, end }

func (l *expiry) extend(end time.Time) {
	if end.IsZero() || !l.full.IsZero() && end.After(l.full) {
		l.full = end
	}
	l.until = l.full
}

// scheduleExpiry sets the timer, unless it fires in time as it is.
func (t *Table) scheduleExpiry(n *entry) {
	switch {
	case n.until.IsZero(), !n.due.IsZero() && !n.until.Before(n.due):
		return
	case n.timer == nil:
		n.timer = time.AfterFunc(time.Until(n.until), func() { t.expire(n) })
	default:
		n.timer.Reset(time.Until(n.until))
	}
	n.due = n.until
}

// expire is what the timer calls.
func (t *Table) expire(n *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.nodes[n.rec.ID] != n || now.Before(n.due) { // gone meanwhile, or set anew
		return
	}
	n.due = time.Time{}
	if n.until.IsZero() || now.Before(n.until) {
		t.scheduleExpiry(n)
		return
	}
	t.remove(n, Expired)
}

// Suspect expires the node early, unless it is heard of within that time: for Confirm, after asking it to speak up.
// With 0 or less it expires at once. To suspect a node that is not known, or again, does nothing.
func (t *Table) Suspect(id ID, within time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[id]
	if n == nil {
		return
	}
	if within <= 0 {
		t.remove(n, Expired)
		return
	}
	if end := time.Now().Add(within); n.until.IsZero() || end.Before(n.until) {
		n.until = end
		t.scheduleExpiry(n)
	}
}

// Drop forgets a node because the backend itself knows that it has gone: k is Left, or else Expired. Nobody is asked
// for a proof, and the same record may come back at once. To drop a node that is not known does nothing.
func (t *Table) Drop(id ID, k EventKind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.nodes[id]; n != nil {
		if k != Left {
			k = Expired
		}
		t.remove(n, k)
	}
}
