package main

import (
	"context"
	"errors"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

const dedupHelp = `With --dedup DIR the receiver is the same one whenever it is started with the same DIR, for senders
that have a spool: they keep what was not printed, and DIR keeps what was, so that none is printed
again. A message counts as printed once it was written to standard output; one that was just being
written when the tool was killed may come again.`

// A deliverer is a receiver that says when a message is done with.
type deliverer interface {
	Next(ctx context.Context) (*socket.Delivery, error)
}

// maxPrinted is after how many messages at the latest the output is flushed, and they are acknowledged; the socket
// hands out no more than 1,000 that are not.
const maxPrinted = 500

// tellWithin is how long the end of --dedup's notes waits for the disk, and for the sender to be told.
const tellWithin = 200 * time.Millisecond

// nextDelivery is Recv of a receiver with --dedup.
func (s *session) nextDelivery(ctx context.Context, sock socket.Receiver) (socket.Msg, error) {
	d, err := sock.(deliverer).Next(ctx)
	if err != nil {
		return socket.Msg{}, err
	}
	s.printed = append(s.printed, d)
	return d.Msg, nil
}

// tryRecv is TryRecv; with --dedup it is ErrWouldBlock, too, when it is time to flush.
func (s *session) tryRecv(sock socket.Receiver) (socket.Msg, error) {
	if s.flags.taken == nil {
		return sock.TryRecv()
	}
	if len(s.printed) >= maxPrinted {
		return socket.Msg{}, socket.ErrWouldBlock
	}
	m, err := s.nextDelivery(over, sock)
	if errors.Is(err, context.Canceled) {
		err = socket.ErrWouldBlock
	}
	return m, err
}

// flush flushes the output. What was printed is acknowledged then, and noted on disk.
func (s *session) flush(out *printer) error {
	if err := out.flush(); err != nil || len(s.printed) == 0 {
		return err
	}
	last := s.printed[len(s.printed)-1]
	for _, d := range s.printed[:len(s.printed)-1] {
		if err := d.Ack(); err != nil {
			return failf("%w", err)
		}
	}
	s.printed = s.printed[:0]
	ctx, cancel := context.WithTimeout(context.Background(), tellWithin)
	defer cancel()
	if err := last.AckSync(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return failf("%w", err)
	}
	return nil
}
