package socket

import (
	"fmt"
	"slices"
	"testing"
)

// numbered makes messages that tell which one they are.
func numbered(from, n int) []Msg {
	ms := make([]Msg, n)
	for i := range ms {
		ms[i] = String(fmt.Sprint(from + i))
	}
	return ms
}

// checkQueue compares the queue with a slice, and checks that the ring holds on to nothing else.
func checkQueue(t *testing.T, q *queue, want []Msg) {
	t.Helper()
	same := func(a, b Msg) bool { return len(a.Frames) == 1 && string(a.Frames[0]) == string(b.Frames[0]) }
	if q.n != len(want) {
		t.Fatalf("%d messages, want %d", q.n, len(want))
	}
	for i := range q.ring {
		got := q.ring[(q.head+i)%len(q.ring)]
		switch {
		case i >= len(want) && got.Frames != nil:
			t.Fatalf("a place that is free still holds %s", got)
		case i < len(want) && !same(got, want[i]):
			t.Fatalf("message %d is %s, want %s", i, got, want[i])
		}
	}
	if n := len(q.ring); n&(n-1) != 0 {
		t.Fatalf("a ring of %d, want a power of two", n)
	}
	if len(want) > 0 && !same(*q.first(), want[0]) {
		t.Fatalf("first is %s, want %s", q.first(), want[0])
	}
}

func TestQueueAgainstSlice(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := numbers(seed)
			var q queue
			var want []Msg
			next := 0
			for range 600 {
				switch op := r.IntN(20); {
				case op < 10:
					m := numbered(next, 1)
					q.push(m[0])
					want = append(want, m...)
					next++
				case op < 11:
					ms := numbered(next, r.IntN(30))
					q.unshift(ms)
					want = slices.Concat(ms, want)
					next += len(ms)
				case len(want) > 0:
					if got := q.pop(); got.String() != want[0].String() {
						t.Fatalf("popped %s, want %s", got, want[0])
					}
					want = want[1:]
				}
				checkQueue(t, &q, want)
			}
		})
	}
}

func TestQueueUnshift(t *testing.T) {
	for _, c := range []struct {
		name         string
		queued, more int
	}{
		{"nothing into nothing", 0, 0},
		{"nothing", 3, 0},
		{"into nothing", 0, 5},
		{"as many as there is room for", 3, 5},
		{"one more", 3, 6},
		{"many times the ring", 8, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q queue
			for _, m := range numbered(1000, c.queued) {
				q.push(m)
			}
			q.unshift(numbered(0, c.more))
			checkQueue(t, &q, slices.Concat(numbered(0, c.more), numbered(1000, c.queued)))
		})
	}
}

func TestQueueGrowsAroundTheCorner(t *testing.T) {
	var q queue
	for _, m := range numbered(0, 8) {
		q.push(m)
	}
	for range 5 {
		q.pop()
	}
	for _, m := range numbered(8, 5) { // these lie in front of the head
		q.push(m)
	}
	if len(q.ring) != 8 || q.head != 5 {
		t.Fatalf("a ring of %d with its head at %d, want one of 8 that is full from 5 on", len(q.ring), q.head)
	}
	q.push(numbered(13, 1)[0])
	checkQueue(t, &q, numbered(5, 9))
}

func TestQueueReleasesABigRing(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages int
		keeps    bool
	}{
		{"what a busy socket needs stays", keepRing, true},
		{"what a burst needed goes", keepRing + 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q queue
			ms := numbered(0, c.messages)
			for _, m := range ms {
				q.push(m)
			}
			for i := range ms {
				if q.ring == nil {
					t.Fatalf("the ring is gone with %d messages to come", len(ms)-i)
				}
				q.pop()
			}
			if kept := q.ring != nil; kept != c.keeps {
				t.Errorf("an empty queue keeps a ring: %t, want %t", kept, c.keeps)
			}
			q.push(ms[0]) // and works as before
			checkQueue(t, &q, ms[:1])
		})
	}
}
