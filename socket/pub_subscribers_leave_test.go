package socket

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// turnSizes notes for how many topics core.out.mu is held at a time; it is called with that held.
type turnSizes struct{ most, sum int }

func (h *turnSizes) note(topics int) {
	h.most = max(h.most, topics)
	h.sum += topics
}

// TestLeavingPeersLetOthersIn: what a peer had is removed a few topics at a time, and so is what that leaves to tidy
// up.
func TestLeavingPeersLetOthersIn(t *testing.T) {
	const peers, topics = 4, 6_000
	for _, c := range append(verbosities, struct {
		name string
		opts []XPubOption
	}{"read by nobody", []XPubOption{WithLimits(Limits{MaxSubscriptions: topics})}}) {
		t.Run(c.name, func(t *testing.T) {
			x := newNoticed(t, c.opts...)
			var h turnSizes
			x.subs.onTurn = h.note
			links := make([]*link, peers+1)
			for i := range links {
				links[i] = x.join()
				x.out.links = append(x.out.links, links[i])
			}
			for k := range topics {
				for i, l := range links[:peers] {
					topic := fmt.Sprintf("%d/%d", i%2, k) // every other one has the same
					if err := x.change(l, "+"+topic); err != nil {
						t.Fatal(err)
					}
					if x.cfg.manual {
						if err := x.subs.set(l, true, topic, true); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if err := x.change(links[peers], "+stays"); err != nil {
				t.Fatal(err)
			}
			for _, l := range links[:peers] {
				x.out.mu.Lock()
				x.out.links = slices.DeleteFunc(x.out.links, func(other *link) bool { return other == l })
				x.out.mu.Unlock()
				x.leave(l)
			}
			if h.most > topicsAtOnce || h.sum < peers*topics {
				t.Errorf("%d topics were looked after, up to %d at a time", h.sum, h.most)
			}
			if got := x.wanted(); !slices.Equal(got, []string{"stays"}) {
				t.Errorf("left are %.100q", got)
			}
			if x.subs.tree.Untidy() {
				t.Error("nobody has tidied up")
			}
		})
	}
	t.Run("and the socket closes", func(t *testing.T) {
		x := newNoticed(t)
		var h turnSizes
		x.subs.onTurn = h.note
		l := x.join()
		for k := range topics {
			_ = x.change(l, fmt.Sprint("+", k))
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x.leave(l)
		if h.sum > topicsAtOnce || len(x.Topics()) != 0 {
			t.Errorf("%d topics were removed one by one after Close; %d are left", h.sum, len(x.Topics()))
		}
	})
}

// TestTidyingUpLosesNothing: while what large peers leave behind is tidied up, others go on changing their
// subscriptions.
func TestTidyingUpLosesNothing(t *testing.T) {
	x := newNoticed(t, WithLimits(Limits{MaxSubscriptions: 1_000_000}))
	join := func() *link {
		l := x.join()
		x.out.mu.Lock()
		defer x.out.mu.Unlock()
		x.out.links = append(x.out.links, l)
		return l
	}
	const small, large = 3, 3
	var wg sync.WaitGroup
	models := make([]map[string]struct{}, small)
	for i := range small {
		models[i] = make(map[string]struct{})
		wg.Go(func() {
			l, rnd := join(), rand.New(rand.NewPCG(uint64(i), 1))
			for range 5_000 {
				topic := fmt.Sprintf("s%d/%d", rnd.IntN(2), rnd.IntN(500))
				if rnd.IntN(2) == 0 {
					_ = x.change(l, "+"+topic)
					models[i][topic] = struct{}{}
				} else {
					_ = x.change(l, "-"+topic)
					delete(models[i], topic)
				}
			}
		})
	}
	for i := range large {
		wg.Go(func() {
			for round := range 2 {
				l := join()
				for k := range 4_000 {
					_ = x.change(l, fmt.Sprintf("+large/%d/%d/%d", i, round, k))
				}
				for k := range 2_000 { // the rest by leaving
					_ = x.change(l, fmt.Sprintf("-large/%d/%d/%d", i, round, k))
				}
				x.out.mu.Lock()
				x.out.links = slices.DeleteFunc(x.out.links, func(other *link) bool { return other == l })
				x.out.mu.Unlock()
				x.leave(l)
			}
		})
	}
	wg.Wait()
	want := make(map[string]struct{})
	for _, m := range models {
		maps.Copy(want, m)
	}
	if got := x.wanted(); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("%d topics, want %d", len(got), len(want))
	}
	x.look(1 << 30)
	if got := x.believed(); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Fatalf("the application believes in %d topics, want %d", len(got), len(want))
	}
}
