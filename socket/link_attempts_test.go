package socket

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAttemptsFollowTheirMessages: what is known of messages stays with them, whatever is added to their queue and
// taken out of it.
func TestAttemptsFollowTheirMessages(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		some := func() tries {
			return [...]tries{{}, {}, {}, {n: 1}, {n: 1, seen: true}, {n: 2, seen: true}, {asked: 1}}[r.IntN(7)]
		}
		var a attempts
		var want []tries // of each message
		for step := range 60 {
			k := min(len(want), r.IntN(4))
			switch r.IntN(6) {
			case 0, 1:
				k = 1 + r.IntN(3)
				t := some()
				a.add(len(want), k, t)
				want = append(want, slices.Repeat([]tries{t}, k)...)
			case 2:
				a.take(k)
				want = want[k:]
			case 3:
				at := r.IntN(len(want) - k + 1)
				a.remove(at, k)
				want = slices.Delete(want, at, at+k)
			case 4:
				var front attempts
				ahead := make([]tries, r.IntN(3))
				for i := range ahead {
					ahead[i] = some()
					front.add(i, 1, ahead[i])
				}
				a.unshift(len(ahead), front)
				want = append(ahead, want...)
			case 5:
				if len(want) > 0 {
					want[0] = tries{n: 7}
					a.setFirst(want[0])
				}
			}
			for i := range want {
				if a.at(i) != want[i] {
					t.Fatalf("seed %d, step %d: of message %d is known %+v, want %+v; %+v", seed, step, i, a.at(i), want[i], a)
				}
			}
			if len(want) > 0 && a.first() != want[0] || len(a) > len(want) {
				t.Fatalf("seed %d, step %d: %+v for %d messages", seed, step, a, len(want))
			}
		}
	}
}

// TestAttemptsOfDropped: room is made by dropping what has not begun to leave, and what is known of the messages behind
// that stays theirs.
func TestAttemptsOfDropped(t *testing.T) {
	for _, tt := range []struct {
		name string
		drop func(w *wire)
		want attempts
	}{
		{"the oldest", func(w *wire) { w.makeRoom() }, attempts{{0, 1, tries{n: 1}}, {2, 1, tries{n: 3}}}},
		{"all", func(w *wire) { w.link.dropOpen() }, attempts{{0, 1, tries{n: 1}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dealer := NewDealer()
			defer dealer.Close()
			l := &link{core: dealer.core, ep: &endpointState{}, peer: &Peer{}}
			l.initOut(&dealer.out)
			o := &dealer.out
			o.mu.Lock()
			defer o.mu.Unlock()
			for i := range 4 {
				o.account(l, &outgoing{size: 1})
				if i > 0 { // the first is in flight
					l.out.open.add([][]byte{{'x'}}, 1)
				}
			}
			l.out.attempts = attempts{{0, 1, tries{n: 1}}, {1, 1, tries{n: 2}}, {3, 1, tries{n: 3}}}
			tt.drop(&wire{l})
			if !slices.Equal(l.out.attempts, tt.want) {
				t.Errorf("known is %+v, want %+v", l.out.attempts, tt.want)
			}
		})
	}
}
