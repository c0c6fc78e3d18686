package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/socket"
)

// farewell is how long a drain waits, when no call is left, for callers that have not said goodbye in turn.
const farewell = 2 * time.Second

// Serve waits until ctx ends. It then tells callers to go elsewhere, refuses new calls, waits for those that run, for
// as long as WithGrace allows, and closes. The error is nil if all have ended. If the service is closed meanwhile it
// matches socket.ErrClosed. Calls are answered without Serve too, from Bind on.
//
// A service that is announced should be taken back before ctx ends, so that nobody finds it any more.
func (s *Service) Serve(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-s.over:
		return fmt.Errorf("rpc: serve: %w", socket.ErrClosed)
	}
	end, cancel := context.WithTimeout(context.Background(), s.cfg.grace)
	defer cancel()
	left := s.drain(end)
	var err error
	if end.Err() == nil {
		err = s.bound.Shutdown(end)
	}
	if left > 0 {
		err = errors.Join(err, fmt.Errorf("rpc: serve: closed while %d calls ran, after %v of grace", left, s.cfg.grace))
	}
	return errors.Join(err, s.Close())
}

// drain says goodbye, waits until nothing is left to do, and returns how many calls are left at the end of its time.
//
// A caller that has had the bye sends no new calls, and says bye itself once it has had the replies to all that it had
// sent. So when all callers have said it, none of their calls is on its way, and the connections can be closed. Those
// that are foreign neither send nor get one.
func (s *Service) drain(end context.Context) (left int) {
	s.mu.Lock()
	s.draining = true
	for who := range s.callers {
		who.say(patterns.KindBye)
	}
	s.mu.Unlock()
	var last <-chan time.Time
	for {
		peers := s.bound.Socket().Stats().Peers
		s.mu.Lock()
		calls, here, changed := s.calls, 0, s.changed
		known := make(map[*socket.Peer]bool, len(s.callers))
		for who := range s.callers {
			known[who.conn.Peer] = true
			if !who.conn.Foreign() && !who.bye {
				here++
			}
		}
		for _, p := range peers { // of whom Up is to tell still, and who may have sent calls
			if !known[p.Peer] {
				here++
			}
		}
		s.mu.Unlock()
		switch {
		case calls == 0 && here == 0:
			return 0
		case calls > 0:
			last = nil
		case last == nil:
			timer := time.NewTimer(farewell)
			defer timer.Stop() // there is one in nearly all cases
			last = timer.C
		}
		select {
		case <-changed:
		case <-last:
			return 0
		case <-end.Done():
			return calls
		}
	}
}

// change wakes a drain. mu is held.
func (s *Service) change() {
	if s.draining {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// say tells a caller that it may send calls, or none any more. There is room for it, unless so many calls are out that
// the caller will learn it from the next.
func (who *caller) say(k patterns.Kind) {
	if !who.conn.Foreign() {
		h := patterns.Head{Kind: k}
		_ = who.conn.TrySend(socket.NewMsg(nil, h.AppendTo(nil)))
	}
}
