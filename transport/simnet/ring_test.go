package simnet

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestRingAgainstSlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r ring
	var model []byte
	for range 20_000 {
		switch rng.IntN(5) {
		case 0, 1:
			b := make([]byte, rng.IntN(400))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			r.push(b)
			model = append(model, b...)
		case 2, 3:
			n := rng.IntN(min(len(model), 500) + 1)
			got := make([]byte, n)
			r.peek(got)
			r.pop(n)
			if !bytes.Equal(got, model[:n]) {
				t.Fatal("bytes differ")
			}
			model = model[n:]
		case 4:
			n := len(model) - rng.IntN(min(len(model), 20)+1)
			r.truncate(n)
			model = model[:n]
		}
		if r.size != len(model) {
			t.Fatalf("size %d, want %d", r.size, len(model))
		}
	}
}
