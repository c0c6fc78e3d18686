package socket

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Msg is one message: a list of frames that travels whole or not at all.
//
// Sending hands the frames over: neither the list nor the bytes may be changed afterwards. A received message is the
// receiver's for good, to keep or to change. It shares no bytes with another message, unless its sender, in the same
// process, made them share: inproc moves the message itself.
type Msg struct {
	// Frames has at least one frame; a frame may be empty. (But see [WithNotices].)
	Frames [][]byte
	// From is the peer a received message came from, nil on a message made by the application. Send ignores it.
	From *Peer
}

// NewMsg returns a message of the given frames, which it does not copy.
func NewMsg(frames ...[]byte) Msg { return Msg{Frames: frames} }

// Text returns a message with one frame, a copy, for each string.
func Text(frames ...string) Msg {
	m := Msg{Frames: make([][]byte, len(frames))}
	for i, f := range frames {
		m.Frames[i] = slices.Clip([]byte(f))
	}
	return m
}

// Envelope splits a message of request and reply (RFC 28) behind its first empty frame: into the envelope, which says
// where a reply has to go and ends with that frame, and the body. A message without an empty frame is all body. Both
// share the frames of m.
func (m Msg) Envelope() (envelope, body [][]byte) {
	for i, f := range m.Frames {
		if len(f) == 0 {
			return m.Frames[: i+1 : i+1], m.Frames[i+1:]
		}
	}
	return nil, m.Frames
}

// Size is the number of payload bytes: all frames together, without what the wire adds.
func (m Msg) Size() int {
	n := 0
	for _, f := range m.Frames {
		n += len(f)
	}
	return n
}

// Bytes returns the frames joined. With one frame it is that frame itself, not a copy.
func (m Msg) Bytes() []byte {
	if len(m.Frames) == 1 {
		return m.Frames[0]
	}
	return bytes.Join(m.Frames, nil)
}

// Release gives the buffers of a received message back, to be used for messages to come. It is optional: what is not
// released is left to the garbage collector. It saves much of the time that messages of more than 16 KiB take, and
// does nothing for small ones, nor for those of a peer in the same process. After it neither the message nor any part
// of it may be used, in particular none that was given to Send; to release a message twice breaks other messages.
func (m Msg) Release() {
	if m.From == nil || m.From.inproc {
		return
	}
	zmtp.Recycle(m.Frames)
}

// String shows the frames quoted, each cut after 64 bytes.
func (m Msg) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, f := range m.Frames {
		if i > 0 {
			b.WriteByte(' ')
		}
		if len(f) > 64 {
			fmt.Fprintf(&b, "%q…(%d bytes)", f[:64], len(f))
			continue
		}
		fmt.Fprintf(&b, "%q", f)
	}
	b.WriteByte(']')
	return b.String()
}

// Clone returns a copy of the message whose frames share no memory with the original's. Send takes the frames over, so
// whoever sends a message to several sockets, or keeps it, sends a clone. From is the same.
func (m Msg) Clone() Msg {
	if len(m.Frames) == 0 {
		return m
	}
	flat := make([]byte, 0, m.Size())
	c := Msg{Frames: make([][]byte, len(m.Frames)), From: m.From}
	for i, f := range m.Frames {
		start := len(flat)
		flat = append(flat, f...)
		c.Frames[i] = flat[start:len(flat):len(flat)]
	}
	return c.marked(m.receivedMark())
}
