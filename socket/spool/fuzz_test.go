package spool

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// FuzzRecord gives bytes to all that reads records, with checksums that are right, so that it gets past them.
func FuzzRecord(f *testing.F) {
	st := newState()
	st.putDead(5, sizedPlace{place{6, 0x1000}, 7})
	st.cursors[1] = &cursorState{id: 1, name: "n"}
	st.taken[someID] = &takenState{epoch: 2}
	st.values["k"] = []byte("v")
	for _, r := range st.checkpoint(st.next, true) {
		f.Add(sealed(r))
	}
	f.Add(sealed(messageRecord(typeMessage, &Message{Seq: 1, Frames: [][]byte{[]byte("a"), nil}}, nil)))
	f.Add(sealed(messageRecord(typeDead, &Message{Seq: 1, Origin: Origin{someID, 1}}, []byte("12345678\x01r\x00\x00"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < recordHeader {
			return
		}
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
		binary.LittleEndian.PutUint32(b, crc32.Update(seed(1), castagnoli, b[4:]))
		r, ok := parseRecord(b, seed(1))
		if !ok {
			return
		}
		st := newState()
		st.cursors[0] = &cursorState{}
		for range 2 {
			st.apply(&r, place{1, 4096})
		}
		st.checkpoint(st.next, true)
		if m, ok := r.message(r.data); ok {
			n := 0
			for _, f := range m.Frames {
				n += len(f)
			}
			if n > len(b) {
				t.Fatalf("%d bytes of frames from %d", n, len(b))
			}
		}
		_ = r.dead()
		_ = parseIndex(r.data)
	})
}
