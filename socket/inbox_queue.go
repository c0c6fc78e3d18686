package socket

import (
	"iter"
	"sync"
)

// A queue holds messages in chunks, so that it grows without a copy and what a burst needed is given back. The zero
// queue is empty.
type queue struct {
	head, tail *chunk // head.msgs[r:] comes first, tail.msgs[:w] last
	r, w       int
	n          int
	grown      bool // has had more than one chunk
}

// A chunk is a part of a queue. Every one but the last is filled to its end.
type chunk struct {
	next *chunk
	msgs []Msg
}

const (
	firstChunk = 8   // messages: 256 bytes, at which a queue that is never behind stays
	chunkSize  = 128 // messages in the chunks after that, 4 KiB
)

var chunks = sync.Pool{New: func() any { return &chunk{msgs: make([]Msg, chunkSize)} }}

func (q *queue) push(m Msg) {
	if q.tail == nil || q.w == len(q.tail.msgs) {
		q.grow()
	}
	q.tail.msgs[q.w] = m
	q.w++
	q.n++
}

// pushAll pushes a copy of each.
func (q *queue) pushAll(ms []Msg) {
	for len(ms) > 0 {
		if q.tail == nil || q.w == len(q.tail.msgs) {
			q.grow()
		}
		n := copy(q.tail.msgs[q.w:], ms)
		q.w += n
		q.n += n
		ms = ms[n:]
	}
}

func (q *queue) grow() {
	var c *chunk
	if q.tail != nil || q.grown {
		q.grown = true
		c = chunks.Get().(*chunk)
	} else {
		c = &chunk{msgs: make([]Msg, firstChunk)}
	}
	if q.tail == nil {
		q.head, q.r = c, 0
	} else {
		q.tail.next = c
	}
	q.tail, q.w = c, 0
}

func (q *queue) first() *Msg { return &q.head.msgs[q.r] }

// all yields the messages, the first one first. The queue must not change meanwhile.
func (q *queue) all() iter.Seq[Msg] {
	return func(yield func(Msg) bool) {
		left, r := q.n, q.r
		for c := q.head; left > 0; c, r = c.next, 0 {
			for ; r < len(c.msgs) && left > 0; r++ {
				if !yield(c.msgs[r]) {
					return
				}
				left--
			}
		}
	}
}

func (q *queue) pop() Msg {
	at := q.first()
	m := *at
	*at = Msg{}
	q.r++
	q.n--
	switch {
	case q.n == 0:
		q.r, q.w = 0, 0
	case q.r == len(q.head.msgs):
		done := q.head
		q.head, q.r = done.next, 0
		done.recycle()
	}
	return m
}

// recycle gives back a chunk that holds no messages any more.
func (c *chunk) recycle() {
	c.next = nil
	if len(c.msgs) == chunkSize {
		chunks.Put(c)
	}
}

// lend takes the first chunk out of the queue, which is not empty, with the messages that are left in it.
func (q *queue) takeChunk() (c *chunk, msgs []Msg) {
	c = q.head
	end := len(c.msgs)
	if c == q.tail {
		end = q.w
		q.tail, q.w = nil, 0
	}
	msgs = c.msgs[q.r:end]
	q.head, q.r = c.next, 0
	q.n -= len(msgs)
	c.next = nil
	return c, msgs
}

// unshift puts ms, which it keeps, in front.
func (q *queue) unshift(ms []Msg) {
	if len(ms) == 0 {
		return
	}
	if q.n == 0 {
		q.head, q.tail, q.r, q.w = nil, nil, 0, 0
	}
	if q.r > 0 { // what was taken out of the chunk behind leaves no gap
		q.head.msgs = q.head.msgs[q.r:]
		if q.head == q.tail {
			q.w -= q.r
		}
		q.r = 0
	}
	q.head = &chunk{next: q.head, msgs: ms}
	if q.tail == nil {
		q.tail, q.w = q.head, len(ms)
	}
	q.n += len(ms)
}

// compact gives up what a short queue holds on to beside its messages: places for more, and the slabs that small
// frames are in.
func (q *queue) compact() {
	if q.n > firstChunk {
		return
	}
	ms := make([]Msg, 0, q.n)
	for q.n > 0 {
		m := q.pop()
		if m.Size() < referTo {
			m = m.Clone()
		}
		ms = append(ms, m)
	}
	*q = queue{}
	q.unshift(ms)
}
