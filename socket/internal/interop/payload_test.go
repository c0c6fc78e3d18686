//go:build unix

package interop

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// sizes is a list of messages, each given by the sizes of its frames.
type sizes [][]int

// frameShapes has empty frames in every place.
var frameShapes = sizes{{0}, {0, 5}, {5, 0, 3}, {5, 0}, {0, 0, 0}, {0, 7, 0, 0, 9, 0}, {300, 0, 300}}

// smallSizes are around the steps from short frames to long ones, of the receive buffers, and of referenced bodies.
var smallSizes = sizes{
	{0}, {1}, {254}, {255}, {256}, {257}, {8191}, {8192}, {8193}, {65535}, {65536}, {255, 256}, {8192, 1, 8193},
}

// largeSizes are read into buffers of their own that grow.
var largeSizes = sizes{{1 << 20}, {16 << 20}, {1 << 20, 0, 1}}

// mixed is what the long streams send, round and round.
var mixed = sizes{
	{1}, {0}, {16}, {100, 0, 3}, {255}, {256}, {1000}, {0, 0}, {8192}, {33, 8193, 7}, {40000}, {12}, {64}, {2, 2, 2, 2},
}

func allSizes() sizes { return slices.Concat(frameShapes, smallSizes, largeSizes) }

// pool is random bytes, of which frames are pieces.
var pool = sync.OnceValue(func() []byte {
	b := make([]byte, 16<<20+1<<16)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
})

// message makes message number i of a stream.
func (s sizes) message(i int) socket.Msg {
	shape := s[i%len(s)]
	frames := make([][]byte, len(shape))
	for j, n := range shape {
		at := (i*7919 + j*104729) % 65521
		frames[j] = pool()[at : at+n : at+n]
	}
	return socket.NewMsg(frames...)
}

// A stream sums up a sequence of messages: contents, frame borders and order. The script computes the same.
type stream struct {
	Count, Bytes int
	Hash         string
	hash         hash.Hash
}

func (s *stream) add(frames [][]byte) {
	if s.hash == nil {
		s.hash = sha256.New()
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(frames)))
	s.hash.Write(head)
	for _, f := range frames {
		s.hash.Write(binary.BigEndian.AppendUint64(head[:0], uint64(len(f))))
		s.hash.Write(f)
		s.Bytes += len(f)
	}
	s.Count++
}

func (s *stream) sum() stream {
	if s.hash != nil {
		s.Hash = hex.EncodeToString(s.hash.Sum(nil))
	}
	return stream{Count: s.Count, Bytes: s.Bytes, Hash: s.Hash}
}

func (s stream) String() string {
	return fmt.Sprintf("%d messages, %d bytes, hash %.8s", s.Count, s.Bytes, s.Hash)
}

// sameStream fails the test unless what one side received is what the other sent.
func sameStream(t *testing.T, sent, received stream) {
	t.Helper()
	if sent, received := sent.sum(), received.sum(); sent != received {
		t.Fatalf("sent %v; received %v", sent, received)
	}
}

// numbered makes a message of a given size that begins with its number.
func numbered(i, size int) socket.Msg {
	b := make([]byte, max(8, size))
	binary.BigEndian.PutUint64(b, uint64(i))
	return socket.NewMsg(b)
}
