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

// checkShape checks what the tree promises about itself: no node but the root is there for nothing, each child is found
// by its first byte, no two share a place, and the arenas and sets know what is in use.
func checkShape(t *testing.T, tree *Tree[int]) {
	t.Helper()
	if tree.size == 0 {
		if tree.radix.nodes.size+tree.radix.texts.size+tree.sets.large.size+len(tree.sets.single) > 0 {
			t.Fatal("an empty tree keeps memory")
		}
		return
	}
	r := &tree.radix
	pairs, nodes, texts := 0, 2, 0
	sets := make(map[uint32]int)
	var walk func(n *node, path string, others bool)
	walk = func(n *node, path string, others bool) {
		if !others {
			sets[n.set]++
		}
		pairs += len(tree.sets.of(n.set))
		if n.size > inline {
			texts += 1 << textBits(int(n.size))
		}
		if n.bunched() {
			b := r.bunch(n)
			texts += len(b.block)
			for i := range b.first {
				sets[b.set(i)]++
				pairs += len(tree.sets.of(b.set(i)))
				if set, _, known := r.leaf(n, []byte(b.label(i))); set != b.set(i) || set == none || !known ||
					b.index(b.first[i]) != i {
					t.Fatalf("leaf %d of %.80q has set %d, a search says %d", i, path, b.set(i), set)
				}
			}
			if mask := bunchMask(len(b.text), len(b.first), n.mask&own); len(b.first) > b.room() || len(b.first) <= b.room()/4 &&
				mask != n.mask {
				t.Fatalf("%d leaves where there is room for %d", len(b.first), b.room())
			}
			if others := b.others(); others != nowhere {
				o := r.node(others)
				nodes++
				if o.set != none || o.kids == 0 || o.bunched() || o.size > 0 {
					t.Fatalf("beside the bunch at %.80q is %+v", path, *o)
				}
				for _, first := range b.first {
					if _, c := r.search(o, first); c != nil {
						t.Fatalf("two children at %.80q start with %q", path, first)
					}
				}
				walk(o, path, true)
			}
		}
		if !others && n != r.node(root) && n.set == none && n.kids != nowhere && !r.forks(n) &&
			int(n.size)+1+r.onlyText(n) <= maxText {
			t.Fatalf("the node at %.80q has no value and one child; they should be merged", path)
		}
		if n.kids == 0 || n.bunched() {
			return
		}
		table, children := r.table(n), 0
		for i := range table {
			c := &table[i]
			if c.free() {
				if *c != (node{}) {
					t.Fatalf("a free slot under %.80q is not zero", path)
				}
				continue
			}
			children++
			if at, found := r.search(n, c.first); found != c || at != n.kids+uint32(i) {
				t.Fatalf("the child %q of %.80q is not found", r.label(c), path)
			}
			walk(c, path+r.label(c), false)
		}
		nodes += len(table)
		if least := len(table) / 4; children != n.inTable() || children > most(n.mask) || children <= least {
			t.Fatalf("%d children instead of %d in a table of %d at %.80q", children, n.inTable(), len(table), path)
		}
	}
	walk(r.node(root), "", false)
	if pairs != tree.Len() {
		t.Fatalf("Len is %d with %d pairs in the tree", tree.Len(), pairs)
	}
	checkArena(t, "nodes", &r.nodes, nodes)
	checkArena(t, "texts", &r.texts, texts)
	checkSets(t, &tree.sets, sets)
}

// checkArena checks that an arena has handed out so much, and that the rest is free.
func checkArena[T any](t *testing.T, what string, a *arena[T], used int) {
	t.Helper()
	size, free := 0, 0
	for _, c := range a.chunks {
		size += len(c)
	}
	for bits, blocks := range a.free {
		free += len(blocks) << bits
	}
	if a.used != used || a.size != size || used+free != size {
		t.Fatalf("%s: %d used, %d free, %d in all; the arena says %d and %d", what, used, free, size, a.used, a.size)
	}
}

// checkSets compares the sets with how often each is at a node.
func checkSets(t *testing.T, s *sets[int], at map[uint32]int) {
	t.Helper()
	large := 0
	for set, n := range at {
		switch {
		case set == none:
		case set >= several:
			large++
			if n != 1 || len(s.of(set)) < 2 {
				t.Fatalf("%d nodes have a set of their own of %v", n, s.of(set))
			}
		case int(s.uses[set-1]) != n || s.numbers[s.single[set-1]] != set:
			t.Fatalf("%d nodes have the value %v alone, %d are counted", n, s.of(set), s.uses[set-1])
		}
	}
	if len(s.numbers) != len(at)-large-min(1, at[none]) || len(s.unused) != len(s.single)-len(s.numbers) {
		t.Fatalf("%d numbers are in use and %d are not, for sets %v", len(s.numbers), len(s.unused), at)
	}
	checkArena(t, "sets", &s.large, large)
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
// Leaves in a bunch have a plus instead of a star, two of them if each has its own set.
func draw(tree *Tree[int]) string {
	if tree.size == 0 {
		return ""
	}
	return drawNode(&tree.radix, tree.radix.node(root), "")
}

func drawNode(r *radix, n *node, label string) string {
	if n.set != none {
		label += "*"
	}
	if n.kids == 0 {
		return label
	}
	var words []string
	if n.bunched() {
		b := r.bunch(n)
		for i := range b.first {
			words = append(words, b.label(i)+strings.Repeat("+", 1+int(n.mask/own)))
		}
		n = r.node(b.others())
	}
	if n.kids == 0 {
		slices.Sort(words)
		return fmt.Sprint(label, words)
	}
	for _, c := range r.table(n) {
		if !c.free() {
			words = append(words, drawNode(r, &c, r.label(&c)))
		}
	}
	slices.Sort(words)
	return fmt.Sprint(label, words)
}
