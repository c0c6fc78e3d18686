package zmtp

import (
	"math/bits"
	"sync"
)

// A longBody is the buffer of a long body and at the same time the list of frames of a message that is nothing else.
type longBody [1][]byte

// Buffers of long bodies that were given back, by the power of two that their size is at least.
var bodies [maxBodyClass + 2]sync.Pool // of *longBody

const (
	minBodyClass = 13 // 8 KiB: about bodyAlone
	maxBodyClass = 24 // 16 MiB
)

// Recycle gives the buffers of long bodies back to all Readers of the process, which may read other bodies into them,
// and with the list of a single frame the list: nobody may use them any more. A buffer that no Reader would take is
// left to the garbage collector.
func Recycle(frames [][]byte) {
	if len(frames) == 1 && cap(frames) == 1 {
		(*longBody)(frames).recycle()
		return
	}
	for _, f := range frames {
		if _, ok := classOf(cap(f)); ok {
			(&longBody{f}).recycle()
		}
	}
}

func (b *longBody) recycle() {
	if class, ok := classOf(cap(b[0])); ok {
		b[0] = b[0][:cap(b[0])]
		bodies[class].Put(b)
	}
}

func classOf(size int) (class int, ok bool) {
	class = bits.Len(uint(size)) - 1
	return class, class >= minBodyClass && class <= maxBodyClass
}

// takeBody returns a buffer of n bytes for a long body: one that was given back, if there is one of about that size.
func takeBody(n int) *longBody {
	if class, ok := classOf(n); ok {
		for _, pool := range []*sync.Pool{&bodies[class], &bodies[class+1]} {
			// One that is a little too small is dropped: the pool would only offer it again and again.
			if b, _ := pool.Get().(*longBody); b != nil && len(b[0]) >= n {
				b[0] = b[0][:n:n]
				return b
			}
		}
	}
	return &longBody{make([]byte, n)}
}
