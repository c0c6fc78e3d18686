package curve

import (
	"slices"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// MESSAGE, from either side after the handshake: the body of a frame, of at least 33 bytes.
//
//	 0  8    07 "MESSAGE"
//	 8  8    number of the command
//	16  16   authenticator of what follows
//	32  1+   flags and body of the frame inside, encrypted
//
// What begins at 16 is a box for "CurveZMQMESSAGEC" from the client, "CurveZMQMESSAGES" from the server. RFC 26 calls
// it a command; the frame around it is a message's as libzmq has it, which takes the flag for one of the frame inside.
//
// The flags inside are not those of a frame's header:
//
//	1  MORE
//	2  COMMAND, which RFC 26 has not and libzmq sends
const (
	messageName   = "\x07MESSAGE"
	messageNumber = len(messageName)
	messageTag    = messageNumber + shortNonceSize
	messageBody   = messageTag + boxOverhead
	overhead      = messageBody + 1

	insideMore    = 1
	insideCommand = 2

	fromClient = "CurveZMQMESSAGEC"
	fromServer = "CurveZMQMESSAGES"
)

// traffic is the two directions of a connection after the handshake: a [zmtp.Sealer] and a [zmtp.Opener], which
// goroutines of their own use at once.
type traffic struct {
	in   direction
	keys *sessionKeys
	_    [64]byte // so that whoever reads and whoever writes do not share a line of the cache
	out  direction
}

// Overhead implements [zmtp.Sealer] and [zmtp.Opener].
func (*traffic) Overhead() int { return overhead }

// Seal implements [zmtp.Sealer].
func (t *traffic) Seal(b []byte, flags byte, body []byte) []byte {
	size := overhead + len(body)
	b = zmtp.AppendHeader(slices.Grow(b, zmtp.MaxHeaderSize+size), 0, size)
	at := len(b)
	b = b[:at+size]
	inside := flags & zmtp.FlagMore
	if flags&zmtp.FlagCommand != 0 {
		inside |= insideCommand
	}
	t.out.seal(b[at:], inside, body)
	return b
}

// Open implements [zmtp.Opener].
func (t *traffic) Open(flags byte, body []byte) (plainFlags byte, plain []byte, err error) {
	if flags&zmtp.FlagMore != 0 {
		return 0, nil, malformed("MESSAGE", "more frames are said to follow outside of its box")
	}
	inside, plain, err := t.in.open(body)
	if err != nil {
		return 0, nil, err
	}
	if inside&^(insideMore|insideCommand) != 0 {
		return 0, nil, malformed("MESSAGE", "flags %#02x; only %#02x are known", inside, insideMore|insideCommand)
	}
	plainFlags = inside & insideMore
	if inside&insideCommand != 0 {
		plainFlags |= zmtp.FlagCommand
	}
	return plainFlags, plain, nil
}
