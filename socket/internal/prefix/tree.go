// Package prefix finds the subscriptions that a topic matches: those that are a prefix of it. It is a radix tree, so
// that a look-up costs at most the length of the topic, however many subscriptions there are, and no recursion depends
// on what a peer sends.
package prefix

import (
	"slices"
	"sort"
	"strings"
)

// A Tree maps byte strings to sets of values. The zero Tree is empty. It is not safe for concurrent use.
type Tree[V comparable] struct {
	root node[V]
	size int
}

type node[V comparable] struct {
	label  string // the bytes between the parent and this node
	values []V
	first  []byte     // the first byte of each child's label, sorted
	child  []*node[V] // in the same order
}

// Len is the number of (prefix, value) pairs.
func (t *Tree[V]) Len() int { return t.size }

// Add adds v to the set at prefix. It returns false if it was there.
func (t *Tree[V]) Add(prefix string, v V) bool {
	n := &t.root
	for prefix != "" {
		i, ok := n.find(prefix[0])
		if !ok {
			leaf := &node[V]{label: prefix}
			n.insert(i, leaf)
			n = leaf
			break
		}
		c := n.child[i]
		same := common(prefix, c.label)
		if same < len(c.label) { // the child's label is split where the prefix leaves it
			upper := &node[V]{label: c.label[:same]}
			c.label = c.label[same:]
			upper.insert(0, c)
			n.child[i] = upper
			c = upper
		}
		n, prefix = c, prefix[same:]
	}
	if slices.Contains(n.values, v) {
		return false
	}
	n.values = append(n.values, v)
	t.size++
	return true
}

// Remove takes v out of the set at prefix. It returns false if it was not there.
func (t *Tree[V]) Remove(prefix string, v V) bool {
	var above, parent *node[V]
	n := &t.root
	for prefix != "" {
		i, ok := n.find(prefix[0])
		if !ok || !strings.HasPrefix(prefix, n.child[i].label) {
			return false
		}
		above, parent, n = parent, n, n.child[i]
		prefix = prefix[len(n.label):]
	}
	i := slices.Index(n.values, v)
	if i < 0 {
		return false
	}
	n.values = slices.Delete(n.values, i, i+1)
	if len(n.values) == 0 {
		n.values = nil
	}
	t.size--
	t.prune(above, parent, n)
	return true
}

// prune keeps the tree compressed after a removal at n.
func (t *Tree[V]) prune(above, parent, n *node[V]) {
	if parent == nil || len(n.values) > 0 {
		return
	}
	switch len(n.child) {
	case 0:
		i, _ := parent.find(n.label[0])
		parent.first = slices.Delete(parent.first, i, i+1)
		parent.child = slices.Delete(parent.child, i, i+1)
		if above != nil && len(parent.values) == 0 && len(parent.child) == 1 {
			above.merge(parent)
		}
	case 1:
		parent.merge(n)
	}
}

// merge replaces n's child c, which holds nothing but one child, by that child.
func (n *node[V]) merge(c *node[V]) {
	i, _ := n.find(c.label[0])
	only := c.child[0]
	only.label = c.label + only.label
	n.child[i] = only
}

// Count is the number of values in the set at prefix.
func (t *Tree[V]) Count(prefix string) int {
	n := &t.root
	for prefix != "" {
		i, ok := n.find(prefix[0])
		if !ok || !strings.HasPrefix(prefix, n.child[i].label) {
			return 0
		}
		n = n.child[i]
		prefix = prefix[len(n.label):]
	}
	return len(n.values)
}

// Match calls visit with each set at a prefix of topic, the shortest first, until visit returns false.
func (t *Tree[V]) Match(topic []byte, visit func(values []V) bool) {
	n := &t.root
	for {
		if len(n.values) > 0 && !visit(n.values) {
			return
		}
		if len(topic) == 0 {
			return
		}
		i, ok := n.find(topic[0])
		if !ok {
			return
		}
		n = n.child[i]
		if len(n.label) > len(topic) || n.label != string(topic[:len(n.label)]) {
			return
		}
		topic = topic[len(n.label):]
	}
}

// All calls visit with each prefix that has a value, in no particular order.
func (t *Tree[V]) All(visit func(prefix string, values []V)) {
	type place struct {
		n    *node[V]
		path string
	}
	todo := []place{{&t.root, ""}}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if len(p.n.values) > 0 {
			visit(p.path, p.n.values)
		}
		for _, c := range p.n.child {
			todo = append(todo, place{c, p.path + c.label})
		}
	}
}

// find returns where the child whose label starts with b is, or would be.
func (n *node[V]) find(b byte) (int, bool) {
	if len(n.first) <= 8 {
		for i, f := range n.first {
			if f >= b {
				return i, f == b
			}
		}
		return len(n.first), false
	}
	i := sort.Search(len(n.first), func(i int) bool { return n.first[i] >= b })
	return i, i < len(n.first) && n.first[i] == b
}

func (n *node[V]) insert(i int, c *node[V]) {
	n.first = append(n.first, 0)
	copy(n.first[i+1:], n.first[i:])
	n.first[i] = c.label[0]
	n.child = append(n.child, nil)
	copy(n.child[i+1:], n.child[i:])
	n.child[i] = c
}

func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
