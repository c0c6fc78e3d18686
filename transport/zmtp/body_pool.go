package zmtp

import (
	"math/bits"
	"sync"
)

// A bodyBuffer is the buffer of a long body and at the same time the list of frames of a message that is nothing else.
type bodyBuffer [1][]byte

// Buffers of long bodies that were given back, by the power of two that their size is at least.
var bodyPools [maxBodyClass + 2]sync.Pool // of *bodyBuffer

const (
	minBodyClass = 13 // 8 KiB: maxSlabBody
	maxBodyClass = 24 // 16 MiB
)

// Recycle returns the buffers of frames over 8 KiB to a process-wide pool, from which Readers take them for other
// bodies. The caller must not use the frames, or the slice frames itself, afterwards. Smaller frames are left to the
// garbage collector.
func Recycle(frames [][]byte) {
	if len(frames) == 1 && cap(frames) == 1 {
		(*bodyBuffer)(frames).recycle()
		return
	}
	for _, f := range frames {
		if _, ok := classOf(cap(f)); ok {
			(&bodyBuffer{f}).recycle()
		}
	}
}

func (b *bodyBuffer) recycle() {
	if class, ok := classOf(cap(b[0])); ok {
		b[0] = b[0][:cap(b[0])]
		bodyPools[class].Put(b)
	}
}

func classOf(size int) (class int, ok bool) {
	class = bits.Len(uint(size)) - 1
	return class, class >= minBodyClass && class <= maxBodyClass
}

// getBodyBuffer returns a buffer of n bytes for a long body: from the pool, if it has one of about that size.
func getBodyBuffer(n int) *bodyBuffer {
	if class, ok := classOf(n); ok {
		for _, pool := range []*sync.Pool{&bodyPools[class], &bodyPools[class+1]} {
			// One that is a little too small is dropped: the pool would only offer it again and again.
			if b, _ := pool.Get().(*bodyBuffer); b != nil && len(b[0]) >= n {
				b[0] = b[0][:n:n]
				return b
			}
		}
	}
	return &bodyBuffer{make([]byte, n)}
}
