package prefix

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func TestMatch(t *testing.T) {
	long := strings.Repeat("x", 1024)
	for _, c := range []struct {
		name  string
		words []string // values are positions
		topic string
		want  [][]int
	}{
		{"empty tree", nil, "a", [][]int{}},
		{"empty tree, empty topic", nil, "", [][]int{}},
		{"empty prefix matches everything", []string{""}, "a", [][]int{{0}}},
		{"empty prefix matches the empty topic", []string{""}, "", [][]int{{0}}},
		{"equal", []string{"abc"}, "abc", [][]int{{0}}},
		{"longer topic", []string{"abc"}, "abcd", [][]int{{0}}},
		{"shorter topic", []string{"abc"}, "ab", [][]int{}},
		{"other topic", []string{"abc"}, "abd", [][]int{}},
		{"differs in the first byte", []string{"abc"}, "bbc", [][]int{}},
		{"shortest first, whatever the order of adding", []string{"abc", "", "ab", "a"}, "abcd", [][]int{{1}, {3}, {2}, {0}}},
		{"only the branch that fits", []string{"ab", "ac", "a", "b"}, "ac", [][]int{{2}, {1}}},
		{"ends inside a label", []string{"a", "abcdef"}, "abc", [][]int{{0}}},
		{"the split node has no values", []string{"abx", "aby"}, "ab", [][]int{}},
		{"below a split node", []string{"abx", "aby"}, "abyz", [][]int{{1}}},
		{"zero bytes", []string{"\x00", "\x00\x00", "\x00\xff"}, "\x00\x00\x00", [][]int{{0}, {1}}},
		{"high bytes", []string{"\xff", "\xfe", "\xff\xff"}, "\xff\xff", [][]int{{0}, {2}}},
		{"not UTF-8 aware", []string{"\xc3"}, "é", [][]int{{0}}},
		{"1,024 bytes", []string{long, long[:1023], long[:1]}, long, [][]int{{2}, {1}, {0}}},
		{"one byte short of 1,024", []string{long}, long[:1023], [][]int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := topics(c.words...)
			checkShape(t, tree)
			if got := matches(tree, []byte(c.topic)); !equalVisits(got, c.want) {
				t.Errorf("visits %v, want %v", got, c.want)
			}
			if tree.Len() != len(c.words) {
				t.Errorf("Len is %d, want %d", tree.Len(), len(c.words))
			}
		})
	}
}

func TestMatchStopsEarly(t *testing.T) {
	tree := topics("", "a", "ab", "abc")
	for stopAfter := 1; stopAfter <= 4; stopAfter++ {
		visits := 0
		tree.Match([]byte("abcd"), func(values []int) bool {
			if len(values) != 1 || values[0] != visits {
				t.Errorf("visit %d is of %v", visits, values)
			}
			visits++
			return visits < stopAfter
		})
		if visits != stopAfter {
			t.Errorf("%d visits after visit %d returned false", visits, stopAfter)
		}
	}
}

func TestAddTwice(t *testing.T) {
	tree := new(Tree[string])
	for _, c := range []struct {
		prefix, value string
		want          bool
		size          int
	}{
		{"a", "x", true, 1},
		{"a", "x", false, 1},
		{"a", "y", true, 2},
		{"", "x", true, 3},
		{"", "x", false, 3},
		{"ab", "x", true, 4},
		{"a", "y", false, 4},
	} {
		if got := tree.Add(c.prefix, c.value); got != c.want || tree.Len() != c.size {
			t.Errorf("Add(%q, %q) is %t with %d in the tree after it, want %t and %d",
				c.prefix, c.value, got, tree.Len(), c.want, c.size)
		}
	}
}

func TestRemoveWhatIsNotThere(t *testing.T) {
	for _, c := range []struct {
		name   string
		words  []string
		prefix string
		value  int
	}{
		{"from an empty tree", nil, "a", 0},
		{"the empty prefix from an empty tree", nil, "", 0},
		{"the empty prefix from a root with children only", []string{"a"}, "", 0},
		{"another value", []string{"a"}, "a", 1},
		{"a prefix of one that is there", []string{"abc"}, "ab", 0},
		{"one that is longer", []string{"ab"}, "abc", 0},
		{"one that differs inside a label", []string{"abc"}, "axc", 0},
		{"a split node", []string{"abx", "aby"}, "ab", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := topics(c.words...)
			before := draw(tree)
			if tree.Remove(c.prefix, c.value) {
				t.Error("Remove says it was there")
			}
			if after := draw(tree); after != before || tree.Len() != len(c.words) {
				t.Errorf("the tree is %s with Len %d, was %s with %d", after, tree.Len(), before, len(c.words))
			}
		})
	}
}

func TestShape(t *testing.T) {
	for _, c := range []struct {
		name   string
		words  []string
		remove []string
		want   string
	}{
		{"one leaf", []string{"abc"}, nil, "[abc*]"},
		{"split by a shorter one", []string{"abc", "ab"}, nil, "[ab*[c*]]"},
		{"split by a fork", []string{"abc", "abd"}, nil, "[ab[c* d*]]"},
		{"no split by a longer one", []string{"ab", "abc"}, nil, "[ab*[c*]]"},
		{"the last leaf goes", []string{"abc"}, []string{"abc"}, ""},
		{"the root's value goes", []string{"", "a"}, []string{""}, "[a*]"},
		{"a leaf under a value goes", []string{"ab", "abc"}, []string{"abc"}, "[ab*]"},
		{"a value over one child goes", []string{"ab", "abc"}, []string{"ab"}, "[abc*]"},
		{"a value over two children stays as a fork", []string{"a", "ab", "ac"}, []string{"a"}, "[a[b* c*]]"},
		{"a fork of two becomes a leaf", []string{"abc", "abd"}, []string{"abc"}, "[abd*]"},
		{"a fork of two with a value keeps it", []string{"ab", "abc", "abd"}, []string{"abc"}, "[ab*[d*]]"},
		{"a fork of three loses one", []string{"ab", "ac", "ad"}, []string{"ac"}, "[a[b* d*]]"},
		{"the root is never merged", []string{"a", "b"}, []string{"a"}, "[b*]"},
		{"a fork takes over what is below", []string{"ab", "acde", "acdf"}, []string{"ab"}, "[acd[e* f*]]"},
		{"all of a chain, top down", []string{"a", "ab", "abc"}, []string{"a", "ab", "abc"}, ""},
		{"all of a chain, bottom up", []string{"a", "ab", "abc"}, []string{"abc", "ab", "a"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := topics(c.words...)
			value := make(map[string]int)
			for i, w := range c.words {
				value[w] = i
			}
			for _, w := range c.remove {
				if !tree.Remove(w, value[w]) {
					t.Errorf("%q was not there", w)
				}
				checkShape(t, tree)
			}
			if got := draw(tree); got != c.want {
				t.Errorf("the tree is %s, want %s", got, c.want)
			}
			if want := len(c.words) - len(c.remove); tree.Len() != want {
				t.Errorf("Len is %d, want %d", tree.Len(), want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	tree := topics("", "abx", "aby", "aby", "abyz")
	for _, c := range []struct {
		name, prefix string
		want         int
	}{
		{"the empty prefix", "", 1},
		{"one value", "abx", 1},
		{"two values", "aby", 2},
		{"a leaf below", "abyz", 1},
		{"a node without values", "ab", 0},
		{"inside a label", "a", 0},
		{"longer than any", "abyzz", 0},
		{"another first byte", "b", 0},
	} {
		t.Run(c.name, func(t *testing.T) { checkCount(t, tree, c.prefix, c.want) })
	}
}

// A node keeps its place when only some of its values go.
func TestManyValues(t *testing.T) {
	tree := new(Tree[int])
	m := make(model)
	for v := range 50 {
		tree.Add("topic", v)
		m.add("topic", v)
	}
	for _, v := range rand.New(rand.NewPCG(1, 2)).Perm(50) {
		if !tree.Remove("topic", v) || !m.remove("topic", v) {
			t.Fatalf("value %d was not there", v)
		}
		checkMatch(t, tree, m, []byte("topic and more"))
		checkShape(t, tree)
	}
}

// All first bytes there are, in any order: as leaves that are alike and as others.
func TestWideNodes(t *testing.T) {
	for name, text := range map[string]func(b int) string{
		"alike":     func(int) string { return "" },
		"different": func(b int) string { return fmt.Sprint(b) },
	} {
		t.Run(name, func(t *testing.T) {
			tree := new(Tree[int])
			m := make(model)
			word := func(b int) string { return string([]byte{'t', byte(b)}) + text(b) }
			for i, b := range rand.New(rand.NewPCG(3, 4)).Perm(256) {
				tree.Add(word(b), b)
				m.add(word(b), b)
				checkShape(t, tree)
				for probe := i % 16; probe < 256; probe += 16 {
					checkMatch(t, tree, m, []byte(word(probe)+"x"))
				}
			}
			checkAll(t, tree, m)
			for _, b := range rand.New(rand.NewPCG(5, 6)).Perm(256) {
				if !tree.Remove(word(b), b) {
					t.Fatalf("%q is gone", word(b))
				}
				checkShape(t, tree)
			}
		})
	}
}

// Match may run in many goroutines at once; the race detector sees what it writes.
func TestMatchAtOnce(t *testing.T) {
	tree := topics("", "a", "ab", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "long text 1", "long text 2")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, topic := range []string{"", "abc", "n4", "n8", "long text 2"} {
				visits := 0
				tree.Match([]byte(topic), func([]int) bool { visits++; return true })
				if want := len(matches(tree, []byte(topic))); visits != want || visits == 0 {
					t.Errorf("%d visits for %q, then %d", visits, topic, want)
				}
			}
		})
	}
	all.Wait()
}

// A tree is deep only where the subscriptions are: nothing recurses over what a peer sends.
func TestDeepChain(t *testing.T) {
	tree := new(Tree[int])
	long := strings.Repeat("ab", 50_000)
	for n := 1; n <= len(long); n += 100 {
		tree.Add(long[:n], n)
	}
	visits := 0
	tree.Match([]byte(long), func(values []int) bool {
		if want := 1 + 100*visits; values[0] != want {
			t.Fatalf("visit %d is of length %d, want %d", visits, values[0], want)
		}
		visits++
		return true
	})
	if visits != tree.Len() {
		t.Errorf("%d visits, want %d", visits, tree.Len())
	}
}

// The tree does what a set of pairs does, through random operations.
func TestAgainstModel(t *testing.T) {
	for name, draw := range map[string]func(r *rand.Rand, known []string) string{
		"all kinds": randomPrefix,
		"numbers":   randomNumber,
	} {
		for seed := range uint64(25) {
			t.Run(fmt.Sprint(name, "/seed ", seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 17))
				tree, m := new(Tree[int]), make(model)
				var known []string // all prefixes met, some of them no longer in the tree
				shrinking := false
				for step := range 400 {
					if step%100 == 0 {
						shrinking = r.IntN(2) == 0 // long spells of mostly adding and of mostly removing
					}
					p, v := draw(r, known), r.IntN(1+int(seed%3))
					known = append(known, p)
					if r.IntN(10) < 3 == shrinking {
						if got, want := tree.Add(p, v), m.add(p, v); got != want {
							t.Fatalf("step %d: Add(%.80q, %d) is %t, want %t", step, p, v, got, want)
						}
					} else {
						if got, want := tree.Remove(p, v), m.remove(p, v); got != want {
							t.Fatalf("step %d: Remove(%.80q, %d) is %t, want %t", step, p, v, got, want)
						}
					}
					checkShape(t, tree)
					if tree.Len() != len(m) {
						t.Fatalf("step %d: Len is %d, want %d", step, tree.Len(), len(m))
					}
					checkMatch(t, tree, m, []byte(draw(r, known)+draw(r, known)))
					q := draw(r, known)
					checkCount(t, tree, q, m.count(q))
				}
				checkAll(t, tree, m)
				for p := range m {
					if !tree.Remove(p.prefix, p.value) {
						t.Fatalf("%.80q, %d is not there at the end", p.prefix, p.value)
					}
					checkShape(t, tree)
				}
				if tree.Len() != 0 {
					t.Errorf("%d pairs are left in an empty tree", tree.Len())
				}
			})
		}
	}
}

// randomPrefix draws from what makes a radix tree work: few letters, prefixes and extensions of what is there, binary
// bytes, nothing at all, and long ones.
func randomPrefix(r *rand.Rand, all []string) string {
	var known string
	if len(all) > 0 {
		known = all[r.IntN(len(all))]
	}
	switch r.IntN(8) {
	case 0:
		return ""
	case 1:
		return known
	case 2:
		return known[:r.IntN(len(known)+1)]
	case 3:
		return clip(known + letters(r, 1+r.IntN(4)))
	case 4:
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return string(b)
	case 5:
		return clip(strings.Repeat(letters(r, 1+r.IntN(3)), 1024))
	}
	return letters(r, r.IntN(6))
}

// randomNumber draws what differs in one byte from much else: whole bunches of leaves, and what takes one out of them.
func randomNumber(r *rand.Rand, _ []string) string {
	p := []string{"", "n/", strings.Repeat("n", 300)}[r.IntN(3)]
	if r.IntN(20) == 0 {
		return p
	}
	p += string([]byte{byte('0' + r.IntN(1+r.IntN(30)))})
	p += []string{"", "", "", "/temp", "/a longer text", strings.Repeat("z", 250)}[r.IntN(6)]
	if r.IntN(10) == 0 {
		p += letters(r, 1)
	}
	return p
}

func letters(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "ab\x00\xff"[r.IntN(4)]
	}
	return string(b)
}

func clip(s string) string { return s[:min(len(s), 1024)] }
