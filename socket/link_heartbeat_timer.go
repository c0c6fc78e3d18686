package socket

import (
	"container/heap"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
)

// A heartbeatTimer checks the links of a socket, each at its deadline (link.check), with one timer and in one
// goroutine: for a thousand links that are due at once, a goroutine each would cost more than the checks themselves.
type heartbeatTimer struct {
	mu       lockorder.Mutex[lockorder.Heartbeat]
	links    linkHeap
	timer    *time.Timer
	fires    time.Duration // when the timer does, never if it does not
	checking bool
	closed   bool
	running  sync.WaitGroup // checkDue, and the ends of links that it found dead
}

const never = time.Duration(1<<63 - 1)

// schedule sets the deadline of the link's next check, or brings it nearer.
func (h *heartbeatTimer) schedule(l *link, in time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := l.core.now() + in
	switch life := &l.life; {
	case life.stopped || h.closed:
		return
	case life.heapIndex == 0:
		life.deadline = due
		heap.Push(&h.links, l)
	case due < life.deadline:
		life.deadline = due
		heap.Fix(&h.links, life.heapIndex-1)
	default:
		return
	}
	h.reset()
}

// stop takes the link out for good.
func (h *heartbeatTimer) stop(l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.life.stopped = true
	if l.life.heapIndex > 0 {
		heap.Remove(&h.links, l.life.heapIndex-1)
	}
	if len(h.links) == 0 && h.timer != nil {
		h.timer.Stop()
		h.fires = never
	}
}

// close returns when no check runs any more.
func (h *heartbeatTimer) close() {
	h.mu.Lock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.mu.Unlock()
	h.running.Wait()
}

// reset has the timer fire at the earliest deadline.
func (h *heartbeatTimer) reset() {
	if h.checking || h.closed || len(h.links) == 0 || h.timer != nil && h.links[0].life.deadline >= h.fires {
		return
	}
	first := h.links[0]
	h.fires = first.life.deadline
	in := h.fires - first.core.now()
	if h.timer == nil {
		h.timer = time.AfterFunc(in, h.checkDue)
		return
	}
	h.timer.Reset(in)
}

// checkDue checks all links that are due.
func (h *heartbeatTimer) checkDue() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checking || h.closed {
		return
	}
	h.running.Add(1)
	defer h.running.Done()
	h.checking, h.fires = true, never
	for len(h.links) > 0 {
		late := h.links[0].core.now() - h.links[0].life.deadline
		if late < 0 {
			break
		}
		l := heap.Pop(&h.links).(*link)
		h.mu.Unlock()
		l.check(late)
		h.mu.Lock()
	}
	h.checking = false
	h.reset()
}

// linkHeap is a heap of links by deadline. Each link knows its place in it.
type linkHeap []*link

func (d linkHeap) Len() int           { return len(d) }
func (d linkHeap) Less(i, j int) bool { return d[i].life.deadline < d[j].life.deadline }

func (d linkHeap) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].life.heapIndex, d[j].life.heapIndex = i+1, j+1
}

func (d *linkHeap) Push(l any) {
	*d = append(*d, l.(*link))
	l.(*link).life.heapIndex = len(*d)
}

func (d *linkHeap) Pop() any {
	n := len(*d) - 1
	l := (*d)[n]
	(*d)[n] = nil
	*d = (*d)[:n]
	l.life.heapIndex = 0
	return l
}
