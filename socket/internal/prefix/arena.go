package prefix

// An arena hands out blocks of 1, 2, 4 … 1<<chunkBits elements and takes them back. They stay where they are;
// references are numbers. A block begins at a multiple of its length, so that one of up to 64 bytes is in one line of
// the processor's cache. Growing copies no more than one chunk. The zero arena is empty.
type arena[T any] struct {
	chunks [][]T   // of 1<<chunkBits elements each, but that a single one may be smaller
	free   [][]int // blocks to hand out, by the logarithm of their length
	size   int     // elements in all chunks
	used   int     // elements in blocks that are handed out
}

const (
	chunkBits = 12
	chunkMask = 1<<chunkBits - 1
	firstBits = 3 // the first chunk begins with 1<<firstBits elements
)

// block returns the block of 1<<bits elements at a place. It is valid until the next call of take.
func (a *arena[T]) block(at int, bits uint8) []T {
	return a.chunks[at>>chunkBits][at&chunkMask:][: 1<<bits : 1<<bits]
}

// take hands out a block of 1<<bits zero elements.
func (a *arena[T]) take(bits uint8) (at int) {
	from := int(bits)
	for from >= len(a.free) || len(a.free[from]) == 0 {
		if from++; from > chunkBits {
			a.grow()
			from = int(bits)
		}
	}
	last := len(a.free[from]) - 1
	at, a.free[from] = a.free[from][last], a.free[from][:last]
	for from > int(bits) { // the second half stays
		from--
		a.free[from] = append(a.free[from], at+1<<from)
	}
	a.used += 1 << bits
	return at
}

// give takes a block back.
func (a *arena[T]) give(at int, bits uint8) {
	clear(a.block(at, bits))
	a.free[bits] = append(a.free[bits], at)
	a.used -= 1 << bits
}

// grow doubles the first chunk, or adds another when that is of full size.
func (a *arena[T]) grow() {
	more := firstBits
	switch {
	case a.size == 0:
		a.free = make([][]int, chunkBits+1)
		a.chunks = [][]T{make([]T, 1<<more)}
	case a.size < 1<<chunkBits:
		for 1<<more < a.size {
			more++
		}
		larger := make([]T, 2*a.size)
		copy(larger, a.chunks[0])
		a.chunks[0] = larger
	default:
		more = chunkBits
		a.chunks = append(a.chunks, make([]T, 1<<more))
	}
	a.free[more] = append(a.free[more], a.size)
	a.size += 1 << more
}

// wasteful tells whether more than three quarters are not in use, and not just a little in all.
func (a *arena[T]) wasteful() bool { return a.size > 4*a.used+512 }
