package prefix

// child returns the child in the table of n whose label a topic begins with, where it is, and the rest of the topic;
// nil if there is none.
func (r *radix) child(n *node, topic []byte) (at uint32, c *node, rest []byte) {
	at, c = r.search(n, topic[0])
	if c == nil {
		return nowhere, nil, nil
	}
	rest = topic[1:]
	size := int(c.size)
	if size == 0 {
		return at, c, rest
	}
	if size > len(rest) || string(r.text(c)) != string(rest[:size]) {
		return nowhere, nil, nil
	}
	return at, c, rest[size:]
}

// A way leads to a prefix.
type way struct {
	at   uint32 // the node that has it
	leaf int    // or of its bunch the leaf that has it; -1 if it is the node

	fork   uint32 // the last node above that is there for something else as well
	branch uint32 // its child that leads here
}

// find returns the way to a prefix, or to the last node on it and how many bytes come behind that.
func (r *radix) find(prefix []byte) (w way, rest int, found bool) {
	w = way{at: root, leaf: -1}
	if r.nodes.size == 0 {
		return w, len(prefix), false
	}
	for n := r.node(root); len(prefix) > 0; {
		stays := w.at == root || n.set != none || r.forks(n)
		if n.bunched() {
			b := r.bunch(n)
			if w.leaf = b.index(prefix[0]); w.leaf >= 0 {
				return w, len(prefix), string(b.text) == string(prefix[1:])
			}
			n = r.node(b.others())
		}
		at, c, behind := r.child(n, prefix)
		if c == nil {
			return w, len(prefix), false
		}
		if stays {
			w.fork, w.branch = w.at, at
		}
		w.at, n, prefix = at, c, behind
	}
	return w, 0, true
}

// set returns the set at the end of a way.
func (r *radix) set(w way) uint32 {
	n := r.node(w.at)
	if w.leaf < 0 {
		return n.set
	}
	return r.bunch(n).set(w.leaf)
}

// replace puts another set there.
func (r *radix) replace(w way, set uint32) {
	n := r.node(w.at)
	if w.leaf < 0 {
		n.set = set
	} else {
		r.reset(n, w.leaf, set)
	}
}

// forks tells whether n has more than one child.
func (r *radix) forks(n *node) bool {
	return n.kids != nowhere && (n.more > 0 || n.bunched() && r.bunch(n).others() != nowhere)
}

// enter makes the way to a prefix that find did not find, from the node that it came to and for the bytes behind that.
func (r *radix) enter(at uint32, prefix string, set uint32) {
	if r.nodes.size == 0 {
		r.nodes.take(1) // nowhere and the root
	}
	for prefix != "" {
		table := at
		if n := r.node(at); n.bunched() {
			b := r.bunch(n)
			table = b.others()
			if i := b.index(prefix[0]); i >= 0 {
				r.scatter(at, i)
				table = r.others(at)
			}
		}
		i, c := r.search(r.node(table), prefix[0])
		if c == nil {
			if len(prefix) <= maxLabel && r.bunchUp(at, prefix, set) {
				return
			}
			label := prefix[:min(len(prefix), maxLabel)]
			var n node
			r.name(&n, label)
			at, prefix = r.insert(r.needOthers(at), n), prefix[len(label):]
			continue
		}
		text := r.text(c)
		same := common(prefix[1:], text)
		prefix = prefix[1+same:]
		if same < len(text) {
			r.split(i, same)
			if r.tighten(at) { // the upper part of a label may go where all of it did not
				continue
			}
		}
		at = i
	}
	r.node(at).set = set
}

func common(a string, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// split makes two nodes of one, the upper of which has so many bytes of its text.
func (r *radix) split(at uint32, size int) {
	n := r.node(at)
	label, lower := r.label(n), *n
	r.unname(&lower)
	*n = node{}
	r.name(n, label[:1+size])
	r.name(&lower, label[1+size:])
	r.tighten(r.insert(at, lower)) // as above
}

// leave takes away what find found, and the nodes that were only there for it.
func (r *radix) leave(w way) {
	n := r.node(w.at)
	last := n.kids == nowhere
	if w.leaf >= 0 {
		last = n.set == none && !r.forks(n)
	}
	switch {
	case last && w.at != root:
		r.cut(w.branch)
		r.drop(w.fork, w.branch)
		r.tighten(w.fork)
		return
	case w.leaf >= 0:
		r.pluck(n, w.leaf)
	default:
		n.set = none
	}
	r.tighten(w.at)
}

// cut gives back what a node has that leads to a single other one, and so on down to that.
func (r *radix) cut(at uint32) {
	for n := *r.node(at); ; n = r.only(&n) {
		r.unname(&n)
		if n.kids == nowhere {
			return
		}
	}
}

// drop takes a child out of the table of a node, or of the one beside its bunch.
func (r *radix) drop(at, child uint32) {
	others := r.others(at)
	r.remove(others, child)
	if others != at && r.node(others).kids == nowhere {
		r.nodes.give(int(others), 0)
		r.bunch(r.node(at)).setOthers(nowhere)
	}
}

// tighten puts the only child of a node without values in its place, unless the label would be too long.
func (r *radix) tighten(at uint32) bool {
	n := r.node(at)
	if at == root || n.set != none || n.kids == nowhere || r.forks(n) || int(n.size)+1+r.onlyText(n) > maxText {
		return false
	}
	c := r.only(n)
	label := r.label(n) + r.label(&c)
	r.unname(n)
	r.unname(&c)
	*n = c
	r.name(n, label)
	return true
}

// only takes the only child of n away from it.
func (r *radix) only(n *node) (c node) {
	if n.bunched() {
		b := r.bunch(n)
		label := b.label(0)
		c.set = b.set(0)
		r.pluck(n, 0)
		r.name(&c, label)
		return c
	}
	c = *r.onlySlot(n)
	r.nodes.give(int(n.kids), tableBits(n.mask))
	n.kids, n.mask, n.more = nowhere, 0, 0
	return c
}

// onlyText is the length of the label of the only child of n but for its first byte.
func (r *radix) onlyText(n *node) int {
	if n.bunched() {
		return len(r.bunch(n).text)
	}
	return int(r.onlySlot(n).size)
}

// onlySlot returns the only child of n, which has no bunch.
func (r *radix) onlySlot(n *node) *node {
	table, i := r.table(n), 0
	for table[i].free() {
		i++
	}
	return &table[i]
}
