package socket

import (
	"encoding/binary"
	"time"
)

// The time of arrival of a message (WithReceived). A Msg has no field for it, for that would make every queue a half
// longer: it stands behind the frames, in a place of their list that is not a part of it. The list is made anew for
// that, as the message is queued.

// A ReceivedOption configures a socket whose messages say when they have come.
type ReceivedOption interface {
	PullOption
	SubOption
	DealerOption
	RouterOption
	PairOption
	XSubOption
}

// WithReceived has each message that is received say by [Msg.Received] when it came, so that the application knows how
// long it has waited for Recv. It costs an allocation for each message. The default is not to.
func WithReceived() ReceivedOption {
	return optionForReceived{setting: func(c *config) { c.received = true }}
}

// Received is when the message came to a socket with [WithReceived], which is when it was queued for Recv; over inproc,
// where a sender may keep messages for a moment, when it was handed over. It has a monotonic reading, as from
// [time.Now]. It is zero for any other message, for one that was read from the disk of [WithInbox], and for one whose
// list of frames is another than Recv has returned, unless that begins later: a body that [Msg.Envelope] has split off
// has the time, if From is set.
func (m Msg) Received() time.Time {
	mark := m.receivedMark()
	if mark == nil {
		return time.Time{}
	}
	return m.From.conn.born.Add(time.Duration(binary.LittleEndian.Uint64(mark)))
}

// A mark of the time of arrival has no length, so that it is nobody's frame, and ends in bytes that say what it is.
const (
	markSize = 8 + len(markEnd)
	markEnd  = "yodel"
)

// receivedMark is the mark behind the frames; nil if there is none.
func (m Msg) receivedMark() []byte {
	n := cap(m.Frames)
	if n == len(m.Frames) || m.From == nil || m.From.conn == nil || m.From.conn.born == nil {
		return nil
	}
	mark := m.Frames[:n][n-1]
	if len(mark) != 0 || cap(mark) != markSize || string(mark[8:markSize]) != markEnd {
		return nil
	}
	return mark[:markSize]
}

// markReceived is the message with the mark of a moment.
func (m Msg) markReceived(at time.Duration) Msg {
	mark := make([]byte, markSize)
	binary.LittleEndian.PutUint64(mark, uint64(at))
	copy(mark[8:], markEnd)
	return m.marked(mark)
}

// marked is the message in a list of its own, with a mark behind its frames. Without a mark it is the message itself.
func (m Msg) marked(mark []byte) Msg {
	if mark == nil {
		return m
	}
	n := len(m.Frames)
	frames := make([][]byte, n+1)
	copy(frames, m.Frames)
	frames[n] = mark[:0]
	m.Frames = frames[:n]
	return m
}

// came notes when messages came that are about to be queued.
func (q *inbox) came(msgs []Msg) {
	now := q.env.now()
	for i := range msgs {
		msgs[i] = msgs[i].markReceived(now)
	}
}
