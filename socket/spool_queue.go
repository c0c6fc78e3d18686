package socket

import (
	"slices"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A storedQueue is the numbers of messages from a store in a link's open batch and in its flight, in their order, and
// their sizes.
type storedQueue struct {
	of    *feeder
	runs  []numberRange
	sizes []uint32
	timed []timedNext
}

// A timedNext is a NEXT that waits in the open batch and says when its message expires.
type timedNext struct {
	frame   []byte
	expires time.Time
}

// announced notes what NEXT says of a message.
func (c *storedQueue) announced(frame []byte, m *stored) {
	if !m.expires.IsZero() {
		c.timed = append(c.timed, timedNext{frame, m.expires})
	}
}

// leave has what NEXT says of time left be true now: the open batch is about to be written, and may have waited.
func (c *storedQueue) leave() {
	for _, t := range c.timed {
		zmtp.SetNextTTL(t.frame, max(1, untilNow(t.expires)))
	}
	clear(c.timed)
	c.timed = c.timed[:0]
}

func (c *storedQueue) push(number uint64, size int) {
	c.sizes = append(c.sizes, uint32(size))
	if i := len(c.runs) - 1; i >= 0 && c.runs[i].To == number {
		c.runs[i].To++
		return
	}
	c.runs = append(c.runs, only(number))
}

func (c *storedQueue) len() uint64 { return uint64(len(c.sizes)) }

// pop takes the first n off.
func (c *storedQueue) pop(n uint64) (runs []numberRange, sizes []uint32) {
	n = min(n, c.len())
	sizes = slices.Clone(c.sizes[:n])
	c.sizes = slices.Delete(c.sizes, 0, int(n))
	for n > 0 {
		r := &c.runs[0]
		k := min(n, r.Len())
		runs = append(runs, numberRange{From: r.From, To: r.From + k})
		r.From += k
		n -= k
		if r.Len() == 0 {
			c.runs = slices.Delete(c.runs, 0, 1)
		}
	}
	return runs, sizes
}

// sizeOfAll is the sum of sizes.
func sizeOfAll(sizes []uint32) (n uint64) {
	for _, s := range sizes {
		n += uint64(s)
	}
	return n
}
