package pubsub

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestPrefixes holds the set against strings.HasPrefix, over random changes.
func TestPrefixes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := make([]byte, rnd.IntN(5))
		for i := range b {
			b[i] = "ab"[rnd.IntN(2)]
		}
		return string(b)
	}
	type one struct {
		topic string
		who   int
	}
	var set prefixes[int]
	have := make(map[one]bool)
	for range 20_000 {
		o := one{word(), rnd.IntN(4)}
		if rnd.IntN(2) == 0 {
			set.add(o.topic, o.who)
			have[o] = true
		} else {
			set.remove(o.topic, o.who)
			delete(have, o)
		}
		subject := word() + word()
		want, got := make(map[int]int), make(map[int]int)
		for o := range have {
			if strings.HasPrefix(subject, o.topic) {
				want[o.who]++
			}
		}
		set.each(subject, func(who int) { got[who]++ })
		for who := range 4 {
			if got[who] != want[who] {
				t.Fatalf("%q: %v, want %v", subject, got, want)
			}
		}
	}
	for o := range have {
		set.remove(o.topic, o.who)
	}
	if len(set.topics) != 0 {
		t.Errorf("%d topics are left", len(set.topics))
	}
}
