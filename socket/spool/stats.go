package spool

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A Count is a number of messages and how many bytes they have.
type Count struct{ Messages, Bytes uint64 }

func (c *Count) add(d Count) { c.Messages, c.Bytes = c.Messages+d.Messages, c.Bytes+d.Bytes }

// Stats say how a spool is. Expired, Dropped, Damaged and the commits are counted since it was opened.
type Stats struct {
	Live    Count // what some cursor has not settled, or, without a cursor, all; Bytes is an estimate, from averages
	Dead    Count // the dead letters
	Expired Count
	Dropped Count
	Damaged Count // lost, of which Bytes is not known

	Files    int64 // what the files take
	MaxBytes int64 // what they may take, 0 if there is no bound
	Segments int

	First  uint64    // the lowest seq that is not settled
	Next   uint64    // the next seq
	Oldest time.Time // when the oldest message that waits was appended; zero if none does, or it cannot be read

	Commits   uint64
	Grouped   uint64        // requests that shared these commits
	CommitP50 time.Duration // of the last 1,024 commits
	CommitP99 time.Duration
	CommitMax time.Duration // since the spool was opened
	Failing   error         // of the last write or sync, if it failed

	Cursors []CursorStats // by name
}

// CursorStats say how far one cursor is.
type CursorStats struct {
	Name     string
	Low      uint64 // the lowest seq it has not settled
	Lag      Count  // what it has not settled; Bytes is an estimate
	InFlight int    // handed out, and neither settled nor given back
	Seen     time.Time
}

// counters are what Stats are made of, guarded by the Spool's mutex.
type counters struct {
	messages                  uint64
	expired, dropped, damaged Count
	commits, grouped          uint64
	took                      [1024]time.Duration
	longest                   time.Duration
	failing                   error
	full                      bool
	high                      int // the last of 50, 80 and 100 that was passed
}

func (c *counters) commit(took time.Duration, requests int) {
	c.took[c.commits%uint64(len(c.took))] = took
	c.longest = max(c.longest, took)
	c.commits++
	c.grouped += uint64(requests)
}

// Stats returns how the spool is. It reads the oldest message from disk.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	low := s.st.low()
	if live := s.st.live(ranges.Range{From: low, To: s.written}); len(live) > 0 {
		low = live[0].From
	}
	waits := low < s.written && !s.ended
	s.mu.Unlock()
	var oldest time.Time
	if waits {
		r := reader{s: s, seq: low}
		if m, ok, err := r.next(); ok && err == nil {
			oldest = m.Enqueued
		}
		r.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{
		Expired: s.stats.expired, Dropped: s.stats.dropped, Damaged: s.stats.damaged,
		Dead:  Count{uint64(len(s.st.dead)), uint64(s.st.deadBytes)},
		Files: s.used, MaxBytes: s.opts.MaxBytes, Segments: len(s.segs),
		First: s.st.low(), Next: s.st.next, Oldest: oldest,
		Commits: s.stats.commits, Grouped: s.stats.grouped, CommitMax: s.stats.longest, Failing: s.stats.failing,
	}
	for _, r := range s.st.live(ranges.Range{From: 0, To: s.written}) {
		st.Live.add(Count{r.Len(), s.weight(r)})
	}
	if n := min(s.stats.commits, uint64(len(s.stats.took))); n > 0 {
		took := slices.Sorted(slices.Values(s.stats.took[:n]))
		st.CommitP50, st.CommitP99 = took[n/2], took[n*99/100]
	}
	for _, id := range slices.Sorted(maps.Keys(s.st.cursors)) {
		st.Cursors = append(st.Cursors, s.cursorStats(s.st.cursors[id]))
	}
	slices.SortFunc(st.Cursors, func(a, b CursorStats) int { return cmp.Compare(a.Name, b.Name) })
	return st
}

// cursorStats says how far a cursor is. The caller holds the lock.
func (s *Spool) cursorStats(c *cursorState) CursorStats {
	st := CursorStats{Name: c.name, Low: c.set.Floor(), Seen: c.seen}
	for g := range c.set.Gaps(1, s.written) {
		st.Lag.add(Count{g.Len(), s.weight(g)})
	}
	if h := s.handles[c.id]; h != nil {
		n := uint64(0)
		for g := range c.set.Gaps(1, h.read) {
			n += g.Len()
		}
		for _, r := range h.again {
			for g := range c.set.Gaps(r.From, r.To) {
				n -= g.Len()
			}
		}
		for _, d := range h.delayed {
			if !c.set.Contains(d.seq) {
				n--
			}
		}
		st.InFlight = int(n)
	}
	return st
}

// failed notes that a write or a sync has failed: the first since one succeeded is an event.
func (s *Spool) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.stats.failing == nil
	s.stats.failing = err
	if first {
		s.emit(Event{Kind: Failing, Path: s.newestName(), Err: err})
	}
}

func (s *Spool) newestName() string {
	if s.newest == nil {
		return ""
	}
	return s.newest.name
}

// healthy notes a commit: what failed before does no more, and where there was no room there is some. The caller holds
// the lock.
func (s *Spool) healthy() {
	if s.stats.failing != nil {
		s.stats.failing = nil
		s.emit(Event{Kind: Healthy, Path: s.newestName()})
	}
}

// grown reports how full the files are, once at each mark. The caller holds the lock.
func (s *Spool) grown() {
	if s.opts.MaxBytes == 0 {
		return
	}
	at := 0
	for _, mark := range []int{50, 80, 100} {
		if s.used*100 >= s.opts.MaxBytes*int64(mark) {
			at = mark
		}
	}
	if at > s.stats.high {
		s.emit(Event{Kind: High, Count: Count{Bytes: uint64(s.used)}})
	}
	s.stats.high = at
}
