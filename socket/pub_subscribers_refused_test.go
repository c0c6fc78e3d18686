package socket

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What is kept is handed out in the order in which it was refused, each once, but for what was taken back.
func TestRefusedTopics(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var r refusedTopics
	var want []string
	for range 100_000 {
		topic := fmt.Sprint(random.IntN(200))
		i := slices.Index(want, topic)
		switch random.IntN(5) {
		case 0, 1, 2:
			r.add(topic)
			if i < 0 {
				want = append(want, topic)
			}
		case 3:
			r.remove(topic)
			if i >= 0 {
				want = slices.Delete(want, i, i+1)
			}
		default:
			got, ok := r.next()
			if ok != (len(want) > 0) || ok && got != want[0] {
				t.Fatalf("next is %q, %v, of %q", got, ok, want)
			}
			if ok {
				want = want[1:]
			}
		}
		if len(r.order) > 2*len(want)+17 {
			t.Fatalf("%d places for %d topics", len(r.order), len(want))
		}
	}
	for range want {
		r.next()
	}
	if _, ok := r.next(); ok || r.bytes != 0 || r.at != nil || r.order != nil {
		t.Errorf("with nothing left it holds %+v", r)
	}
}

// No more is kept than refusedMost says, and what is given up makes room.
func TestRefusedTopicsAreBounded(t *testing.T) {
	for _, size := range []int{10, 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var r refusedTopics
			topic := func(i int) string { return fmt.Sprintf("%0*d", size, i) }
			fits := refusedMost / (size + refusedCost)
			for i := range fits + 10 {
				r.add(topic(i))
			}
			if len(r.at) != fits || r.bytes > refusedMost {
				t.Errorf("it keeps %d topics of %d bytes, want %d", len(r.at), r.bytes, fits)
			}
			r.remove(topic(5))
			r.add("one more")
			if _, have := r.at["one more"]; !have {
				t.Error("there is no room for another one")
			}
			r.add(strings.Repeat("x", size+100))
			if r.bytes > refusedMost {
				t.Errorf("it keeps %d bytes", r.bytes)
			}
		})
	}
}
