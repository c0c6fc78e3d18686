package socket

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A stream whose messages are settled one by one, in any order.

var _ settler = (*stream)(nil)

func (s *stream) received(number, size uint64) {
	if t := s.in.taken; t != nil {
		t.add(s, note{number, size})
		return
	}
	due, _ := s.receiver.SettleNumber(s.in.env.now(), number, size)
	s.tell(due)
}

func (s *stream) settled(h *handout) (then func() error) {
	s.received(h.key, h.size)
	return nil
}

// givenBack tells the sender to deliver the message again. Without a link it will be missed by the next one.
func (s *stream) givenBack(h *handout, delay time.Duration) (then func() error) {
	if at, held := s.receiver.GiveBack(h.key); held && s.owner != nil { // or else the next OPENED says it
		s.said = zmtp.AppendNak(s.said, at, delay)
		s.tell(true)
	}
	return nil
}

func (s *stream) terminated(h *handout, reason string) (then func() error) {
	if at, held := s.receiver.Terminate(h.key, reason); held && s.owner != nil { // it is said over the next one anyway
		s.said = zmtp.AppendTerm(s.said, at, reason)
		s.tell(true)
	}
	return nil
}

// tell has the sender told what has become of messages, now or soon.
func (s *stream) tell(now bool) {
	switch {
	case !s.joined():
	case now && !s.hurried:
		s.armed, s.hurried = true, true
		s.in.env.schedule(s.owner, 0)
	case !s.armed:
		s.arm()
	}
}

func (s *stream) lease() time.Duration {
	switch wait := s.in.ackWait; {
	case wait > 0:
		return wait
	case wait == 0 && s.shared:
		return defaultAckWait
	}
	return 0
}

// sync tells the sender at once what was settled, if need be over the next link, whose answer to OPEN says it too.
func (s *stream) sync(ctx context.Context, _ *handout) error {
	q := s.in
	if q.taken != nil {
		if err := q.taken.commit(ctx); err != nil {
			return err
		}
	}
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return ErrClosed
		}
		if !s.joined() {
			w := s.opening.Join()
			q.mu.Unlock()
			err := w.Wait(ctx)
			q.mu.Lock()
			s.opening.Leave(w, err)
			q.mu.Unlock()
			if err != nil {
				return err
			}
			continue
		}
		l := s.owner
		q.mu.Unlock()
		l.payAcks()
		if l.out.box.awaitWritten(ctx, l) {
			return nil
		}
		select {
		case <-l.hasLeft: // the next one says it
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
