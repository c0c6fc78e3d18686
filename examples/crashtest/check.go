package main

import (
	"fmt"
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
	arrived []*arrived // at each receiver, or at any if they share
	asked   *asked     // nil if they are no requests
}

// Arrived is what came of one life of the sender.
type arrived struct {
	seen  []bits // of each lane: those that came
	fresh []bits // and those that came without being flagged as redelivered
}

func newArrived(lanes int) *arrived { return &arrived{make([]bits, lanes), make([]bits, lanes)} }

// Bits are a set of numbers.
type bits []uint64

// set adds a number and says whether it was there.
func (b *bits) set(n uint64) bool {
	word, bit := n/64, uint64(1)<<(n%64)
	if word >= uint64(len(*b)) {
		*b = slices.Grow(*b, int(word)+1-len(*b))[:word+1]
	}
	before := (*b)[word]&bit != 0
	(*b)[word] |= bit
	return before
}

func (b bits) has(n uint64) bool { return n/64 < uint64(len(b)) && b[n/64]&(1<<(n%64)) != 0 }

// Check reads what the workers of a scenario have written down, and judges it.
func check(s scenario, dir string, lives uint32) (findings, error) {
	c := checker{scenario: s}
	for n := range lives {
		last, err := readTally(dir, n)
		if err != nil {
			return c.findings, err
		}
		refused, err := readRefusals(dir, n)
		if err != nil {
			return c.findings, err
		}
		l := &life{last: last, refused: refused, arrived: []*arrived{newArrived(len(last))}}
		for s.Publishes && len(l.arrived) < s.Receivers {
			l.arrived = append(l.arrived, newArrived(len(last)))
		}
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
	if s.Asks {
		return c.findings, c.requests(dir)
	}
	for who := range s.Receivers {
		c.who, c.life, c.highest = who, 0, make(map[uint16]note)
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

	who     int // the receiver whose journal is read
	life    int // and its life, from 1 on
	highest map[uint16]note
	hand    note // the request that was handed out last in this life, and is not answered
}

// at is what came at a receiver.
func (l *life) at(who int) *arrived { return l.arrived[min(who, len(l.arrived)-1)] }

// take judges one record.
func (c *checker) take(r record) {
	switch {
	case r.Flags&born != 0:
		c.life++
		return
	case r.Flags&damaged != 0:
		c.find(wrong, "receiver %d in its life %d got what was not sent so", c.who, c.life)
		return
	}
	c.received++
	if c.unknown(r.note) || !c.wants(c.who, r.Lane) {
		c.find(unasked, "%v, at receiver %d", r.note, c.who)
		return
	}
	flagged := r.Flags&redelivered != 0
	l := c.lives[r.Life].at(c.who)
	before, fresh := l.seen[r.Lane].set(r.N), !flagged && l.fresh[r.Lane].set(r.N)
	if before {
		// What one receiver got before another cannot be told: of all that they got one is the first.
		if c.Doubles && (flagged || c.Receivers > 1 && !c.Publishes && !fresh) {
			c.again++
		} else {
			c.find(doubled, "%v, at receiver %d in its life %d, flagged as redelivered: %v", r.note, c.who, c.life, flagged)
		}
		return
	}
	c.inOrder(r)
}

// inOrder holds a message that came for the first time against the last of its lane.
func (c *checker) inOrder(r record) {
	if c.AnyOrder {
		return
	}
	if h, ok := c.highest[r.Lane]; ok && r.before(h) {
		c.find(disordered, "%v after %v, at receiver %d in its life %d", r.note, h, c.who, c.life)
		return
	}
	c.highest[r.Lane] = r.note
}

// unknown: nobody has sent this. The one after the last that was accepted may have been when the process was killed.
func (c *checker) unknown(n note) bool {
	if int(n.Life) >= len(c.lives) || n.N == 0 {
		return true
	}
	l := c.lives[n.Life]
	return int(n.Lane) >= len(l.last) || n.N > l.last[n.Lane]+1 || l.refused[n]
}

// missing looks for what did not come, at each receiver that should have got it.
func (c *checker) missing() {
	for number, l := range c.lives {
		for who, got := range l.arrived {
			for lane, last := range l.last {
				for n := uint64(1); n <= last && c.wants(who, uint16(lane)); n++ {
					id := note{uint16(lane), uint32(number), n}
					if !got.seen[lane].has(n) && !l.refused[id] {
						c.find(lost, "%v, of %d in this life, at receiver %d", id, last, who)
					}
				}
			}
		}
	}
}
