package rpc

import (
	"context"
	"io"
	"sync"

	"github.com/yodel-mq/yodel/patterns/internal/flow"
)

// A stream is what one side knows of the items of a call: those that have come and wait to be read, and how many bytes
// of others may be sent. The same is used on either side.
type stream struct {
	arrived  chan struct{} // has one when there is something to read, or no more will be
	credited chan struct{} // has one when an item may be sent, or none will

	mu       sync.Mutex
	items    []item
	receiver *flow.Receiver
	sender   flow.Sender
	ended    bool  // no more items will come
	err      error // why, if it was not the end of the stream
}

// An item is the body of one, encoded as typ says.
type item struct {
	typ  string
	body []byte
}

// newStream returns a stream, and the credit that the other side is to be given.
func newStream(window int) (*stream, uint64) {
	s := &stream{arrived: make(chan struct{}, 1), credited: make(chan struct{}, 1)}
	var credit uint64
	s.receiver, credit = flow.NewReceiver(window)
	return s, credit
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// push takes an item that has come. The error is the other side's fault.
func (s *stream) push(it item) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil // it comes behind the end, and nobody reads it
	}
	if err := s.receiver.Arrived(len(it.body)); err != nil {
		return err
	}
	s.items = append(s.items, it)
	signal(s.arrived)
	return nil
}

// end says that no more items will come, because of err if that is not nil. The first stands.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.err = true, err
	}
	signal(s.arrived)
	signal(s.credited)
}

// grant adds to what may be sent. The error is the other side's fault.
func (s *stream) grant(n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.sender.Grant(n); err != nil {
		return err
	}
	signal(s.credited)
	return nil
}

// next returns the next item, and the credit to give for it, which may be none; io.EOF at the end of the stream.
func (s *stream) next(ctx context.Context) (it item, credit uint64, err error) {
	for {
		s.mu.Lock()
		if len(s.items) > 0 {
			it = s.items[0]
			s.items[0] = item{}
			s.items = s.items[1:]
			credit = s.receiver.Read(len(it.body))
			s.mu.Unlock()
			return it, credit, nil
		}
		ended, err := s.ended, s.err
		s.mu.Unlock()
		switch {
		case err != nil:
			return it, 0, err
		case ended:
			return it, 0, io.EOF
		}
		select {
		case <-s.arrived:
		case <-ctx.Done():
			return it, 0, ctx.Err()
		}
	}
}

// ready waits until an item of any size may be sent, and counts it. over tells why none may any more.
func (s *stream) ready(ctx context.Context, size int, over func() error) error {
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.mu.Lock()
		ok := s.sender.Ready()
		if ok {
			s.sender.Sent(size)
		}
		s.mu.Unlock()
		if err := over(); err != nil || ok {
			return err
		}
		select {
		case <-s.credited:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// failure is why the stream has ended before its end, nil if it has not.
func (s *stream) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// finished is io.EOF when nothing more will come, or why not.
func (s *stream) finished() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended && s.err == nil {
		return io.EOF
	}
	return s.err
}
