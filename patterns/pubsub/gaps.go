package pubsub

// A gaps counts what one connection brings, and what it should have brought. A publisher says by a beat, among its
// events, how many of these were meant for the connection so far; what is missing then was dropped on the way. So a
// message carries no number of its own for this, and loss is known exactly at each beat.
type gaps struct {
	came    uint64 // events that came by the connection
	missing uint64 // events that did not, as far as is known
	untold  uint64 // of these, not told yet
	unknown bool   // not told yet: some are missing, and nobody knows how many
}

// unknownMissed is the [Event.Missed] of an event before which nobody knows what is missing.
const unknownMissed = -1

// event counts an event, and returns what is missing before it.
func (g *gaps) event() (missed int) {
	g.came++
	missed = int(min(g.untold, 1<<31-1))
	if g.unknown {
		missed = unknownMissed
	}
	g.untold, g.unknown = 0, false
	return missed
}

// beat notes that so many events were meant for the connection, and returns how many more are missing than was known.
// One that says less than has come says nothing: no publisher of ours does that.
func (g *gaps) beat(meant uint64) (found uint64) {
	known := g.came + g.missing
	if meant <= known {
		return 0
	}
	found = meant - known
	g.missing += found
	g.untold += found
	return found
}

// tellLater takes back what event returned, for the next one to tell.
func (g *gaps) tellLater(missed int) {
	if missed == unknownMissed {
		g.unknown = true
		return
	}
	g.untold += uint64(missed)
}

// add adds what is missing before two events in a row.
func add(a, b int) int {
	if a == unknownMissed || b == unknownMissed {
		return unknownMissed
	}
	return a + b
}
