package socket

import (
	"iter"
	"sort"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A label is what is known of a queued message beside what it says.
type label struct {
	key         uint64 // what names it to the settler
	id          MessageID
	attempts    int
	redelivered bool
	expires     time.Time // zero for never
}

// labels are those of the messages in a queue. They stand beside it rather than in it, for as a rule the number of each
// message is that of the one before plus one, so that one run stands for all of them. They are guarded by inbox.mu.
type labels struct {
	by    settler
	runs  []labelRun
	end   uint64 // how many messages were ever queued
	timed int    // how many of runs expire
}

// A labelRun is messages whose labels follow each other, from one on up to the next run's.
type labelRun struct {
	at    uint64 // how many were queued before
	first label
}

// plus is the label of the message n behind.
func (l label) plus(n uint64) label {
	l.key += n
	if l.id != (MessageID{}) {
		l.id.Seq += n
	}
	return l
}

// expired reports whether the message is worth nothing any more.
func (l *label) expired() bool { return !l.expires.IsZero() && !time.Now().Before(l.expires) }

// add labels k messages that were just queued; unread is how many are in the queue now.
func (q *labels) add(first label, k, unread uint64) {
	if k == 0 {
		return
	}
	if n := len(q.runs); n == 0 || q.runs[n-1].first.plus(q.end-q.runs[n-1].at) != first {
		q.prune(q.end + k - unread)
		q.runs = append(q.runs, labelRun{q.end, first})
		if !first.expires.IsZero() {
			q.timed++
		}
	}
	q.end += k
}

// prune forgets the labels of messages that have left the queue.
func (q *labels) prune(gone uint64) {
	i := max(0, q.search(gone))
	for _, r := range q.runs[:i] {
		if !r.first.expires.IsZero() {
			q.timed--
		}
	}
	q.runs = append(q.runs[:0], q.runs[i:]...)
}

// front is the label of the first of so many messages in the queue.
func (q *labels) front(unread uint64) label { return q.at(q.end - unread) }

func (q *labels) at(n uint64) label {
	r := &q.runs[max(0, q.search(n))]
	return r.first.plus(n - r.at)
}

// keys yields those of the messages before which from up to, but without, to were queued.
func (q *labels) keys(from, to uint64) iter.Seq[ranges.Range] {
	return func(yield func(ranges.Range) bool) {
		for i := max(0, q.search(from)); from < to; i++ {
			end := to
			if i+1 < len(q.runs) {
				end = min(to, q.runs[i+1].at)
			}
			key := q.runs[i].first.key + (from - q.runs[i].at)
			if !yield(ranges.Range{From: key, To: key + end - from}) {
				return
			}
			from = end
		}
	}
}

// search is the run that the message belongs to before which so many were queued; less than 0 if there is none.
func (q *labels) search(n uint64) int {
	if i := len(q.runs) - 1; i < 0 || q.runs[i].at <= n {
		return i
	}
	return sort.Search(len(q.runs), func(i int) bool { return q.runs[i].at > n }) - 1
}
