package main

// Asked is what became of the requests of one life of the sender. Those whose answers came are in arrived.
type asked struct {
	handed []bits // of each lane: those that a receiver was asked
	safe   []bits // and those of which its answer was safe

	last  []uint64          // on each lane, the last one whose answer the life itself has got
	later map[uint64]uint64 // by lane and number: in which life its answer came by Pending
}

func newAsked(lanes int) *asked {
	return &asked{make([]bits, lanes), make([]bits, lanes), make([]uint64, lanes), make(map[uint64]uint64)}
}

// requests reads what both sides of requests have written down, and judges it.
//
//   - Each request that was accepted has an answer. It has one only, but for what a life had got last when it was
//     killed, which a later one may get again by Pending.
//   - It is handed out once, but for a receiver that was killed before its answer was safe.
func (c *checker) requests(dir string) error {
	for _, l := range c.lives {
		l.asked = newAsked(len(l.last))
	}
	if err := readJournal(journalPath(dir, 0), c.handed); err != nil {
		return err
	}
	c.life = 0
	if err := readJournal(journalPath(dir, sender), c.answered); err != nil {
		return err
	}
	c.missing()
	return nil
}

// handed judges one record of the receiver.
func (c *checker) handed(r record) {
	switch {
	case r.Flags&born != 0:
		c.life++
		c.hand = note{}
		return
	case r.Flags&damaged != 0:
		c.find(wrong, "the receiver in its life %d was asked what was not sent so", c.life)
		return
	case c.unknown(r.note):
		c.find(unasked, "%v was asked", r.note)
		return
	}
	a := c.lives[r.Life].asked
	if r.Flags&replied != 0 {
		a.safe[r.Lane].set(r.N)
		c.hand = note{}
		return
	}
	switch again := a.handed[r.Lane].set(r.N); {
	case a.safe[r.Lane].has(r.N):
		c.find(doubled, "%v was handed out again in life %d, though its answer was safe", r.note, c.life)
	case c.hand == r.note:
		c.find(doubled, "%v was handed out twice in life %d", r.note, c.life)
	case again:
		c.again++
	}
	c.hand = r.note
}

// answered judges one record of the sender.
func (c *checker) answered(r record) {
	switch {
	case r.Flags&born != 0:
		c.life++
		return
	case r.Flags&damaged != 0:
		c.find(wrong, "what came in life %d is not the answer to %v", c.life, r.note)
		return
	}
	c.received++
	if c.unknown(r.note) || !c.lives[r.Life].asked.handed[r.Lane].has(r.N) {
		c.find(unasked, "%v was answered, and was not asked", r.note)
		return
	}
	l := c.lives[r.Life]
	a, key, late := l.asked, uint64(r.Lane)<<48|r.N, r.Flags&pending != 0
	if l.arrived[0].seen[r.Lane].set(r.N) {
		before, was := a.later[key]
		if late && (was && before < uint64(c.life) || !was && a.last[r.Lane] == r.N) {
			c.again++
		} else {
			c.find(doubled, "the answer to %v, in life %d, by Pending: %v", r.note, c.life, late)
		}
	}
	if late {
		a.later[key] = uint64(c.life)
	} else {
		a.last[r.Lane] = r.N
	}
}
