package prefix

// compact moves all that is left to new arenas, when most of one is not in use. After that it is not time again
// before half of it was removed, so that moving costs no more than the changes in between.
func (t *Tree[V]) compact() {
	if !t.Untidy() {
		return
	}
	old, large := t.radix, t.sets.large
	t.radix, t.sets.large = radix{}, arena[[]V]{}
	r := &t.radix
	r.nodes.take(1)
	*r.node(root) = *old.node(root)
	for todo := []uint32{root}; len(todo) > 0; { // places of nodes that still refer to the old arenas
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := *r.node(at)
		n.set = t.sets.move(n.set, &large)
		if n.size > inline {
			var to node
			r.name(&to, old.label(&n))
			n.text = to.text
		}
		switch was := n; {
		case n.bunched():
			n.kids = bunched + uint32(r.texts.take(n.bunchBits())>>unit)
			copy(r.texts.block(n.bunchAt(), n.bunchBits()), old.texts.block(was.bunchAt(), was.bunchBits()))
			b := r.bunch(&n)
			for i := range b.distinct() {
				b.put(i, b.first[i], t.sets.move(b.set(i), &large))
			}
			if b.others() != nowhere {
				others := uint32(r.nodes.take(0))
				*r.node(others) = *old.node(b.others())
				b.setOthers(others)
				todo = append(todo, others)
			}
		case n.kids != nowhere:
			n.kids = uint32(r.nodes.take(tableBits(n.mask)))
			copy(r.table(&n), old.table(&was))
			for i, c := range r.table(&n) {
				if !c.free() {
					todo = append(todo, n.kids+uint32(i))
				}
			}
		}
		*r.node(at) = n
	}
}
