package subject

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTree(t *testing.T) {
	var tree Tree[string]
	for who, pattern := range map[string]string{
		"exact": "orders.eu", "one": "orders.*", "more": "orders.>", "rest": "orders.#", "all": "#", "deep": "*.*.created",
	} {
		if added, err := tree.Add(pattern, who); !added || err != nil {
			t.Fatalf("%s: %t, %v", pattern, added, err)
		}
		if added, err := tree.Add(pattern, who); added || err != nil {
			t.Fatalf("%s again: %t, %v", pattern, added, err)
		}
	}
	want := func(subject string, want ...string) {
		t.Helper()
		for range 2 { // looked for, and known
			got := tree.Match([]string{"before"}, subject)
			slices.Sort(got[1:])
			if got[0] != "before" || !slices.Equal(got[1:], want) {
				t.Errorf("%s: %v, want %v", subject, got[1:], want)
			}
		}
	}
	want("orders.eu", "all", "exact", "more", "one", "rest")
	want("orders", "all", "rest")
	want("orders.eu.created", "all", "deep", "more", "rest")
	want("stock", "all")
	want("", "all")
	if tree.Remove("orders.*", "exact") || tree.Remove("orders.eu", "one") || tree.Remove("x.y", "all") ||
		!tree.Remove("orders.>", "more") || tree.Remove("orders.>", "more") || !tree.Remove("#", "all") {
		t.Error("what was there, or was not")
	}
	want("orders.eu", "exact", "one", "rest")
	if _, err := tree.Add("orders.eu", "one"); err != nil {
		t.Fatal(err)
	}
	want("orders.eu", "exact", "one", "rest") // each once
}

// The tree finds whom Match finds, through patterns that come and go; and nothing is left when all have gone.
func TestTreeIsTheNaiveOne(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	word := func(words ...string) string { return words[r.IntN(len(words))] }
	var tree Tree[int]
	type subscription struct {
		pattern string
		who     int
	}
	model := map[subscription]bool{}
	for range 40_000 {
		tokens := make([]string, 1+r.IntN(3))
		for i := range tokens {
			tokens[i] = word("a", "b", "c", "*")
		}
		if r.IntN(3) == 0 {
			tokens[len(tokens)-1] = word(">", "#")
		}
		s := subscription{strings.Join(tokens, "."), r.IntN(5)}
		switch r.IntN(5) {
		case 0:
			if added, err := tree.Add(s.pattern, s.who); err != nil || added == model[s] {
				t.Fatalf("Add(%v): %t, %v", s, added, err)
			}
			model[s] = true
		case 1:
			if removed := tree.Remove(s.pattern, s.who); removed != model[s] {
				t.Fatalf("Remove(%v): %t", s, removed)
			}
			delete(model, s)
		default:
			if has := tree.Has(s.pattern, s.who); has != model[s] {
				t.Fatalf("Has(%v): %t", s, has)
			}
			subject := strings.NewReplacer("*", "a", ">", "c", "#", "d").Replace(s.pattern)
			var want []int
			for s := range model {
				if Match(s.pattern, subject) && !slices.Contains(want, s.who) {
					want = append(want, s.who)
				}
			}
			got := tree.Match(nil, subject)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v of %v", subject, got, want, model)
			}
		}
	}
	for s := range model {
		tree.Remove(s.pattern, s.who)
	}
	if n := tree.root; len(n.exact) > 0 || n.one != nil || len(n.here)+len(n.more)+len(n.rest)+len(tree.members) > 0 {
		t.Errorf("%+v is left", tree)
	}
}

// hostilePatterns are those that lead to the most places: each of n tokens is a or any.
func hostilePatterns(n int) (all []string) {
	for bits := range 1 << n {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = "a"
			if bits>>i&1 == 1 {
				tokens[i] = "*"
			}
		}
		all = append(all, strings.Join(tokens, "."))
	}
	return all
}

// Pitfall 13 of the design: what one subscriber can do to all others by its patterns is bounded.
func TestHostilePatterns(t *testing.T) {
	var tree Tree[int]
	refused := 0
	patterns := hostilePatterns(MaxTokens)
	r := rand.New(rand.NewPCG(1, 1))
	r.Shuffle(len(patterns), func(i, j int) { patterns[i], patterns[j] = patterns[j], patterns[i] })
	for _, p := range patterns {
		if _, err := tree.Add(p, 1); errors.Is(err, ErrTooMany) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if want := len(patterns) - MaxWild - 1; refused < want || refused > want+1 {
		t.Errorf("%d were refused, want %d", refused, want)
	}
	if added, err := tree.Add(patterns[0], 1); added || err != nil { // it has it
		t.Error(added, err)
	}
	if _, err := tree.Add("exact.ones", 1); err != nil {
		t.Error(err)
	}
	subject := strings.Repeat("a.", MaxTokens-1) + "a"
	least := time.Hour
	for range 20 {
		tree.forget()
		began := time.Now()
		tree.Match(nil, subject)
		least = min(least, time.Since(began))
	}
	t.Logf("%v for a match", least)
	if least > 5*time.Millisecond { // it is 53 ms and more without the bound
		t.Errorf("a match took %v", least)
	}
	if !tree.Remove(patterns[0], 1) {
		t.Error("it was not there")
	}
	if _, err := tree.Add("*.again", 1); err != nil {
		t.Error(err)
	}
}

// What is known is bounded, and does not stay what it was when the subjects change.
func TestKnownSubjects(t *testing.T) {
	var tree Tree[int]
	if _, err := tree.Add("#", 1); err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		if got := tree.Match(nil, fmt.Sprint("s.", i)); len(got) != 1 {
			t.Fatal(got)
		}
		if len(tree.known) > cached {
			t.Fatalf("%d subjects are known", len(tree.known))
		}
	}
	if _, old := tree.known["s.5"]; old {
		t.Error("the first subjects are known for ever")
	}
	dst := make([]int, 0, 10)
	if n := testing.AllocsPerRun(100, func() { dst = tree.Match(dst[:0], "s.19999") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Figures to hold: below a microsecond at 100,000 patterns, without an allocation.
func BenchmarkTree(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		r := rand.New(rand.NewPCG(1, 2))
		var tree Tree[int]
		subjects := make([]string, 4096)
		for i := range n {
			p := fmt.Sprintf("orders.%d.%d", r.IntN(1000), r.IntN(1000))
			switch tokens := strings.Split(p, "."); i % 3 {
			case 1:
				tokens[1] = oneToken
				p = strings.Join(tokens, ".")
			case 2:
				p = tokens[0] + "." + tokens[1] + "." + tokens[2] + ".>"
			}
			if _, err := tree.Add(p, i); err != nil {
				b.Fatal(err)
			}
		}
		for i := range subjects {
			subjects[i] = fmt.Sprintf("orders.%d.%d.%d", r.IntN(1000), r.IntN(1000), i)
			if i%2 == 0 {
				subjects[i] = fmt.Sprintf("orders.%d.%d", r.IntN(1000), r.IntN(1000))
			}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var dst []int
			for i := 0; b.Loop(); i++ {
				tree.round++
				subject := subjects[i%len(subjects)]
				dst = tree.match(dst[:0], &tree.root, subject, true)
			}
		})
	}
}
