package memfs

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
)

// A Policy is a way for a process to end, and says what the next one finds.
type Policy int

// The policies. None of them ever damages what was durable.
const (
	// Kill ends the process alone, as kill -9 does: the next one sees all that this one saw, and what was not synced
	// is still not synced, so that a later cut may lose it.
	Kill Policy = iota
	// Synced ends the machine, and nothing that was not synced got to the medium.
	Synced
	// Sectors ends the machine: of what was not synced a random set of sectors got to the medium, each in one of its
	// versions, each file with one of its sizes, and of the changes of names a random number, from the first on.
	Sectors
	// Garbage is Sectors, and of the sectors that never held anything, in pages that were being written, some hold
	// random bytes or what files that are gone once had there.
	Garbage
)

// Policies are all of them.
var Policies = [...]Policy{Kill, Synced, Sectors, Garbage}

var policyNames = [...]string{"kill", "synced", "sectors", "garbage"}

func (p Policy) String() string { return policyNames[p] }

// Cut ends the process, or the machine, at this moment, and returns the medium as the next process finds it: nobody has
// it locked, nothing is set to fail, and its changes are counted from 1. What is left to chance is drawn from seed, and
// so are the faults of the next life. This FS is not changed.
func (m *FS) Cut(p Policy, seed uint64) *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := New(m.config)
	next.chance = generator(seed, 1)
	next.removed = slices.Clone(m.removed)
	if p == Kill {
		next.inherit(m)
		return next
	}
	chance := generator(seed, 2+uint64(p))
	names := maps.Clone(m.medium)
	if p != Synced {
		for _, c := range m.journal[:some(chance, len(m.journal))] {
			c.apply(names)
		}
	}
	c := cutter{p, chance, m.removed}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		in := c.file(names[name])
		next.names[name] = in
		next.used += in.taken()
	}
	next.medium = maps.Clone(next.names)
	for _, c := range m.journal { // files that were made and got no name have left their blocks behind
		if _, kept := names[c.to]; c.to != "" && !kept {
			next.bury(c.file)
		}
	}
	return next
}

// some is a number from 0 to n, both ends more often than the others.
func some(chance *rand.Rand, n int) int {
	switch chance.IntN(4) {
	case 0:
		return n
	case 1:
		return 0
	}
	return chance.IntN(n + 1)
}

// inherit copies another FS, cache and all.
func (m *FS) inherit(from *FS) {
	copies := make(map[*inode]*inode)
	again := func(in *inode) *inode {
		if in == nil {
			return nil
		}
		if copies[in] == nil {
			copies[in] = in.clone()
		}
		return copies[in]
	}
	for name, in := range from.names {
		m.names[name] = again(in)
	}
	for name, in := range from.medium {
		m.medium[name] = again(in)
	}
	for _, c := range from.journal {
		c.file = again(c.file)
		m.journal = append(m.journal, c)
	}
	for _, in := range m.names {
		m.used += in.taken()
	}
}

func (in *inode) clone() *inode {
	c := *in
	c.handles = 0
	c.sizes, c.have = slices.Clone(in.sizes), slices.Clone(in.have)
	c.cache, c.medium = slices.Clone(in.cache), slices.Clone(in.medium)
	c.dirty = make(map[int64][]*block, len(in.dirty))
	for i, versions := range in.dirty {
		c.dirty[i] = slices.Clone(versions)
	}
	return &c
}

// A cutter makes the files that a machine without power leaves.
type cutter struct {
	policy  Policy
	chance  *rand.Rand
	removed []remains
}

// file returns what is left of a file.
func (c *cutter) file(in *inode) *inode {
	left := &inode{onDisk: in.onDisk, medium: slices.Clone(in.medium), dirty: make(map[int64][]*block)}
	if c.policy != Synced {
		c.arrive(in, left)
	}
	left.size = left.onDisk
	left.cut()
	if rest := left.size % sector; rest != 0 && at(left.medium, left.size/sector) != nil {
		b := *left.medium[left.size/sector] // what lies behind the end reads as zeros, should the file grow again
		clear(b[rest:])
		left.medium[left.size/sector] = &b
	}
	left.cache = slices.Clone(left.medium)
	left.have = make([]bool, sectors(left.size))
	for i := range left.have {
		left.have[i] = i < len(in.have) && in.have[i] || left.medium != nil && at(left.medium, int64(i)) != nil
	}
	return left
}

// arrive moves to the medium what got there by chance.
func (c *cutter) arrive(in, left *inode) {
	dirty := slices.Sorted(maps.Keys(in.dirty))
	all := c.chance.IntN(4) == 0
	lands := c.lands(len(dirty))
	for n, i := range dirty {
		versions := in.dirty[i]
		switch {
		case all:
			set(&left.medium, i, versions[len(versions)-1])
		case lands(n):
			set(&left.medium, i, versions[c.chance.IntN(len(versions))])
		}
	}
	sizes := in.sizes
	switch n := len(sizes); {
	case n == 0:
	case all:
		left.onDisk = sizes[n-1]
	default:
		if k := some(c.chance, n); k > 0 {
			left.onDisk = sizes[k-1]
		}
	}
	if c.policy == Garbage && !all {
		c.litter(dirty, left)
	}
}

// lands decides for each of n sectors whether it got to the medium: those up to one, those from one on, or any.
func (c *cutter) lands(n int) func(int) bool {
	edge, share := c.chance.IntN(n+1), c.chance.Float64()
	switch c.chance.IntN(4) {
	case 0:
		return func(i int) bool { return i < edge }
	case 1:
		return func(i int) bool { return i >= edge }
	}
	return func(int) bool { return c.chance.Float64() < share }
}

// litter fills some of the sectors that never held anything, in the pages of the dirty ones.
func (c *cutter) litter(dirty []int64, left *inode) {
	share, fill := c.chance.Float64(), c.filling()
	last := int64(-1)
	for _, i := range dirty {
		for j := max(i/page*page, last+1); j < (i/page+1)*page; j++ {
			last = j
			if at(left.medium, j) == nil && c.chance.Float64() < share {
				if b := fill(j); b != nil {
					set(&left.medium, j, b)
				}
			}
		}
	}
}

// filling is where the garbage of one file comes from: nowhere, any block of a file that is gone, or the blocks of one
// such file at their old place, as when a file gets the very space that another had.
func (c *cutter) filling() func(int64) *block {
	random := func(int64) *block {
		var b block
		for k := 0; k < len(b); k += 8 {
			binary.LittleEndian.PutUint64(b[k:], c.chance.Uint64())
		}
		return &b
	}
	how := c.chance.IntN(3)
	if how == 0 || len(c.removed) == 0 {
		return random
	}
	gone := c.removed[c.chance.IntN(len(c.removed))]
	if how == 1 {
		return func(i int64) *block { return at(gone, i) }
	}
	return func(int64) *block { return gone[c.chance.IntN(len(gone))] }
}

// remains are the blocks of a file that is gone.
type remains []*block

// maxRemains is how many of them are kept.
const maxRemains = 8

// bury keeps the blocks of a file that is gone.
func (m *FS) bury(in *inode) {
	if len(in.cache) == 0 {
		return
	}
	m.removed = append(slices.Clone(m.removed[max(0, len(m.removed)+1-maxRemains):]), slices.Clone(in.cache))
}
