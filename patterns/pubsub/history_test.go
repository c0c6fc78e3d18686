package pubsub

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns"
)

// numbers are those of events, in order.
func numbers(events []*published) string {
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprint(e.head.Seq))
	}
	return strings.Join(list, " ")
}

func TestHistory(t *testing.T) {
	start := time.Now()
	subjects := []string{"a.x", "a.y", "b", "a.x", "a.z", "a.y", "b", "a.x"} // 1 to 8, a second apart
	for name, tt := range map[string]struct {
		h       history
		pattern string
		n       uint64
		after   uint64
		replay  string
		last    string
		lost    uint64
	}{
		"nothing is kept":        {history{}, ">", 10, 0, "", "", 8},
		"all":                    {history{events: 10, subjects: 10}, ">", 10, 0, "1 2 3 4 5 6 7 8", "5 6 7 8", 0},
		"what matches":           {history{events: 10, subjects: 10}, "a.*", 10, 0, "1 2 4 5 6 8", "5 6 8", 0},
		"so many":                {history{events: 10, subjects: 10}, "a.*", 2, 0, "6 8", "5 6 8", 0},
		"behind a number":        {history{events: 10, subjects: 10}, "a.*", 10, 4, "5 6 8", "5 6 8", 0},
		"what there is room for": {history{events: 3, subjects: 2}, ">", 10, 0, "6 7 8", "7 8", 5},
		"what is not too old":    {history{events: 10, age: 3500 * time.Millisecond}, ">", 10, 0, "5 6 7 8", "", 4},
		"old, and a ring":        {history{events: 5, age: 2500 * time.Millisecond}, ">", 10, 0, "6 7 8", "", 5},
	} {
		t.Run(name, func(t *testing.T) {
			for i, s := range subjects {
				tt.h.add(&published{
					subject: s, head: patterns.Head{Seq: uint64(i + 1)}, at: start.Add(time.Duration(i) * time.Second),
				})
			}
			now := start.Add(7 * time.Second)
			if got := numbers(tt.h.replay(tt.pattern, tt.n, tt.after, now)); got != tt.replay {
				t.Errorf("replays %q, want %q", got, tt.replay)
			}
			if got := numbers(tt.h.last(tt.pattern)); got != tt.last {
				t.Errorf("last values %q, want %q", got, tt.last)
			}
			if tt.h.lost != tt.lost {
				t.Errorf("lost up to %d, want %d", tt.h.lost, tt.lost)
			}
		})
	}
}

// A ring that has expired and fills again keeps its order.
func TestHistoryGoesOnAfterItExpired(t *testing.T) {
	h := history{events: 4, age: time.Minute}
	now := time.Now()
	for i := range 40 {
		if i == 21 {
			now = now.Add(time.Hour)
			h.expire(now)
		}
		h.add(&published{subject: "a", head: patterns.Head{Seq: uint64(i + 1)}, at: now})
		if i == 22 && numbers(h.replay("a", 9, 0, now)) != "22 23" {
			t.Errorf("%q", numbers(h.replay("a", 9, 0, now)))
		}
	}
	if got := numbers(h.replay("a", 9, 0, now)); got != "37 38 39 40" {
		t.Errorf("%q", got)
	}
}
