package prefix

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// sizes are the numbers of subscriptions whose costs are to stay close together.
var sizes = []int{10, 100_000}

func subject(i int) string { return fmt.Sprintf("sensor/%d/%d/temperature", i%100, i) }

// subjects makes a tree of n subscriptions and a topic that matches one of them.
func subjects(n int) (*Tree[int], []byte) {
	tree := new(Tree[int])
	for i := range n {
		tree.Add(subject(i), i)
	}
	return tree, []byte(subject(n/2) + "/celsius")
}

// BenchmarkMatch matches one topic over and over: what the processor's caches hold.
func BenchmarkMatch(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree, topic := subjects(n)
			found := 0
			visit := func(values []int) bool { found += len(values); return true }
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				tree.Match(topic, visit)
			}
			if found != b.N {
				b.Fatalf("%d found in %d look-ups", found, b.N)
			}
		})
	}
}

// BenchmarkMatchInTurn matches a topic of each subscription in turn, in random order: what no cache holds. The topics
// lie one behind the other, as messages do that were just received. One operation is one match.
func BenchmarkMatchInTurn(b *testing.B) {
	for _, c := range []struct {
		name string
		word func(i int) string
	}{
		{"numbers", func(i int) string { return fmt.Sprintf("topic/%06d", i) }},
		{"paths", subject},
		{"random numbers", func(i int) string {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			return fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
		}},
	} {
		for _, n := range sizes {
			for _, values := range []int{1, 100} {
				b.Run(fmt.Sprintf("%s/%d, of %d", c.name, n, values), func(b *testing.B) {
					tree := new(Tree[int])
					r := rand.New(rand.NewPCG(1, 2))
					var topics []byte
					var ends []int
					for _, i := range r.Perm(n) {
						word := c.word(i * (100_000 / n))
						tree.Add(word, r.IntN(values))
						topics = append(append(topics, word...), "/more"...)
						ends = append(ends, len(topics))
					}
					found, at, i := 0, 0, 0
					visit := func(values []int) bool { found += len(values); return true }
					for b.Loop() {
						tree.Match(topics[at:ends[i]], visit)
						at = ends[i]
						if i++; i == n {
							at, i = 0, 0
						}
					}
					if found != b.N {
						b.Fatalf("%d found in %d look-ups", found, b.N)
					}
					b.ReportMetric(float64(bytesIn(tree))/float64(n), "B/subscription")
				})
			}
		}
	}
}

func BenchmarkAddRemove(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree, _ := subjects(n)
			one := subject(n + 1)
			b.ReportAllocs()
			for b.Loop() {
				if !tree.Add(one, 0) || !tree.Remove(one, 0) {
					b.Fatal("the subscription was there, or could not be removed")
				}
			}
		})
	}
}

// BenchmarkSubscribe adds subscriptions in random order to a tree that grows to n, again and again.
func BenchmarkSubscribe(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			words := make([]string, n)
			for k, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
				words[k] = subject(i)
			}
			b.ReportAllocs()
			var tree Tree[int]
			i := 0
			for b.Loop() {
				if i == n {
					tree, i = Tree[int]{}, 0
				}
				tree.Add(words[i], 0)
				i++
			}
		})
	}
}
