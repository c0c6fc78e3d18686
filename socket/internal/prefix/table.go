package prefix

import "math/bits"

// A table has 1, 2, 4 … 256 slots for the children of one node. A child is in the slot that the last bits of its first
// byte tell or, where that is taken, in the next one that is free. So digits are never in each other's way in 16 slots,
// nor letters of one case in 32, and whatever a peer subscribes to, a search ends within the 4 KiB of 256 slots.

// most is how many children go into a table: all of a short one and of one with a slot for each byte, else seven of
// eight.
func most(mask uint8) int {
	if mask == 255 {
		return 256
	}
	return int(mask) + 1 - (int(mask)+1)/8
}

// table returns the table of n, which has no bunch. It is valid until a block is taken from the nodes.
func (r *radix) table(n *node) []node {
	if n.kids == nowhere {
		return nil
	}
	return r.nodes.block(int(n.kids), tableBits(n.mask))
}

func tableBits(mask uint8) uint8 { return uint8(bits.Len8(mask)) }

// inTable is the number of children in the table of n, which has no bunch.
func (n *node) inTable() int {
	if n.kids == nowhere {
		return 0
	}
	return int(n.more) + 1
}

// search returns the child in the table of n whose label begins with b, and where it is; nil if there is none.
func (r *radix) search(n *node, b byte) (at uint32, c *node) {
	if n.kids == nowhere {
		return nowhere, nil
	}
	chunk := r.nodes.chunks[n.kids>>chunkBits]
	for i, left := b&n.mask, n.mask; ; i, left = (i+1)&n.mask, left-1 {
		at = n.kids + uint32(i)
		c = &chunk[at&chunkMask]
		switch {
		case c.first == b && !c.free():
			return at, c
		case c.free(), left == 0:
			return nowhere, nil
		}
	}
}

// insert adds a child to the table of the node at a place, and returns where it is now. No other begins with the same
// byte.
func (r *radix) insert(at uint32, c node) uint32 {
	n := r.node(at)
	have := n.inTable()
	switch {
	case have == 0:
		r.resize(at, 0)
	case have == most(n.mask):
		r.resize(at, n.mask<<1|1)
	}
	n = r.node(at)
	n.more = uint8(have)
	return n.kids + uint32(put(r.table(n), c))
}

// put puts a child into a table that has room for it.
func put(table []node, c node) (slot int) {
	mask := len(table) - 1
	for slot = int(c.first) & mask; !table[slot].free(); slot = (slot + 1) & mask {
	}
	table[slot] = c
	return slot
}

// remove takes a child out of the table of the node at a place.
func (r *radix) remove(at, child uint32) {
	n := r.node(at)
	table, have := r.table(n), n.inTable()-1
	if have == 0 {
		r.nodes.give(int(n.kids), tableBits(n.mask))
		n.kids, n.mask, n.more = nowhere, 0, 0
		return
	}
	n.more = uint8(have - 1)
	mask, hole := len(table)-1, int(child-n.kids)
	table[hole] = node{}
	for i := (hole + 1) & mask; !table[i].free(); i = (i + 1) & mask {
		// What stands further from where it belongs than from the hole moves into that.
		if home := int(table[i].first) & mask; (i-home)&mask >= (i-hole)&mask {
			table[hole], table[i] = table[i], node{}
			hole = i
		}
	}
	if have <= len(table)/4 {
		r.resize(at, n.mask>>1)
	}
}

// resize moves the children of the node at a place to a table of another length.
func (r *radix) resize(at uint32, mask uint8) {
	place := r.nodes.take(tableBits(mask))
	n := r.node(at)
	from, to := r.table(n), r.nodes.block(place, tableBits(mask))
	for _, c := range from {
		if !c.free() {
			put(to, c)
		}
	}
	if from != nil {
		r.nodes.give(int(n.kids), tableBits(n.mask))
	}
	n.kids, n.mask = uint32(place), mask
}
