package socket

import (
	"encoding/binary"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// A requestID names a request from a spool for good, however often it is sent and by whichever connection. It is the
// frame that a Req puts in front of the empty one, which every REP and ROUTER sends back with the reply:
//
//	0 "YREQ" | 4 stream 16 | 20 number u64 | 28 low u64, big endian
//
// low is the number below which the requester has settled all, for good, so that nobody need keep a reply to those.
type requestID struct {
	requester
	number uint64
}

// A requester is whose requests are one stream. The stream is what the requester says, the user what it has proven, as
// [Peer].User has it: what two users send as one stream are two, of which neither gets anything of the other's.
type requester struct {
	stream reliable.ID
	user   string
}

const (
	requestMagic  = "YREQ"
	requestIDSize = len(requestMagic) + len(reliable.ID{}) + 16
)

func appendRequestID(b []byte, id requestID, low uint64) []byte {
	b = append(append(b, requestMagic...), id.stream[:]...)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, id.number), low)
}

func parseRequestID(frame []byte) (id requestID, low uint64, ok bool) {
	if len(frame) != requestIDSize || string(frame[:len(requestMagic)]) != requestMagic {
		return requestID{}, 0, false
	}
	frame = frame[len(requestMagic):]
	n := copy(id.stream[:], frame)
	id.number = binary.BigEndian.Uint64(frame[n:])
	return id, binary.BigEndian.Uint64(frame[n+8:]), true
}

// requestIDOf finds the id in the envelope of a request, which ends with the empty frame: what proxies have added is
// ahead of it.
func requestIDOf(envelope [][]byte) (id requestID, low uint64, ok bool) {
	if !mayComeAgain(envelope) {
		return requestID{}, 0, false
	}
	return parseRequestID(envelope[len(envelope)-2])
}

// mayComeAgain reports whether a request may have an id, by the length of the frame that would be it. Most have none,
// and this much is inlined.
func mayComeAgain(envelope [][]byte) bool {
	return len(envelope) > 1 && len(envelope[len(envelope)-2]) == requestIDSize
}
