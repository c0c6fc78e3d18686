// Package prefix finds the subscriptions that a topic matches: those that are a prefix of it.
//
// It is a radix tree, so that a look-up costs at most the length of the topic, however many subscriptions there are,
// and no recursion depends on what a peer sends. What a look-up costs in a large tree is not the bytes it compares
// but the memory it touches that no cache of the processor holds, so the tree is made to be small:
//
//   - A node takes 16 bytes and holds no pointers. The children of a node lie side by side, in a table that is
//     indexed by the first byte of their labels; see table.go. So each level of the tree costs one line of the cache,
//     and labels of more than five bytes another.
//   - Leaves that differ in a single byte, as numbers do, take no nodes but one byte each, or five; see bunch.go.
//   - Everything lies in a few large chunks, which the garbage collector does not have to look into; see arena.go.
//
// A hundred thousand numbered topics take 12 to 20 bytes each. Matching all of them in turn takes two to four times
// as long a message as with ten, which is not much beside the rest of what a publisher does. Topics that are random
// to the end take 60 bytes and three cache misses.
package prefix

// A Tree maps byte strings to sets of values. The zero Tree is empty. It is not safe for concurrent use, but for
// calls of Match, Count, All and Len at once. It holds up to 2³¹ nodes and 16 GiB of labels.
type Tree[V comparable] struct {
	radix radix
	sets  sets[V]
	size  int
}

// Len is the number of (prefix, value) pairs.
func (t *Tree[V]) Len() int { return t.size }

// Add adds v to the set at prefix. It returns false if it was there.
func (t *Tree[V]) Add(prefix string, v V) bool {
	way, rest, found := t.radix.find([]byte(prefix))
	was := uint32(none)
	if found {
		was = t.radix.set(way)
	}
	set, added := t.sets.add(was, v)
	switch {
	case !added:
		return false
	case !found:
		t.radix.enter(way.at, prefix[len(prefix)-rest:], set)
	case set != was:
		t.radix.replace(way, set)
	}
	t.size++
	return true
}

// Remove takes v out of the set at prefix. It returns false if it was not there. Once in a while it tidies up, which
// takes time in proportion to what is left.
func (t *Tree[V]) Remove(prefix string, v V) bool {
	removed := t.Drop(prefix, v)
	if removed {
		t.compact()
	}
	return removed
}

// Drop is Remove but for the tidying up. It is for those who cannot wait for that; see Untidy.
func (t *Tree[V]) Drop(prefix string, v V) bool {
	way, _, found := t.radix.find([]byte(prefix))
	if !found {
		return false
	}
	was := t.radix.set(way)
	set, removed := t.sets.remove(was, v)
	if !removed {
		return false
	}
	switch t.size--; {
	case t.size == 0:
		*t = Tree[V]{}
	case set == none:
		t.radix.leave(way)
	case set != was:
		t.radix.replace(way, set)
	}
	return true
}

// Untidy tells whether most of the memory is not in use, so that it would be less in a new Tree.
func (t *Tree[V]) Untidy() bool {
	return t.radix.nodes.wasteful() || t.radix.texts.wasteful() || t.sets.large.wasteful()
}

// Count is the number of values in the set at prefix.
func (t *Tree[V]) Count(prefix string) int {
	way, _, found := t.radix.find([]byte(prefix))
	if !found {
		return 0
	}
	return len(t.sets.of(t.radix.set(way)))
}

// Match calls visit with each set at a prefix of topic, the shortest first, until visit returns false.
func (t *Tree[V]) Match(topic []byte, visit func(values []V) bool) {
	if t.size == 0 {
		return
	}
	r := &t.radix
	for n := r.node(root); n != nil; {
		if n.set != none && !visit(t.sets.of(n.set)) || n.kids == 0 || len(topic) == 0 {
			return
		}
		if n.bunched() {
			set, others, known := r.leaf(n, topic)
			if known {
				if set != none {
					visit(t.sets.of(set))
				}
				return
			}
			n = r.node(others)
		}
		_, n, topic = r.child(n, topic)
	}
}

// All calls visit with each prefix that has a value, in no particular order.
func (t *Tree[V]) All(visit func(prefix string, values []V)) {
	if t.size == 0 {
		return
	}
	type place struct {
		n    *node
		path string
	}
	todo := []place{{t.radix.node(root), ""}}
	for len(todo) > 0 {
		n, path := todo[len(todo)-1].n, todo[len(todo)-1].path
		todo = todo[:len(todo)-1]
		if n.set != none {
			visit(path, t.sets.of(n.set))
		}
		if n.bunched() {
			b := t.radix.bunch(n)
			for i := range b.first {
				visit(path+b.label(i), t.sets.of(b.set(i)))
			}
			n = t.radix.node(b.others())
		}
		table := t.radix.table(n)
		for i := range table {
			if c := &table[i]; !c.free() {
				todo = append(todo, place{c, path + t.radix.label(c)})
			}
		}
	}
}
