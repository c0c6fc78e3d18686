package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
)

// A note is what tells one message from all others: the goroutine that sent it, the life of the sender's process, and
// its number in these, from 1 on.
type note struct {
	Lane uint16
	Life uint32
	N    uint64
}

const (
	maxLanes = 1 << 10
	noteSize = 16
	mark     = 0xc4a5 // the first two bytes of a note
)

// before: it was sent before the other on the same lane.
func (n note) before(o note) bool {
	return n.Life < o.Life || n.Life == o.Life && n.N < o.N
}

// frames makes the message: the note and bytes that follow from it and the seed, in a few frames. Most messages are
// small, some large.
func (n note) frames(seed uint64) [][]byte {
	var r rand.PCG
	r.Seed(seed^n.N, uint64(n.Lane)<<32|uint64(n.Life))
	shape := r.Uint64()
	size := int(shape>>8) % 160
	switch {
	case shape>>32%1024 == 0:
		size = int(shape>>8) % (96 << 10)
	case shape>>32%32 == 0:
		size = int(shape>>8) % (4 << 10)
	}
	b := make([]byte, noteSize, noteSize+size+8)
	binary.BigEndian.PutUint16(b, mark)
	binary.BigEndian.PutUint16(b[2:], n.Lane)
	binary.BigEndian.PutUint32(b[4:], n.Life)
	binary.BigEndian.PutUint64(b[8:], n.N)
	for len(b) < noteSize+size {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	b = b[:noteSize+size]
	if shape%8 > 0 {
		return [][]byte{b}
	}
	middle := noteSize + size/2
	return [][]byte{b[:noteSize], b[noteSize:middle], b[middle:]}
}

// topic is what the messages of a lane begin with.
func topic(lane uint16) string {
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, mark), lane))
}

// readNote returns the note of a message, and whether the message is the very one that was made of it.
func readNote(seed uint64, frames [][]byte) (n note, whole bool) {
	if len(frames) == 0 || len(frames[0]) < noteSize || binary.BigEndian.Uint16(frames[0]) != mark {
		return note{}, false
	}
	b := frames[0]
	n = note{binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint64(b[8:])}
	want := n.frames(seed)
	if len(want) != len(frames) {
		return n, false
	}
	for i := range want {
		if !bytes.Equal(want[i], frames[i]) {
			return n, false
		}
	}
	return n, true
}
