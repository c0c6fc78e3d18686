package prefix

import "slices"

// bunchUp adds a leaf to the bunch of the node at a place, if it fits in. If there is none, but a table that has to
// grow beyond one line of the processor's cache, it is time to make one.
func (r *radix) bunchUp(at uint32, label string, set uint32) bool {
	n := r.node(at)
	if !n.bunched() {
		if have := n.inTable(); have < 4 || have < most(n.mask) || !r.gather(at) {
			return false
		}
		n = r.node(at)
	}
	if string(r.bunch(n).text) != label[1:] {
		return false
	}
	r.join(n, label[0], set)
	return true
}

// gather makes the leaves in the table of the node at a place a bunch, if more than half of the children are leaves
// that can be in one. The node has no bunch yet.
func (r *radix) gather(at uint32) bool {
	n := r.node(at)
	like := r.majority(r.table(n))
	if like == nil {
		return false
	}
	leaves, each := 0, uint8(0)
	for _, c := range r.table(n) {
		if r.alike(&c, like) {
			leaves++
			if c.set != like.set {
				each = own
			}
		}
	}
	if 2*leaves <= n.inTable() {
		return false
	}
	children, model, text := slices.Clone(r.table(n)), *like, slices.Clone(r.text(like))
	r.nodes.give(int(n.kids), tableBits(n.mask))
	n.mask, n.more = bunchMask(len(text), leaves, each), uint8(leaves-1)
	n.kids = bunched + uint32(r.texts.take(n.bunchBits())>>unit)
	block := r.texts.block(n.bunchAt(), n.bunchBits())
	block[textLen] = byte(len(text))
	copy(block[head:], text)
	for _, c := range children {
		switch {
		case c.free():
		case r.alike(&c, &model):
			leaves--
			r.bunch(r.node(at)).put(leaves, c.first, c.set)
			if c != model { // its text is compared with to the end
				r.unname(&c)
			}
		default:
			r.insert(r.needOthers(at), c)
		}
	}
	r.unname(&model)
	return true
}

// majority returns the leaf that most are alike, if one is like more than half of the children in a table.
func (r *radix) majority(table []node) (like *node) {
	votes := 0
	for i := range table {
		switch c := &table[i]; {
		case c.free():
		case votes == 0:
			like, votes = c, 1
		case r.alike(c, like):
			votes++
		default:
			votes--
		}
	}
	if like != nil && like.kids != nowhere {
		return nil
	}
	return like
}

// alike tells whether two children can be in one bunch.
func (r *radix) alike(a, b *node) bool {
	return !a.free() && a.kids == nowhere && b.kids == nowhere && a.size == b.size &&
		string(r.text(a)) == string(r.text(b))
}

// scatter makes a leaf of a bunch a child in the table beside it.
func (r *radix) scatter(at uint32, leaf int) {
	b := r.bunch(r.node(at))
	label, c := b.label(leaf), node{set: b.set(leaf)}
	r.name(&c, label)
	r.insert(r.needOthers(at), c)
	r.pluck(r.node(at), leaf)
}
