package main

import (
	"math"
	"runtime"
	"slices"
)

// A window is the numbers above low up to high.
type window struct{ low, high uint64 }

type windows []window

func (ws windows) have(n uint64) bool {
	for _, w := range ws {
		if n > w.low && n <= w.high {
			return true
		}
	}
	return false
}

const forever = math.MaxUint64

// closeKeeps: Close leaves a connection half-closed until the peer has read everything.
const closeKeeps = runtime.GOOS == "linux"

// windows returns what the cuts between a sender and its receivers explain. A connection that was cut explains the
// numbers from the last that the receiver had by it to the last that was sent when the sender heard of its end. Over
// inproc nothing is in a kernel: a message that was delivered is in the receiver's ledger, and no cut explains
// anything.
func (x *flowCheck) windows(s *evidence, receivers []*evidence, lane int) (ws windows) {
	if x.plan.Transport == "inproc" {
		return nil
	}
	if len(x.via) > 0 {
		return x.windowsVia(s, receivers)
	}
	reached := false
	for _, r := range receivers {
		lows := lastOf(r.with(s.key), stream{s.key, lane})
		downs, mine := x.downs(s, r), s.with(r.key)
		reached = reached || len(mine) > 0
		for k, c := range mine {
			if !slices.Contains(downs, c) {
				continue
			}
			high := uint64(forever)
			if c.Down && !c.Ending {
				high = c.Sent[lane]
			}
			// The receiver may have seen fewer connections than the sender: then nothing says which.
			ws = append(ws, window{least(lows, max(0, k-max(0, len(mine)-len(lows)))), high})
		}
		if (s.Killed || s.Failed) && len(mine) > 0 {
			ws = append(ws, window{least(lows, len(lows)-1), forever})
		}
	}
	if !reached && (s.Killed || s.Failed || s.EndErr != "" || s.ByClose) {
		ws = append(ws, window{0, forever}) // it never had a peer
	}
	return ws
}

// windowsVia: of a stream that goes by a proxy the cut may be on either side of it, and its numbers say nothing of the
// other. Any cut on the way explains everything.
func (x *flowCheck) windowsVia(s *evidence, receivers []*evidence) windows {
	if s.Killed || s.Failed {
		return windows{{0, forever}}
	}
	for _, v := range x.via {
		if v.Killed || v.Failed || len(x.downs(s, v)) > 0 {
			return windows{{0, forever}}
		}
		for _, r := range receivers {
			if r.Killed || r.Failed || len(x.downs(v, r)) > 0 {
				return windows{{0, forever}}
			}
		}
	}
	return nil
}

// downs returns the connections of a sender to a receiver that ended otherwise than by the sender's own clean end.
// Shutdown says by its error if there was one meanwhile; Close has none.
func (x *flowCheck) downs(s, r *evidence) (cut []*conn) {
	clean := s.EndErr == "" && !s.Killed && !s.Failed && (!s.ByClose || closeKeeps)
	for _, c := range s.with(r.key) {
		if c.Down && !c.Ending || s.ByClose && c.Down && !c.Clean || !clean || gone(s, r) {
			cut = append(cut, c)
		}
	}
	return cut
}

// gone: the receiver ended before the sender had, so that it cannot have taken all.
func gone(s, r *evidence) bool {
	if r.Killed || r.Failed {
		return true
	}
	if r.Began.IsZero() || r.Settled {
		return false
	}
	return s.Ended.IsZero() || s.Ended.After(r.Began)
}

// lastOf returns the last number of a stream on each connection; one that brought none has that of the one before it.
func lastOf(cs []*conn, id stream) (lows []uint64) {
	var before uint64
	for _, c := range cs {
		var last uint64
		c.Got[id].each(func(n uint64) { last = max(last, n) })
		if last == 0 {
			last = before
		}
		before = last
		lows = append(lows, last)
	}
	return lows
}

// least returns the smallest from an index on, 0 if there is none.
func least(lows []uint64, from int) uint64 {
	if from < 0 || from >= len(lows) {
		if len(lows) == 0 {
			return 0
		}
		from = len(lows) - 1
	}
	n := lows[from]
	for _, low := range lows[from:] {
		n = min(n, low)
	}
	return n
}
