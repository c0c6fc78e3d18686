package pubsub

import (
	"slices"

	"github.com/yodel-mq/yodel/patterns"
)

// A position is how far the events of one publisher have come, over all connections of a line.
type position struct {
	origin  [16]byte        // who publishes; zero if nobody of ours was connected yet
	settled uint64          // what was published up to here, and was for us, has come or is counted as missing
	since   []uint64        // the numbers of events that have come after that, if somebody asks for them
	lossy   bool            // there were too many of these
	known   map[string]bool // patterns with a replay that the publisher knows of, from an earlier connection too
	short   []string        // patterns of which, since the connection was lost, it is not known that nothing is missing
}

const mostSince = 1 << 16

// came notes an event. It returns false for one that has come before, over another connection.
func (p *position) came(n uint64, replay bool) bool {
	if replay && slices.Contains(p.since, n) {
		return false
	}
	if len(p.since) >= mostSince {
		p.lossy = true
		return true
	}
	p.since = append(p.since, n)
	return true
}

// beat notes that nothing is open up to number n.
func (p *position) beat(n uint64) {
	p.settled, p.since, p.lossy = max(p.settled, n), p.since[:0], false
}

// connected notes who is connected. It returns true if events may be missing, and nobody knows how many, unless the
// patterns turn out to be complete.
func (p *position) connected(origin [16]byte, published uint64, patterns []string) (unknown bool) {
	switch {
	case p.origin == [16]byte{}:
	case p.origin != origin:
		unknown = true
	case p.settled != published:
		p.short = append(p.short[:0], patterns...)
		return true
	default:
		return false
	}
	*p = position{origin: origin, settled: published, known: make(map[string]bool)}
	return unknown
}

// from returns from where on events of a pattern are wanted, 0 for one that is new to the publisher.
func (p *position) from(pattern string) (after uint64) {
	if p.known[pattern] && !p.lossy {
		after = p.settled
	}
	if p.known != nil {
		p.known[pattern] = true
	}
	return after
}

// complete notes that nothing of a pattern is missing that was published after number n. It returns true if then
// nothing at all is.
func (p *position) complete(pattern string, n uint64) bool {
	if n > p.settled {
		return false
	}
	before := len(p.short)
	p.short = slices.DeleteFunc(p.short, func(s string) bool { return s == pattern })
	return before > 0 && len(p.short) == 0
}

// hello takes from a publisher who it is, and says how far it has come before, if it is asked.
func (l *line) hello(h *patterns.Head) {
	if h.Method == "" {
		l.current.mu.Lock()
		l.current.number, l.current.lease = h.Window, h.Left
		l.current.mu.Unlock()
		if l.position.connected(h.Origin, h.Seq, l.of.patterns()) {
			l.gaps.unknown = true
		}
		return
	}
	l.current.mu.Lock()
	defer l.current.mu.Unlock()
	l.current.say(&patterns.Head{
		Kind: patterns.KindResume, Method: h.Method, Origin: h.Origin, Seq: l.position.from(h.Method),
	})
}

// patterns are those of all subscriptions but groups.
func (s *subscriber) patterns() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.plain() && !slices.Contains(list, r.pattern) {
			list = append(list, r.pattern)
		}
	}
	return list
}
