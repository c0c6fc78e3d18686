package prefix

import (
	"fmt"
	"strings"
	"testing"
)

// Leaves that differ in their first byte only are kept together, in all the ways they come and go.
func TestBunch(t *testing.T) {
	numbers := func(text string) (words []string) {
		for i := range 6 {
			words = append(words, fmt.Sprint("n", i, text))
		}
		return words
	}
	const plain, two = "[n[0+ 1+ 2+ 3+ 4+ 5+]]", "[n[0++ 1++ 2++ 3++ 4++ 5++]]"
	for _, c := range []struct {
		name   string
		words  []string
		change func(tree *Tree[int], m model)
		want   string
	}{
		{"four do not fill more than a line", numbers("")[:4], nil, "[n[0* 1* 2* 3*]]"},
		{"five do", numbers("")[:5], nil, "[n[0+ 1+ 2+ 3+ 4+]]"},
		{"with the same text behind them", numbers("/temp"), nil, "[n[0/temp+ 1/temp+ 2/temp+ 3/temp+ 4/temp+ 5/temp+]]"},
		{"at the root", []string{"a", "b", "c", "d", "e"}, nil, "[a+ b+ c+ d+ e+]"},
		{"most of them", append([]string{"nx", "ny/"}, numbers("/")...), nil, "[n[0/+ 1/+ 2/+ 3/+ 4/+ 5/+ x* y/+]]"},
		{"no more than half", []string{"n1/", "n2/", "n3", "n4", "n5."}, nil, "[n[1/* 2/* 3* 4* 5.*]]"},
		{"no leaves", []string{"n1", "n1/", "n2", "n2/", "n3", "n3/", "n4", "n5"}, nil, "[n[1*[/*] 2*[/*] 3*[/*] 4* 5*]]"},
		{"another text", append(numbers(""), "nx/"), nil, "[n[0+ 1+ 2+ 3+ 4+ 5+ x/*]]"},
		{"the same first byte beside it", append(numbers(""), "nx/", "nx"), nil, "[n[0+ 1+ 2+ 3+ 4+ 5+ x*[/*]]]"},
		{"a value of the node itself", append(numbers(""), "n"), nil, "[n*[0+ 1+ 2+ 3+ 4+ 5+]]"},
		{"one goes on", append(numbers(""), "n3x"), nil, "[n[0+ 1+ 2+ 3*[x*] 4+ 5+]]"},
		{"all go on", append(numbers(""), numbers("x")...), nil, "[n[0*[x*] 1*[x*] 2*[x*] 3*[x*] 4*[x*] 5*[x*]]]"},
		{"one ends earlier", append(numbers("/t"), "n3/"), nil, "[n[0/t+ 1/t+ 2/t+ 3/*[t*] 4/t+ 5/t+]]"},
		{"another value for one", numbers(""), func(tree *Tree[int], m model) {
			tree.Add("n2", 1)
			m.add("n2", 1)
		}, two},
		{"another value for one, and it goes again", numbers(""), func(tree *Tree[int], m model) {
			tree.Add("n2", 1)
			tree.Remove("n2", 1)
		}, two},
		{"another value instead", numbers(""), func(tree *Tree[int], m model) {
			tree.Remove("n2", 0)
			m.remove("n2", 0)
			tree.Add("n2", 1)
			m.add("n2", 1)
		}, two},
		{"one goes and comes back", numbers(""), func(tree *Tree[int], m model) {
			tree.Remove("n2", 0)
			tree.Add("n2", 0)
		}, plain},
		{"all but one go", numbers("/temp"), func(tree *Tree[int], m model) {
			for _, w := range numbers("/temp")[1:] {
				tree.Remove(w, 0)
				m.remove(w, 0)
			}
		}, "[n0/temp*]"},
		{"all go and leave another child", append(numbers(""), "nx/"), func(tree *Tree[int], m model) {
			for _, w := range numbers("") {
				tree.Remove(w, 0)
				m.remove(w, 0)
			}
		}, "[nx/*]"},
		{"all go and leave a value", append(numbers(""), "n"), func(tree *Tree[int], m model) {
			for _, w := range numbers("") {
				tree.Remove(w, 0)
				m.remove(w, 0)
			}
		}, "[n*]"},
		{"the other child goes", append(numbers(""), "nx/"), func(tree *Tree[int], m model) {
			tree.Remove("nx/", 0)
			m.remove("nx/", 0)
		}, plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, m := new(Tree[int]), make(model)
			for _, w := range c.words {
				tree.Add(w, 0)
				m.add(w, 0)
				checkShape(t, tree)
			}
			if c.change != nil {
				c.change(tree, m)
				checkShape(t, tree)
			}
			if got := draw(tree); got != c.want {
				t.Errorf("the tree is %s, want %s", got, c.want)
			}
			checkAll(t, tree, m)
			for _, w := range append(c.words, "", "n", "n3", "n3/t", "n3/temp/", "nxx", "ny", "nz") {
				checkMatch(t, tree, m, []byte(w))
				checkMatch(t, tree, m, []byte(w+"/more"))
			}
		})
	}
}

// Of all lengths of the common text and all numbers of leaves, the leaves are where they should be.
func TestBunchSizes(t *testing.T) {
	for _, size := range []int{0, 1, 4, 5, 54, 55, 254, 255} {
		for _, values := range []int{1, 2} {
			t.Run(fmt.Sprint(size, " bytes of text, values ", values), func(t *testing.T) {
				text := strings.Repeat("t", size)
				tree, m := new(Tree[int]), make(model)
				word := func(i int) string { return string([]byte{'n', byte(i * 7)}) + text }
				for i := range 256 {
					tree.Add(word(i), i%values)
					m.add(word(i), i%values)
					checkShape(t, tree)
				}
				if n := tree.radix.node(root); n.inTable() != 1 || !tree.radix.onlySlot(n).bunched() {
					t.Errorf("no bunch in %.200s", draw(tree))
				}
				checkAll(t, tree, m)
				for i := range 256 {
					if !tree.Remove(word(i), i%values) || !m.remove(word(i), i%values) {
						t.Fatalf("%.80q is gone", word(i))
					}
					checkShape(t, tree)
					for k := i % 8; k < 256; k += 8 {
						checkCount(t, tree, word(k), min(1, max(0, k-i)))
					}
				}
			})
		}
	}
}
