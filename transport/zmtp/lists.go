package zmtp

import "sync"

// A lists allocates the lists of frames that messages are, many at a time. Those that were allocated together keep
// each other's frames from the garbage collector, so they are of messages that share a slab, or of one that has a
// long body: who keeps a message keeps no other slab and no other long body.
type lists struct {
	run   [][]byte // run[first:] belongs to the unfinished message
	first int
	long  bool // it has a long body

	count  int // frames so far in this slab
	expect int // as many as the slab before had
	next   int // frames of the next run beyond what was expected
}

const (
	minRun = 4
	maxRun = 256 // 6 KiB
)

// open is the number of frames in the unfinished message.
func (l *lists) open() int { return len(l.run) - l.first }

// add adds a frame to the message under way and returns the message if that was its last one.
func (l *lists) add(body []byte, more bool) [][]byte {
	if len(l.run) == cap(l.run) {
		l.grow()
	}
	l.run = append(l.run, body)
	l.count++
	if more {
		return nil
	}
	n := len(l.run)
	m := l.run[l.first:n:n]
	l.first = n
	if l.long {
		l.long = false
		l.part()
	}
	return m
}

// addLong is add for a long body. One that is a message by itself has its list already.
func (l *lists) addLong(long *longBody, more bool) [][]byte {
	if !more && l.open() == 0 {
		return long[:]
	}
	if !l.long {
		l.long = true
		l.part()
	}
	return l.add(long[0], more)
}

// nextSlab has the lists to come allocated apart from those before.
func (l *lists) nextSlab() {
	l.expect, l.count, l.next = l.count, 0, minRun
	l.part()
}

// part ends the run.
func (l *lists) part() {
	n := len(l.run)
	l.run = l.run[l.first:n:n]
	l.first = 0
}

// grow begins a run with what is there of the unfinished message.
func (l *lists) grow() {
	open := l.run[l.first:]
	room := l.expect - l.count + 1 // one more: it need not divide evenly
	switch {
	case l.long:
		room = minRun
	case room < minRun:
		room = l.next
		l.next = min(2*l.next, maxRun)
	}
	room = max(min(room, maxRun), len(open)) // a message of many frames is not copied often
	l.run = append(make([][]byte, 0, len(open)+room), open...)
	l.first = 0
}

// keepBatch is how long a list of messages a Reader keeps while it waits. A slab of the smallest ones needs 12,000
// places, 290 KB, which an idle peer need not hold on to; they are for whoever reads next.
const keepBatch = 512

var batches sync.Pool // of *[][][]byte, each empty

// giveBatch gives a long list back. No message is in it.
func (r *Reader) giveBatch() {
	p := r.holder
	if p == nil {
		p = new([][][]byte)
	}
	*p = r.batch[:0]
	r.batch, r.holder = nil, nil
	batches.Put(p)
}

// takeBatch takes a long list where one is likely to be needed.
func (r *Reader) takeBatch() {
	if p, _ := batches.Get().(*[][][]byte); p != nil {
		r.batch, r.holder = *p, p
	}
}
