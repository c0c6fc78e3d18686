package prefix

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// A model is the same as a Tree[int] in the plainest way: a set of pairs.
type model map[pair]bool

type pair struct {
	prefix string
	value  int
}

func (m model) add(prefix string, v int) bool {
	was := m[pair{prefix, v}]
	m[pair{prefix, v}] = true
	return !was
}

func (m model) remove(prefix string, v int) bool {
	was := m[pair{prefix, v}]
	delete(m, pair{prefix, v})
	return was
}

// sets lists the set at each prefix that fits, by prefix.
func (m model) sets(fits func(prefix string) bool) map[string][]int {
	sets := make(map[string][]int)
	for p := range m {
		if fits(p.prefix) {
			sets[p.prefix] = append(sets[p.prefix], p.value)
		}
	}
	for _, s := range sets {
		slices.Sort(s)
	}
	return sets
}

// match is what Match should visit, in order.
func (m model) match(topic []byte) [][]int {
	sets := m.sets(func(p string) bool { return bytes.HasPrefix(topic, []byte(p)) })
	byLength := func(a, b string) int { return len(a) - len(b) } // of the prefixes of one topic no two are equally long
	visits := make([][]int, 0, len(sets))
	for _, p := range slices.SortedFunc(maps.Keys(sets), byLength) {
		visits = append(visits, sets[p])
	}
	return visits
}

// matches is what Match does visit, each set sorted.
func matches(tree *Tree[int], topic []byte) [][]int {
	visits := make([][]int, 0)
	tree.Match(topic, func(values []int) bool {
		visits = append(visits, slices.Sorted(slices.Values(values)))
		return true
	})
	return visits
}

func equalVisits(a, b [][]int) bool { return slices.EqualFunc(a, b, slices.Equal[[]int]) }

// checkMatch compares the tree's answer for one topic with the model's.
func checkMatch(t *testing.T, tree *Tree[int], m model, topic []byte) {
	t.Helper()
	if got, want := matches(tree, topic), m.match(topic); !equalVisits(got, want) {
		t.Fatalf("Match(%.80q) visits %v, want %v", topic, got, want)
	}
}

// checkAll compares everything in the tree with everything in the model.
func checkAll(t *testing.T, tree *Tree[int], m model) {
	t.Helper()
	if tree.Len() != len(m) {
		t.Fatalf("Len is %d, want %d", tree.Len(), len(m))
	}
	got := make(map[string][]int)
	tree.All(func(prefix string, values []int) {
		if _, twice := got[prefix]; twice {
			t.Fatalf("All visits %.80q twice", prefix)
		}
		got[prefix] = slices.Sorted(slices.Values(values))
	})
	want := m.sets(func(string) bool { return true })
	if !maps.EqualFunc(got, want, slices.Equal[[]int]) {
		t.Fatalf("All visits %.200v, want %.200v", got, want)
	}
	for p, values := range want {
		checkCount(t, tree, p, len(values))
	}
}

func checkCount(t *testing.T, tree *Tree[int], prefix string, want int) {
	t.Helper()
	if got := tree.Count(prefix); got != want {
		t.Fatalf("Count(%.80q) is %d, want %d", prefix, got, want)
	}
}

// count is the number of values at one prefix.
func (m model) count(prefix string) int {
	return len(m.sets(func(p string) bool { return p == prefix })[prefix])
}

// checkShape checks what the tree promises about itself: no node but the root is there for nothing, and each child is
// found by its first byte.
func checkShape(t *testing.T, tree *Tree[int]) {
	t.Helper()
	pairs := 0
	var walk func(n *node[int], path string)
	walk = func(n *node[int], path string) {
		pairs += len(n.values)
		if n != &tree.root {
			switch {
			case n.label == "":
				t.Fatalf("a node without a label under %.80q", path)
			case len(n.values) == 0 && len(n.child) < 2:
				t.Fatalf("the node at %.80q has no value and %d children; it should be gone or merged", path, len(n.child))
			}
		}
		if len(n.first) != len(n.child) {
			t.Fatalf("%d first bytes and %d children at %.80q", len(n.first), len(n.child), path)
		}
		for i, c := range n.child {
			if c.label[0] != n.first[i] || i > 0 && n.first[i-1] >= n.first[i] {
				t.Fatalf("first bytes % x out of order or not those of the children at %.80q", n.first, path)
			}
			walk(c, path+c.label)
		}
	}
	walk(&tree.root, "")
	if pairs != tree.Len() {
		t.Fatalf("Len is %d with %d pairs in the tree", tree.Len(), pairs)
	}
}

// nodes counts the tree's nodes, the root included.
func nodes(n *node[int]) int {
	total := 1
	for _, c := range n.child {
		total += nodes(c)
	}
	return total
}

// topics makes a tree of the words, each with its position as the value.
func topics(words ...string) *Tree[int] {
	tree := new(Tree[int])
	for i, w := range words {
		tree.Add(w, i)
	}
	return tree
}

// draw renders the shape of a tree, as in "a*[b c*]": a star for a node with values, brackets around children.
func draw(n *node[int]) string {
	var b strings.Builder
	b.WriteString(n.label)
	if len(n.values) > 0 {
		b.WriteByte('*')
	}
	if len(n.child) > 0 {
		words := make([]string, len(n.child))
		for i, c := range n.child {
			words[i] = draw(c)
		}
		fmt.Fprintf(&b, "%v", words)
	}
	return b.String()
}
