package spool

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A checker reads all of a snapshot. What is not whole it notes with the seqs that are missing there, by what stands
// before and behind it: each batch and each segment says with which seq it begins.
type checker struct {
	s      *Spool
	report Report

	seg    *segment
	expect uint64 // the next seq
	open   int    // the first place in report.Damage of those that the next seqs missing may belong to
	off    int64  // up to here all has been looked at
}

func (c *checker) run(ctx context.Context) error {
	c.front()
	for i, seg := range c.s.segs {
		next := c.s.written
		if i+1 < len(c.s.segs) {
			next = c.s.segs[i+1].first
		}
		c.begin(i)
		if err := c.header(); err != nil {
			return err
		}
		if err := c.batches(ctx); err != nil {
			return err
		}
		if i+1 == len(c.s.segs) || c.s.segs[i+1].number == seg.number+1 {
			c.missing(next, seg.name, c.off)
		}
	}
	return c.places()
}

// Indexes are not looked at: they are derived, never synced by themselves, and one that is not whole is made again.

// front looks for what should be ahead of the first segment: only what was moved is nowhere there.
func (c *checker) front() {
	first := c.s.segs[0].first
	var lost ranges.Set
	for _, r := range c.s.st.live(ranges.Range{From: 0, To: first}) {
		lost.AddRange(r.From, r.To)
	}
	for seq := range c.s.st.copies {
		lost.RemoveRange(seq, seq+1)
	}
	if rs := lost.Above(); len(rs) > 0 {
		c.damage("the segments before "+c.s.segs[0].name, 0, 0, rs)
	}
}

// begin goes on to a segment. What is still needed of segments that are missing before it is lost; those of which
// nothing is were removed, and older ones may have come back with a power cut.
func (c *checker) begin(i int) {
	seg := c.s.segs[i]
	if i > 0 {
		if before := c.s.segs[i-1].number; before+1 != seg.number {
			c.open = len(c.report.Damage)
			c.missing(seg.first, fmt.Sprintf("%016x-*%s", before+1, segmentSuffix), 0)
		}
	}
	c.seg, c.expect, c.off, c.open = seg, seg.first, dataStart, len(c.report.Damage)
}

// header checks both copies of a segment's header.
func (c *checker) header() error {
	page := make([]byte, dataStart)
	w := window{file: c.seg.file, end: dataStart, chunk: dataStart}
	b, err := w.bytes(0, dataStart)
	if err != nil {
		return err
	}
	copy(page, b)
	for _, at := range []int{0, headerTwin} {
		h, ok := parseHeader(page[at:])
		if !ok || h.number != c.seg.number || h.salt != c.seg.salt {
			c.damage(c.seg.name, int64(at), headerSize, nil)
		}
	}
	c.report.Bytes += 2 * headerSize
	c.open = len(c.report.Damage) // no messages are lost by it
	return nil
}

// batches goes through a segment, in which one thing must follow the other without a gap.
func (c *checker) batches(ctx context.Context) error {
	w := c.seg.walker(c.seg.file, dataStart, c.seg.end)
	for it, err := range w.items() {
		if err = cmp.Or(err, context.Cause(ctx)); err != nil {
			return err
		}
		c.passed(w.start)
		switch it {
		case itemBatch:
			c.report.Batches++
			c.missing(w.batch.first, c.seg.name, w.start)
			c.off = w.start + batchHeader
		case itemRecord:
			c.report.Records++
			c.off = w.start + int64(padded(w.rec.size))
			if w.rec.kind == typeMessage {
				c.report.Messages++
				c.missing(w.rec.seq, c.seg.name, w.start)
				c.expect, c.open = w.rec.seq+1, len(c.report.Damage)
			}
		case itemEnd:
		}
		c.report.Bytes += c.off - w.start
	}
	c.passed(c.seg.end)
	return nil
}

// passed notes that what lies between off and at is not whole.
func (c *checker) passed(at int64) {
	if at > c.off {
		c.damage(c.seg.name, c.off, at-c.off, nil)
		c.off = at
	}
}

// missing notes that the seqs from the next one to seq, but without it, are not where they should be: by the damage
// just before, or if there is none, they are missing without a trace.
func (c *checker) missing(seq uint64, path string, off int64) {
	gap := ranges.Range{From: c.expect, To: seq}
	damaged := c.open
	c.expect, c.open = max(c.expect, seq), len(c.report.Damage)
	if gap.Len() == 0 {
		return
	}
	lost := slices.Collect(c.s.st.void.Gaps(gap.From, gap.To)) // the others were never stored, or are known as lost
	if damaged < len(c.report.Damage) {
		c.report.Damage[damaged].add(lost, c.s.st)
		return
	}
	var live []ranges.Range // what is settled may be missing: seqs that were never stored are not remembered for ever
	for _, r := range lost {
		live = append(live, c.s.st.live(r)...)
	}
	if len(live) > 0 {
		c.damage(path, off, 0, live)
		c.open = len(c.report.Damage)
	}
}

func (d *Damage) add(lost []ranges.Range, st *state) {
	for _, r := range lost {
		d.Seqs = append(d.Seqs, Range(r))
	}
	d.Live += st.lives(lost)
}

func (c *checker) damage(path string, off, size int64, seqs []ranges.Range) {
	d := Damage{Path: path, Off: off, Size: size}
	d.add(seqs, c.s.st)
	c.report.Damage = append(c.report.Damage, d)
}

// places looks for the dead letters, and for the messages that were moved, where the state says they are.
func (c *checker) places() error {
	for seq, at := range sortedPlaces(c.s.st.dead) {
		rec, err := c.s.record(at.place, typeDead, seq)
		if err != nil {
			return err
		}
		if rec == nil || rec.dead() == nil {
			c.lostAt(seq, at, true)
		}
	}
	for seq, at := range sortedPlaces(c.s.st.copies) {
		rec, err := c.s.record(at.place, typeCopy, seq)
		if err != nil {
			return err
		}
		if rec == nil && len(c.s.st.live(ranges.Range{From: seq, To: seq + 1})) > 0 {
			c.lostAt(seq, at, false)
		}
	}
	return nil
}

// lostAt notes a seq as lost by the damage where it stands.
func (c *checker) lostAt(seq uint64, at sizedPlace, dead bool) {
	path := fmt.Sprintf("%016x-*%s", at.segment, segmentSuffix)
	for _, seg := range c.s.segs {
		if seg.number == at.segment {
			path = seg.name
		}
	}
	lost := []ranges.Range{{From: seq, To: seq + 1}}
	unknown := at.segment == 0 // a dead letter whose record is in some damaged place
	if unknown {
		path = c.seg.name
	}
	i := slices.IndexFunc(c.report.Damage, func(d Damage) bool {
		here := d.Path == path && d.Off <= at.off && at.off < d.Off+d.Size
		return len(d.Seqs) == 0 && (here || unknown && d.Size > 0)
	})
	if i < 0 {
		i = len(c.report.Damage)
		c.damage(path, at.off, int64(at.size), nil)
	}
	c.report.Damage[i].add(lost, c.s.st)
	c.report.Damage[i].Dead = dead
}

// sortedPlaces yields places by seq.
func sortedPlaces(m map[uint64]sizedPlace) func(func(uint64, sizedPlace) bool) {
	return func(yield func(uint64, sizedPlace) bool) {
		for _, seq := range slices.Sorted(maps.Keys(m)) {
			if !yield(seq, m[seq]) {
				return
			}
		}
	}
}
