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
		ms[i] = Text(fmt.Sprint(from + i))
	}
	return ms
}

// checkQueue compares the queue with a slice, and checks that its chunks hold on to nothing else.
func checkQueue(t *testing.T, q *queue, want []Msg) {
	t.Helper()
	same := func(a, b Msg) bool { return len(a.Frames) == 1 && string(a.Frames[0]) == string(b.Frames[0]) }
	if q.n != len(want) {
		t.Fatalf("%d messages, want %d", q.n, len(want))
	}
	if len(want) > 0 && !same(*q.first(), want[0]) {
		t.Fatalf("first is %s, want %s", q.first(), want[0])
	}
	for c := q.head; c != nil; c = c.next {
		for i, got := range c.msgs {
			switch {
			case c == q.head && i < q.r || c == q.tail && i >= q.w:
				if got.Frames != nil {
					t.Fatalf("a place that is free still holds %s", got)
				}
			case len(want) == 0:
				t.Fatalf("%s left over", got)
			default:
				if !same(got, want[0]) {
					t.Fatalf("got %s, want %s", got, want[0])
				}
				want = want[1:]
			}
		}
		if c.next == nil && c != q.tail {
			t.Fatal("the chunks do not end with the tail")
		}
	}
	if len(want) > 0 {
		t.Fatalf("%d messages are in no chunk", len(want))
	}
}

func TestQueueAgainstSlice(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := numbers(seed)
			var q queue
			var want []Msg
			next := 0
			for range 2000 {
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
				case op < 12 && len(want) > 0:
					c, msgs := q.takeChunk()
					for i, m := range msgs {
						if m.String() != want[i].String() {
							t.Fatalf("took %s, want %s", m, want[i])
						}
					}
					want = want[len(msgs):]
					clear(msgs)
					c.recycle()
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
		{"before one", 1, 1},
		{"many", 300, 100},
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

// TestQueueIdle: a queue that is empty again keeps one chunk at most, and a small one if it never needed more.
func TestQueueIdle(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages int
		keeps    int
	}{
		{"never behind", firstChunk, firstChunk},
		{"a little behind", firstChunk + 1, chunkSize},
		{"a burst", 10 * chunkSize, chunkSize},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q queue
			ms := numbered(0, c.messages)
			for _, m := range ms {
				q.push(m)
			}
			for range ms {
				q.pop()
			}
			if q.head != q.tail || q.head.next != nil || len(q.head.msgs) != c.keeps {
				t.Errorf("an empty queue keeps more than one chunk of %d messages", c.keeps)
			}
			q.push(ms[0]) // and works as before
			checkQueue(t, &q, ms[:1])
		})
	}
}
