package dispatch

// The lists that a job may be in.
const (
	inAll = iota
	inKey
	inLeases
	inHeld
	inLists
)

// A list links jobs by their own fields, so that taking one out needs no search.
type list[V any] struct {
	which       int
	first, last *Job[V]
}

func (l *list[V]) add(j *Job[V]) { l.insertAfter(l.last, j) }

// insert puts a job in its place by Seq, which is nearly always the last.
func (l *list[V]) insert(j *Job[V]) {
	p := l.last
	for p != nil && p.Seq > j.Seq {
		p = p.links[l.which].prev
	}
	l.insertAfter(p, j)
}

// insertBehindFirst is insert that leaves the first where it is.
func (l *list[V]) insertBehindFirst(j *Job[V]) {
	p := l.last
	for p != nil && p != l.first && p.Seq > j.Seq {
		p = p.links[l.which].prev
	}
	l.insertAfter(p, j)
}

func (l *list[V]) insertAfter(p, j *Job[V]) {
	next := l.first
	if p != nil {
		next = p.links[l.which].next
		p.links[l.which].next = j
	} else {
		l.first = j
	}
	if next != nil {
		next.links[l.which].prev = j
	} else {
		l.last = j
	}
	j.links[l.which].prev, j.links[l.which].next = p, next
}

func (l *list[V]) remove(j *Job[V]) {
	at := &j.links[l.which]
	if at.prev != nil {
		at.prev.links[l.which].next = at.next
	} else {
		l.first = at.next
	}
	if at.next != nil {
		at.next.links[l.which].prev = at.prev
	} else {
		l.last = at.prev
	}
	at.prev, at.next = nil, nil
}

// A heap has its least item first, and knows where each is: at points to the place of an item, counted from 1, or 0 if
// it is not in.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
	at    func(T) *int
}

func (h *heap[T]) len() int { return len(h.items) }

func (h *heap[T]) push(x T) {
	h.items = append(h.items, x)
	h.up(len(h.items) - 1)
}

// remove takes an item out, if it is in.
func (h *heap[T]) remove(x T) {
	i := *h.at(x) - 1
	if i < 0 {
		return
	}
	last := len(h.items) - 1
	var none T
	moved := h.items[last]
	h.items[last] = none
	h.items = h.items[:last]
	*h.at(x) = 0
	if i == last {
		return
	}
	h.items[i] = moved
	h.fix(i)
}

// file puts an item in, or takes it out, or to another place after a change.
func (h *heap[T]) file(x T, in bool) {
	switch at := *h.at(x); {
	case !in:
		h.remove(x)
	case at == 0:
		h.push(x)
	default:
		h.fix(at - 1)
	}
}

func (h *heap[T]) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

func (h *heap[T]) up(i int) {
	x := h.items[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(x, h.items[parent]) {
			break
		}
		h.place(i, h.items[parent])
		i = parent
	}
	h.place(i, x)
}

// down reports whether the item went anywhere.
func (h *heap[T]) down(i int) bool {
	x, from := h.items[i], i
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			break
		}
		if r := child + 1; r < len(h.items) && h.less(h.items[r], h.items[child]) {
			child = r
		}
		if !h.less(h.items[child], x) {
			break
		}
		h.place(i, h.items[child])
		i = child
	}
	h.place(i, x)
	return i != from
}

func (h *heap[T]) place(i int, x T) {
	h.items[i] = x
	*h.at(x) = i + 1
}
