package socket

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSortedValuesMatchModel: those with a prefix, all of them and in order, whatever comes and goes.
func TestSortedValuesMatchModel(t *testing.T) {
	var s sortedValues
	model := make(map[string]*lastValue)
	rnd := rand.New(rand.NewPCG(3, 4))
	check := func(prefix string, most int) {
		t.Helper()
		var got, want []string
		for after, more := (*lastValue)(nil), true; more; {
			n := 0
			more = false
			s.from(prefix, after, func(v *lastValue) bool {
				if !strings.HasPrefix(v.topic, prefix) {
					more = false
					return false
				}
				got = append(got, v.topic)
				after = v
				n++
				more = n == most
				return !more
			})
		}
		for topic := range model {
			if strings.HasPrefix(topic, prefix) {
				want = append(want, topic)
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%q has %d, want %d", prefix, len(got), len(want))
		}
	}
	for i := range 30_000 {
		topic := fmt.Sprint(rnd.IntN(5000))
		if i > 20_000 && rnd.IntN(4) > 0 || rnd.IntN(4) == 0 {
			s.remove(topic)
			delete(model, topic)
		} else if model[topic] == nil {
			model[topic] = &lastValue{topic: topic}
			s.insert(model[topic])
		}
		if i%500 == 0 {
			for _, prefix := range []string{"", "1", "12", "123", "4999", "49999", "5", "x"} {
				check(prefix, 1+rnd.IntN(700))
			}
		}
	}
	for topic := range model {
		s.remove(topic)
	}
	if len(s.blocks) != 0 {
		t.Errorf("%d blocks of nothing are left", len(s.blocks))
	}
}

// TestLastValuesAreReplayedAFewAtATime, in the order in which they were published, and none that was published again
// meanwhile.
func TestLastValuesAreReplayedAFewAtATime(t *testing.T) {
	const topics = 3000
	x := newNoticed(t, WithLastValue(topics), WithSendHWM(0))
	most := 0
	x.subs.onTurn = func(n int) { most = max(most, n) }
	order := rand.New(rand.NewPCG(5, 6)).Perm(topics)
	for _, k := range order {
		if err := x.TrySend(Text(fmt.Sprintf("t/%d", k), "old")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		prefix string
		n      int
	}{{"", topics}, {"t/", topics}, {"t/1", 1111}, {"t/12", 111}, {"t/123", 11}, {"t/1234", 1}, {"t/12345", 0}, {"x", 0}} {
		l := x.join()
		l.out.writing = true // nobody writes, so that all stays in the batch
		if err := x.change(l, "+"+c.prefix); err != nil {
			t.Fatal(err)
		}
		var got []string
		for l.out.open.count.Messages > 0 {
			frames, _ := l.out.open.shift(true)
			got = append(got, string(frames[0]))
		}
		var want []string
		for _, k := range order {
			if topic := fmt.Sprintf("t/%d", k); strings.HasPrefix(topic, c.prefix) {
				want = append(want, topic)
			}
		}
		if len(want) != c.n || !slices.Equal(got, want) {
			t.Errorf("%q is replayed %d, want %d", c.prefix, len(got), c.n)
		}
	}
	if most != replayAtOnce {
		t.Errorf("up to %d messages were replayed at a time, want %d", most, replayAtOnce)
	}
	l := x.join()
	l.out.writing = true
	published := false
	x.subs.onTurn = func(int) { // the first few have been replayed, and the lock is held
		if !published {
			x.subs.last.keep(Text(fmt.Sprintf("t/%d", order[topics-1]), "new"), topics)
			published = true
		}
	}
	if err := x.change(l, "+"); err != nil {
		t.Fatal(err)
	}
	if n := l.out.open.count.Messages; n != topics-1 {
		t.Errorf("%d were replayed, want all but the one that the peer got as it was published anew", n)
	}
}
