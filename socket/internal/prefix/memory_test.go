package prefix

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// bytesIn is the memory of a tree that grows with what is in it.
func bytesIn(tree *Tree[int]) int {
	r, s := &tree.radix, &tree.sets
	return r.nodes.size*int(unsafe.Sizeof(node{})) + r.texts.size + s.large.size*int(unsafe.Sizeof([]int{}))
}

// The sizes that the package promises, and so the cache misses of a search.
func TestMemory(t *testing.T) {
	const n = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		word func(i int) string
		most int // bytes a subscription
	}{
		{"numbers", func(i int) string { return fmt.Sprintf("topic/%06d", i) }, 14},
		{"numbers of different lengths", func(i int) string { return fmt.Sprint("topic/", i) }, 14},
		{"numbers and text", func(i int) string { return fmt.Sprintf("room/%d/temp", i) }, 16},
		{"paths", subject, 20},
		{"random numbers", func(int) string { return fmt.Sprintf("%016x", random.Uint64()) }, 60},
		{"long topics", func(i int) string { return fmt.Sprintf("%06d%s%d", i, strings.Repeat("x", 1010), i) }, 1300},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := new(Tree[int])
			for _, i := range random.Perm(n) {
				tree.Add(c.word(i), 0)
			}
			if tree.Len() != n {
				t.Fatalf("Len is %d, want %d", tree.Len(), n)
			}
			if got := bytesIn(tree) / n; got > c.most {
				t.Errorf("%d bytes a subscription, want at most %d", got, c.most)
			}
		})
	}
}

// What is removed gives its memory back, at any time, not only when all is gone.
func TestMemoryShrinks(t *testing.T) {
	const n = 5_000
	tree := new(Tree[int])
	word := func(i int) string { return fmt.Sprintf("%x/and more text/%d", i*i, i%7) }
	for i := range n {
		tree.Add(word(i), 0)
		tree.Add(word(i), i%3) // some have a set of their own
	}
	full := bytesIn(tree)
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for k, i := range order {
		tree.Remove(word(i), 0)
		tree.Remove(word(i), i%3)
		if tree.radix.nodes.wasteful() || tree.radix.texts.wasteful() || tree.sets.large.wasteful() {
			t.Fatalf("with %d left, %+v", n-k-1, tree.radix.nodes.size)
		}
		if left := n - k - 1; left&(left-1) == 0 {
			checkShape(t, tree)
			for _, i := range order[k+1:] {
				if got, want := tree.Count(word(i)), min(i%3, 1)+1; got != want {
					t.Fatalf("with %d left, %q has %d values, want %d", left, word(i), got, want)
				}
			}
		}
		if left := n - k - 1; left == n/16 && bytesIn(tree) > full/4 {
			t.Errorf("%d bytes with a sixteenth of the subscriptions, %d with all", bytesIn(tree), full)
		}
	}
	if tree.Len() != 0 || bytesIn(tree) != 0 {
		t.Errorf("Len is %d, %d bytes", tree.Len(), bytesIn(tree))
	}
}
