package socket

import (
	"container/heap"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
)

// A heart looks after the links of a socket, each when it is due (link_heartbeat.go), by one timer and in one
// goroutine. Of a thousand links that are due at once a goroutine each, with its stack, would cost more than what it
// does.
type heart struct {
	mu      lockorder.Mutex[lockorder.Heartbeat]
	links   dueLinks
	timer   *time.Timer
	fires   time.Duration // when the timer does, never if it does not
	beating bool
	closed  bool
	running sync.WaitGroup // a beat, and the ends of links that it found dead
}

const never = time.Duration(1<<63 - 1)

// hasten sets the link's next beat, or brings it nearer.
func (h *heart) hasten(l *link, in time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	due := l.core.now() + in
	switch life := &l.life; {
	case life.stopped || h.closed:
		return
	case life.slot == 0:
		life.due = due
		heap.Push(&h.links, l)
	case due < life.due:
		life.due = due
		heap.Fix(&h.links, life.slot-1)
	default:
		return
	}
	h.arm()
}

// stop takes the link out for good.
func (h *heart) stop(l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.life.stopped = true
	if l.life.slot > 0 {
		heap.Remove(&h.links, l.life.slot-1)
	}
	if len(h.links) == 0 && h.timer != nil {
		h.timer.Stop()
		h.fires = never
	}
}

// close returns when nothing of the heart runs any more.
func (h *heart) close() {
	h.mu.Lock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.mu.Unlock()
	h.running.Wait()
}

// arm has the timer fire for the link that is due first.
func (h *heart) arm() {
	if h.beating || h.closed || len(h.links) == 0 || h.timer != nil && h.links[0].life.due >= h.fires {
		return
	}
	first := h.links[0]
	h.fires = first.life.due
	in := h.fires - first.core.now()
	if h.timer == nil {
		h.timer = time.AfterFunc(in, h.beat)
		return
	}
	h.timer.Reset(in)
}

// beat looks after all links that are due.
func (h *heart) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.beating || h.closed {
		return
	}
	h.running.Add(1)
	defer h.running.Done()
	h.beating, h.fires = true, never
	for len(h.links) > 0 {
		late := h.links[0].core.now() - h.links[0].life.due
		if late < 0 {
			break
		}
		l := heap.Pop(&h.links).(*link)
		h.mu.Unlock()
		l.beat(late)
		h.mu.Lock()
	}
	h.beating = false
	h.arm()
}

// dueLinks is a heap of links by when they are due, each of which knows its place.
type dueLinks []*link

func (d dueLinks) Len() int           { return len(d) }
func (d dueLinks) Less(i, j int) bool { return d[i].life.due < d[j].life.due }

func (d dueLinks) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].life.slot, d[j].life.slot = i+1, j+1
}

func (d *dueLinks) Push(l any) {
	*d = append(*d, l.(*link))
	l.(*link).life.slot = len(*d)
}

func (d *dueLinks) Pop() any {
	n := len(*d) - 1
	l := (*d)[n]
	(*d)[n] = nil
	*d = (*d)[:n]
	l.life.slot = 0
	return l
}
