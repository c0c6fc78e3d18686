package simnet

// ring is a byte queue that grows by doubling up to the most it was ever asked to hold. The zero value is empty.
type ring struct {
	buf  []byte
	head int // index of the oldest byte
	size int // bytes held
}

// push appends b at the end, growing if needed.
func (r *ring) push(b []byte) {
	if need := r.size + len(b); need > len(r.buf) {
		bigger := make([]byte, max(need, 2*len(r.buf), 512))
		r.peek(bigger[:r.size])
		r.buf, r.head = bigger, 0
	}
	tail := (r.head + r.size) % max(len(r.buf), 1)
	n := copy(r.buf[tail:], b)
	copy(r.buf, b[n:])
	r.size += len(b)
}

// peek copies the oldest len(b) bytes; the caller asks for no more than size.
func (r *ring) peek(b []byte) {
	n := copy(b, r.buf[r.head:min(r.head+len(b), len(r.buf))])
	copy(b[n:], r.buf)
}

// pop removes the n oldest bytes.
func (r *ring) pop(n int) {
	r.size -= n
	if r.size == 0 {
		r.head = 0
		return
	}
	r.head = (r.head + n) % len(r.buf)
}

// truncate keeps only the n oldest bytes.
func (r *ring) truncate(n int) { r.size = n }
