package prefix

import (
	"fmt"
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
