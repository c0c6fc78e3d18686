package zmtp

import (
	"math/bits"
	"sync"
)

// Buffers of long bodies that were given back, by the power of two that their size is at least.
var (
	bodies  [maxBodyClass + 2]sync.Pool // of *[]byte
	headers = sync.Pool{New: func() any { return new([]byte) }}
)

const (
	minBodyClass = 13 // 8 KiB: about bodyAlone
	maxBodyClass = 24 // 16 MiB
)

// Recycle gives the buffer of a long body back to all Readers of the process, which may read another body into it: nobody
// may use it any more. A buffer that no Reader would take is left to the garbage collector.
func Recycle(body []byte) {
	if class := bits.Len(uint(cap(body))) - 1; class >= minBodyClass && class <= maxBodyClass {
		h := headers.Get().(*[]byte)
		*h = body[:cap(body)]
		bodies[class].Put(h)
	}
}

// takeBody returns a buffer of n bytes for a long body: one that was given back, if there is one of about that size.
func takeBody(n int) []byte {
	if class := bits.Len(uint(n)) - 1; class >= minBodyClass && class <= maxBodyClass {
		for _, pool := range []*sync.Pool{&bodies[class], &bodies[class+1]} {
			h, _ := pool.Get().(*[]byte)
			if h == nil {
				continue
			}
			b := *h
			*h = nil
			headers.Put(h)
			if len(b) >= n {
				return b[:n:n]
			}
			// It is a little too small; the pool would only offer it again and again.
		}
	}
	return make([]byte, n)
}
