package socket

import "slices"

// A queue is a ring of messages that grows as needed. The zero queue is empty.
type queue struct {
	ring []Msg // length a power of two
	head int
	n    int
}

func (q *queue) push(m Msg) {
	if q.n == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = m
	q.n++
}

// unshift puts ms in front, in their order.
func (q *queue) unshift(ms []Msg) {
	for q.n+len(ms) > len(q.ring) {
		q.grow()
	}
	for _, m := range slices.Backward(ms) {
		q.head = (q.head - 1) & (len(q.ring) - 1)
		q.ring[q.head] = m
		q.n++
	}
}

func (q *queue) first() *Msg { return &q.ring[q.head] }

func (q *queue) pop() Msg {
	m := q.ring[q.head]
	q.ring[q.head] = Msg{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	if q.n == 0 && len(q.ring) > keepRing {
		*q = queue{} // an idle socket does not hold what a burst needed
	}
	return m
}

const keepRing = 1024

func (q *queue) grow() {
	next := make([]Msg, max(8, 2*len(q.ring)))
	for i := range q.n {
		next[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
	}
	q.ring, q.head = next, 0
}
