package socket

import (
	"sync"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A seal encrypts what a flight writes, where the link's mechanism does that. It belongs to the link's writer, as the
// flight does, so that frames are sealed outside of all locks and in the order of the wire. What the flight has stays
// as it was: messages that a lost connection leaves behind can be sent again, on another link and otherwise encrypted,
// and bytes that several links share are encrypted for each.
type seal struct {
	sealer  zmtp.Sealer
	buf     *[]byte   // whole encrypted frames; nil while nothing is being written
	written int       // bytes of buf that are
	frames  []sealing // those of buf that are not written whole
	whole   int       // where the last frame in buf ends that is
}

// A sealing is one encrypted frame: where it ends in the buffer, and how many bytes it had before.
type sealing struct{ end, plain int }

// sealMost is how much is encrypted before it is written: then the first of it can be on its way while the rest is
// being encrypted, and the cache has it still. A frame that is longer than that goes alone.
const sealMost = 64 << 10

var sealBuffers = sync.Pool{New: func() any { return new([]byte) }}

// next returns encrypted bytes that are to be written: what is left of those it has made before or, if that is nothing,
// those of the first frames in vec.
func (s *seal) next(vec [][]byte) []byte {
	if s.buf == nil {
		s.buf = sealBuffers.Get().(*[]byte)
		s.encrypt(vec)
	}
	return (*s.buf)[s.written:]
}

// encrypt seals the first frames in vec. None of them straddles two runs, but that the body of one may be a run of its
// own behind its header (batch).
func (s *seal) encrypt(vec [][]byte) {
	out := (*s.buf)[:0]
	var run []byte
	for len(out) < sealMost {
		if len(run) == 0 {
			if len(vec) == 0 {
				break
			}
			run, vec = vec[0], vec[1:]
		}
		h, n, err := zmtp.ParseHeader(run)
		if err != nil || n == 0 {
			panic("socket: no frame to be encrypted")
		}
		size := int(h.Size)
		var body []byte
		if n < len(run) || size == 0 {
			body, run = run[n:n+size], run[n+size:]
		} else { // a referenced body
			body, run, vec = vec[0][:size], nil, vec[1:]
		}
		out = s.sealer.Seal(out, h.Flags, body)
		s.frames = append(s.frames, sealing{len(out), n + size})
	}
	*s.buf = out
}

// wrote notes that n more bytes of what next gave are written. It returns how many bytes the frames had before that are
// written whole by that.
func (s *seal) wrote(n int) (plain int) {
	if s.buf == nil {
		return 0
	}
	s.written += n
	done := 0
	for ; done < len(s.frames) && s.frames[done].end <= s.written; done++ {
		s.whole = s.frames[done].end
		plain += s.frames[done].plain
	}
	s.frames = s.frames[:copy(s.frames, s.frames[done:])]
	if s.written == len(*s.buf) {
		s.release()
	}
	return plain
}

// begun reports whether a frame is written in part.
func (s *seal) begun() bool { return s.written > s.whole }

// release gives the buffer back: a link that is idle has none.
func (s *seal) release() {
	if s.buf != nil && cap(*s.buf) <= 4*sealMost {
		sealBuffers.Put(s.buf)
	}
	*s = seal{sealer: s.sealer, frames: s.frames[:0]}
}
