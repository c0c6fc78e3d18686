package zmtp

import (
	"bytes"
	"io"
	"runtime"
	"testing"
)

// A blank source brings a header and then as many bytes as are asked for, which it does not even write, until it ends.
type blank struct {
	head []byte
	left int
}

func (b *blank) Read(into []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(into, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	n := min(len(into), b.left)
	if n == 0 {
		return 0, io.EOF
	}
	b.left -= n
	return n, nil
}

// taken is all that a Reader has taken for a body under way.
func (r *Reader) taken() int {
	n := len(r.bodyBytes())
	for _, p := range r.parts {
		n += len(p[0])
	}
	return n
}

// TestReaderVeryLongBody: a body of hundreds of megabytes costs little more than itself, whole and on the way.
func TestReaderVeryLongBody(t *testing.T) {
	for _, size := range []int{300_000_000, 600_000_000} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		src := &blank{claimOf(uint64(size)), size}
		r := NewReader(src, nil, Limits{})
		for {
			batch, err := r.Next(nil)
			if err != nil {
				t.Fatal(err)
			}
			if come := size - src.left; r.taken() > bodyTrust*come+firstBuffer {
				t.Fatalf("%d bytes taken after %d had come", r.taken(), come)
			}
			if len(batch) > 0 {
				if got := len(batch[0][0]); got != size || cap(batch[0][0]) != size {
					t.Errorf("a body of %d bytes came as one of %d", size, got)
				}
				break
			}
		}
		runtime.ReadMemStats(&after)
		if each := int(after.TotalAlloc - before.TotalAlloc); each > size/10*13 {
			t.Errorf("a body of %d bytes took %d in all, want at most 1.3 times as much", size, each)
		}
	}
}

// TestReaderVeryLongBodyIsWhole: no byte is lost or moved where parts become one buffer.
func TestReaderVeryLongBodyIsWhole(t *testing.T) {
	const size = 8*partsFrom + 3*partSize + 12345
	pattern := []byte("none of these is a power of two long")
	body := bytes.Repeat(pattern, size/len(pattern)+1)[:size]
	r := NewReader(io.MultiReader(bytes.NewReader(claimOf(size)), bytes.NewReader(body)), nil, Limits{})
	for {
		batch, err := r.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) > 0 {
			if got := batch[0][0]; !bytes.Equal(got, body) {
				t.Errorf("the body came as another, of %d bytes", len(got))
			}
			return
		}
	}
}

// TestReaderForgetsLargeBody: that a peer has sent a large body once does not make its next claim cost as much.
func TestReaderForgetsLargeBody(t *testing.T) {
	const size = 60 << 20
	in := append(frame(0, size), claimOf(size)...)
	src := &cuts{in: append(in, "ten bytes."...)}
	r := NewReader(src, nil, Limits{})
	for {
		_, err := r.Next(nil)
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if r.body == nil || r.held() > maxFirstBuffer+maxSlab {
		t.Errorf("%d bytes held for ten that came, want at most %d", r.held(), maxFirstBuffer+maxSlab)
	}
}
