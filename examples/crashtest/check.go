package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// The columns of a result, all of which must be zero.
const (
	lost       = "lost"         // a message that was accepted and did not come
	doubled    = "doubled"      // one that came twice, without being flagged as redelivered where that would excuse it
	disordered = "out of order" // one that came after one that was sent later on the same lane
	wrong      = "damaged"      // one that is not what was sent
	unasked    = "never sent"   // one that was not sent, or that Send has refused
	stuck      = "stuck"        // nothing moved any more, or a process did not end
	crashed    = "crashed"      // a process that ended by itself, or said what none should
)

var columns = []string{lost, doubled, disordered, wrong, unasked, stuck, crashed}

// Findings are what the checker says of a scenario.
type findings struct {
	accepted uint64
	received uint64 // all, without what is damaged
	again    uint64 // of these, that had come before, and were flagged
	refused  uint64 // by Send: no room
	columns  map[string]uint64
	notes    []string // what was found first, in words
	told     map[string]int
}

const maxNotes = 5 // of a column

// find counts one in a column and says what it is.
func (f *findings) find(column, format string, a ...any) {
	if f.columns == nil {
		f.columns, f.told = make(map[string]uint64), make(map[string]int)
	}
	f.columns[column]++
	if f.told[column]++; f.told[column] <= maxNotes {
		f.notes = append(f.notes, column+": "+fmt.Sprintf(format, a...))
	}
}

// A life is what is known of one life of the sender: the last number on each lane of which it is known what became,
// and which of these were refused; the others were accepted.
type life struct {
	last    []uint64
	refused map[note]bool
	seen    [][]uint64 // bits, of each lane
}

// see notes that a message came and says whether it had come before.
func (l *life) see(n note) bool {
	word, bit := n.N/64, uint64(1)<<(n.N%64)
	bits := l.seen[n.Lane]
	if word >= uint64(len(bits)) {
		bits = slices.Grow(bits, int(word)+1-len(bits))[:word+1]
		l.seen[n.Lane] = bits
	}
	before := bits[word]&bit != 0
	bits[word] |= bit
	return before
}

func (l *life) has(lane int, n uint64) bool {
	word := n / 64
	return word < uint64(len(l.seen[lane])) && l.seen[lane][word]&(1<<(n%64)) != 0
}

// Check reads what the workers of a scenario have written down, and judges it.
func check(s scenario, dir string, lives uint32) (findings, error) {
	c := checker{scenario: s, highest: make(map[uint16]note)}
	for n := range lives {
		last, err := readTally(dir, n)
		if err != nil {
			return c.findings, err
		}
		refused, err := readRefusals(dir, n)
		if err != nil {
			return c.findings, err
		}
		l := &life{last: last, refused: refused, seen: make([][]uint64, len(last))}
		c.lives = append(c.lives, l)
		for _, n := range last {
			c.accepted += n
		}
		for r := range refused {
			if int(r.Lane) < len(last) && r.N <= last[r.Lane] {
				c.accepted--
			}
		}
		c.refused += uint64(len(refused))
	}
	for who := range s.Receivers {
		c.who, c.life, c.highestInLife = who, 0, nil
		if err := readJournal(journalPath(dir, who), c.take); err != nil {
			return c.findings, err
		}
	}
	c.missing()
	return c.findings, nil
}

// A checker is at work.
type checker struct {
	scenario
	findings
	lives []*life

	who           int // the receiver whose journal is read
	life          int // and its life, from 1 on
	highest       map[uint16]note
	highestInLife map[uint16]note
}

// take judges one record.
func (c *checker) take(r record) {
	switch {
	case r.Flags&born != 0:
		c.life++
		c.highestInLife = make(map[uint16]note)
		return
	case r.Flags&damaged != 0:
		c.find(wrong, "receiver %d in its life %d got what was not sent so", c.who, c.life)
		return
	}
	c.received++
	if c.unknown(r.note) {
		c.find(unasked, "%v", r.note)
		return
	}
	flagged := r.Flags&redelivered != 0
	if c.lives[r.Life].see(r.note) {
		if flagged && c.Doubles {
			c.again++
		} else {
			c.find(doubled, "%v, at receiver %d in its life %d, flagged as redelivered: %v", r.note, c.who, c.life, flagged)
		}
		return
	}
	c.inOrder(r, flagged)
}

// inOrder holds a message that came for the first time against the last of its lane.
func (c *checker) inOrder(r record, flagged bool) {
	highest := c.highest
	switch c.Order {
	case never:
		return
	case inLife:
		if flagged {
			return
		}
		highest = c.highestInLife
	case always:
	}
	if h, ok := highest[r.Lane]; ok && r.before(h) {
		c.find(disordered, "%v after %v, at receiver %d in its life %d", r.note, h, c.who, c.life)
		return
	}
	highest[r.Lane] = r.note
}

// unknown: nobody has sent this. The one after the last that was accepted may have been when the process was killed.
func (c *checker) unknown(n note) bool {
	if int(n.Life) >= len(c.lives) || n.N == 0 {
		return true
	}
	l := c.lives[n.Life]
	return int(n.Lane) >= len(l.last) || n.N > l.last[n.Lane]+1 || l.refused[n]
}

// missing looks for what did not come.
func (c *checker) missing() {
	for number, l := range c.lives {
		for lane, last := range l.last {
			for n := uint64(1); n <= last; n++ {
				if id := (note{uint16(lane), uint32(number), n}); !l.has(lane, n) && !l.refused[id] {
					c.find(lost, "%v, of %d in this life", id, last)
				}
			}
		}
	}
}

// sortedKeys returns the keys of a map, sorted.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
