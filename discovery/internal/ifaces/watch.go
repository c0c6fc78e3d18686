package ifaces

import (
	"context"
	"time"
)

// Interval is how often Watch looks when it is not told otherwise.
const Interval = 2 * time.Second

// A Change is what differs between two snapshots.
type Change struct {
	Added, Removed []Interface
	Changed        []Interface // as they are now
}

// None reports whether nothing differs.
func (c Change) None() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) == 0 }

// Diff tells what became of old. An interface that was made anew (another index) counts as removed and added.
func Diff(old, now Snapshot) (c Change) {
	type key struct {
		index int
		name  string
	}
	before := make(map[key]Interface, len(old))
	for _, i := range old {
		before[key{i.Index, i.Name}] = i
	}
	for _, i := range now {
		k := key{i.Index, i.Name}
		was, ok := before[k]
		delete(before, k)
		switch {
		case !ok:
			c.Added = append(c.Added, i)
		case !was.equal(i):
			c.Changed = append(c.Changed, i)
		}
	}
	for _, i := range old { // not the map: in order
		if _, left := before[key{i.Index, i.Name}]; left {
			c.Removed = append(c.Removed, i)
		}
	}
	return c
}

// Watch sends the present snapshot, and another after each change, until ctx ends; it then closes the channel. It
// looks every so often (0: [Interval]) by from (nil: [System]). Who reads late gets the latest snapshot, not each
// one. When from fails nothing is sent until it works again.
func Watch(ctx context.Context, every time.Duration, from Source) <-chan Snapshot {
	if every <= 0 {
		every = Interval
	}
	if from == nil {
		from = System
	}
	c := make(chan Snapshot, 1)
	go func() {
		defer close(c)
		tick := time.NewTicker(every)
		defer tick.Stop()
		var last Snapshot
		for first := true; ; {
			if now, err := from(); err == nil && (first || !Diff(last, now).None()) {
				first, last = false, now
				select { // this is the only sender: after the drain there is room
				case <-c:
				default:
				}
				c <- now
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return c
}
