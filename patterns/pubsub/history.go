package pubsub

import (
	"container/list"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/subject"
)

// A published is an event as it is kept.
type published struct {
	subject string
	head    patterns.Head
	body    []byte
	at      time.Time
}

// A history is what a publisher keeps of what it has published: the newest event of each of so many subjects, and so
// many of the newest of all that are not too old.
type history struct {
	subjects int
	events   int
	age      time.Duration // 0 is without a bound

	newest map[string]*list.Element // of *published, by subject
	order  list.List                // the longest ago first
	ring   []*published             // the newest events
	next   int                      // where the next goes
	lost   uint64                   // the highest number that is not in ring any more
}

// keeps tells whether anything is kept.
func (h *history) keeps() bool { return h.subjects > 0 || h.events > 0 }

// add keeps an event. Those behind it have higher numbers.
func (h *history) add(e *published) {
	if h.subjects > 0 {
		if h.newest == nil {
			h.newest = make(map[string]*list.Element)
		}
		if old := h.newest[e.subject]; old != nil {
			old.Value = e
			h.order.MoveToBack(old)
		} else {
			h.newest[e.subject] = h.order.PushBack(e)
			if len(h.newest) > h.subjects {
				first := h.order.Front()
				delete(h.newest, h.order.Remove(first).(*published).subject)
			}
		}
	}
	switch {
	case h.events <= 0:
		h.lost = e.head.Seq
	case len(h.ring) < h.events:
		h.ring = append(h.ring, e)
	default:
		h.lost = h.ring[h.next].head.Seq
		h.ring[h.next] = e
		h.next = (h.next + 1) % h.events
	}
}

// expire forgets events that are too old to be replayed.
func (h *history) expire(now time.Time) {
	if h.age <= 0 {
		return
	}
	n := 0
	for n < len(h.ring) && now.Sub(h.at(n).at) > h.age {
		h.lost = h.at(n).head.Seq
		n++
	}
	if n > 0 {
		kept := make([]*published, 0, len(h.ring)-n)
		for i := n; i < len(h.ring); i++ {
			kept = append(kept, h.at(i))
		}
		h.ring, h.next = kept, 0
	}
}

// at returns the event in a place of the ring, the oldest at 0.
func (h *history) at(i int) *published {
	return h.ring[(h.next+i)%len(h.ring)]
}

// replay returns the newest events that match a pattern, n at most, of those behind number after, in order.
func (h *history) replay(pattern string, n uint64, after uint64, now time.Time) (events []*published) {
	h.expire(now)
	for i := len(h.ring) - 1; i >= 0 && uint64(len(events)) < n; i-- {
		e := h.at(i)
		if e.head.Seq <= after {
			break
		}
		if subject.Match(pattern, e.subject) {
			events = append(events, e)
		}
	}
	slices.Reverse(events)
	return events
}

// last returns the newest event of each subject that matches a pattern, in order.
func (h *history) last(pattern string) (events []*published) {
	for at := h.order.Front(); at != nil; at = at.Next() {
		if e := at.Value.(*published); subject.Match(pattern, e.subject) {
			events = append(events, e)
		}
	}
	return events
}
