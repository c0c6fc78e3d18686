package pipeline

import (
	"fmt"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// answer says what became of a job, unless that was said before, or the job was taken away.
func (h *held) answer(head patterns.Head, body []byte) error {
	w := h.from.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.over {
		return ErrSettled
	}
	switch head.Kind { //nolint:exhaustive // a job's own three
	case patterns.KindAck:
		w.stats.Acked++
	case patterns.KindNack:
		w.stats.Nacked++
	case patterns.KindReject:
		w.stats.Rejected++
	}
	return h.finish(head, body)
}

// finish tells the pusher what became of a job, and lets go of it. What is said is kept as long as the pusher may not
// have got it: it gives out no more than its window, so that what was said before that many others has arrived.
func (h *held) finish(head patterns.Head, body []byte) error {
	s := h.from
	h.drop()
	head.Seq = h.head.Seq
	msg := frames(&head, body)
	if s.met {
		if s.said = append(s.said, answer{head.Seq, msg}); len(s.said) > s.window {
			s.said = append(s.said[:0], s.said[1:]...)
		}
	}
	if s.conn == nil {
		return fmt.Errorf("to the pusher: %w", socket.ErrPeerLost)
	}
	return s.conn.TrySend(socket.Msg{Frames: append([][]byte(nil), msg...)})
}

// drop lets go of a job. The caller holds mu.
func (h *held) drop() {
	w := h.from.worker
	if h.over {
		return
	}
	h.over = true
	if h.queued {
		w.stored--
	} else {
		w.begun--
	}
	if h.from.held[h.head.Seq] == h {
		delete(h.from.held, h.head.Seq)
	}
}

// revoke takes a job away that is not this worker's any more. The pusher waits for a word on it before it gives this
// worker another one: where a handler is at it that comes when it returns. The caller holds mu.
func (h *held) revoke() {
	h.from.worker.stats.Revoked++
	if h.queued {
		_ = h.finish(patterns.Head{Kind: patterns.KindNack, NotBegun: true}, nil) // whether it arrives or not
		return
	}
	h.drop()
	h.revoked = true
	if h.lost != nil {
		h.lost(ErrSettled)
	}
	if !h.auto {
		h.release()
	}
}

// release says of a job that was taken away that nobody is at it any more.
func (h *held) release() {
	_ = h.from.send(patterns.Head{Kind: patterns.KindNack, Seq: h.head.Seq}) // the pusher knows if this one is lost
}

// renew renews the lease.
func (h *held) renew() error {
	w := h.from.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.over {
		return ErrSettled
	}
	return h.from.send(patterns.Head{Kind: patterns.KindInProgress, Seq: h.head.Seq})
}

// ended says that a handler has returned.
func (h *held) ended() {
	w := h.from.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if h.revoked && h.from.held[h.head.Seq] == nil {
		h.release()
	}
}
