package socket

import (
	"encoding/binary"
	"testing"
)

// wholeIn is how many of the messages lie whole in the first written bytes.
func wholeIn(ms []Msg, written int) (n int) {
	for _, m := range ms {
		if written -= len(encoded(m)); written < 0 {
			break
		}
		n++
	}
	return n
}

// checkUndo undoes a batch that holds ms and of which some bytes were written.
func checkUndo(t *testing.T, b *batch, ms []Msg, written int) {
	t.Helper()
	n := wholeIn(ms, written)
	for _, s := range b.segs {
		if s.slab != nil {
			defer slabs.Put(s.slab) // the messages are not kept here
		}
	}
	delivered, rest, begun := b.undo(written, nil)
	whole := 0
	for _, m := range ms[:n] {
		whole += len(encoded(m))
	}
	if want := n < len(ms) && written > whole; begun != want {
		t.Fatalf("with %d bytes written the first message left is begun: %v, want %v", written, begun, want)
	}
	if want := countAll(ms[:n]); delivered != want {
		t.Fatalf("with %d bytes written %v are delivered, want %v", written, delivered, want)
	}
	if !sameMessages(rest, ms[n:]) {
		t.Fatalf("with %d bytes written %d messages are left, want the last %d of %d, unchanged", written, len(rest),
			len(ms)-n, len(ms))
	}
	if !b.empty() || b.count != (Count{}) || b.head != 0 {
		t.Fatalf("with %d bytes written the batch is not empty afterwards: %v in %d segments", written, b.count, len(b.segs))
	}
}

// Every number of bytes a write can end after.
func TestBatchUndoAtEveryByte(t *testing.T) {
	r := numbers(20)
	ms := []Msg{
		fresh(r, 3), fresh(r, 0), fresh(r, 0, 0), fresh(r, 300), fresh(r, 2, referTo, 5), fresh(r, 1), fresh(r, referTo),
		fresh(r, 7, 0),
	}
	wire := len(encodedAll(ms))
	for written := range wire + 1 {
		checkUndo(t, batchOf(ms...), ms, written)
	}
}

// The edges of messages and of slabs, in batches over several slabs, some of whose messages were dropped before.
func TestBatchUndoAtEveryEdge(t *testing.T) {
	ms := mixed(21, 30)
	for dropped := range 4 {
		drop := dropped * 5
		left := ms[drop:]
		made := func() *batch {
			b := batchOf(ms...)
			for range drop {
				b.dropOldest()
			}
			return b
		}
		var edges []int
		end := 0
		for _, m := range left {
			end += len(encoded(m))
			edges = append(edges, end)
		}
		end = 0
		for _, v := range made().vectors(nil) {
			end += len(v)
			edges = append(edges, end)
		}
		checkUndo(t, made(), left, 0)
		for _, e := range edges {
			for written := e - 1; written <= min(e+1, end); written++ {
				checkUndo(t, made(), left, written)
			}
		}
	}
}

func TestBatchUndoOfNothing(t *testing.T) {
	checkUndo(t, new(batch), nil, 0)
}

// FuzzBatchUndo fills a batch as the program says, three bytes a step, and undoes it with part of it written.
func FuzzBatchUndo(f *testing.F) {
	f.Add([]byte{}, uint16(0), uint16(0))
	f.Add([]byte{0, 5, 0, 0, 5, 0}, uint16(8), uint16(0))
	f.Add([]byte{1, 0, 32, 0, 9, 0, 0, 0, 33}, uint16(0xffff), uint16(1))
	f.Add([]byte{0, 0xff, 0x1f, 0, 0xff, 0x1f, 1, 0xff, 0x1f, 0, 0xff, 0x1f, 3, 0, 0, 0, 0xff, 0x1f, 0, 0, 0x20},
		uint16(30000), uint16(2))
	f.Add([]byte{2, 100, 0, 0, 0, 0x40, 2, 200, 0, 3, 0, 0, 2, 1, 1}, uint16(100), uint16(3))
	f.Fuzz(func(t *testing.T, program []byte, written, seed uint16) {
		program = program[:min(len(program), 3*64)]
		r := numbers(uint64(seed))
		b := new(batch)
		var ms []Msg
		var frames []int
		for ; len(program) >= 3; program = program[3:] {
			size := int(binary.LittleEndian.Uint16(program[1:])) % (3 * referTo)
			switch program[0] & 3 {
			case 0: // the last frame of a message
				m := fresh(r, append(frames, size)...)
				frames = nil
				b.add(m.Frames, m.Size())
				ms = append(ms, m)
			case 1: // another frame to come
				frames = append(frames, size)
			case 2: // a message encoded before
				m := fresh(r, size%referTo)
				b.addEncoded(encoded(m), m.Size())
				ms = append(ms, m)
			case 3:
				if len(ms) == 0 {
					continue
				}
				if got, want := b.dropOldest(), countAll(ms[:1]); got != want {
					t.Fatalf("drop counts %v, want %v", got, want)
				}
				ms = ms[1:]
			}
		}
		checkBatch(t, b, ms)
		total := len(encodedAll(ms))
		checkUndo(t, b, ms, int(written)*total/0xffff)
		if len(ms) > 0 { // the batch is as good as new
			b.add(ms[0].Frames, ms[0].Size())
			checkBatch(t, b, ms[:1])
		}
	})
}
