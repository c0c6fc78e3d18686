package group

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/line"
	"github.com/yodel-mq/yodel/socket"
)

// A lane is the way out to the peer of a connection. What a member says of itself, hello, join and leave, never waits
// and is never lost while the connection lasts: it goes ahead of all that is sent later.
type lane struct {
	conn   *line.Conn
	turn   chan struct{} // whoever sends has put something in
	hasten *time.Timer   // ends the connection; guarded by core.mu

	mu    sync.Mutex
	first []socket.Msg // what has to be sent first
}

func newLane(c *line.Conn) *lane { return &lane{conn: c, turn: make(chan struct{}, 1)} }

// add adds what has to be sent first; flush must follow.
func (l *lane) add(m socket.Msg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = append(l.first, m)
}

// send sends a message, waiting for its turn and for room until ctx ends.
func (l *lane) send(ctx context.Context, m socket.Msg, work *sync.WaitGroup) error {
	select {
	case l.turn <- struct{}{}:
	default:
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer l.release(work)
	send := func(m socket.Msg) error { return l.conn.Send(ctx, m) }
	if err := l.sendFirst(send); err != nil {
		return err
	}
	return send(m)
}

// trySend is send that returns socket.ErrWouldBlock where that would wait.
func (l *lane) trySend(m socket.Msg, work *sync.WaitGroup) error {
	select {
	case l.turn <- struct{}{}:
	default:
		return socket.ErrWouldBlock
	}
	defer l.release(work)
	if err := l.sendFirst(l.conn.TrySend); err != nil {
		return err
	}
	return l.conn.TrySend(m)
}

// flush sends what was added. It does not wait: if somebody else is sending he does it, and if there is no room a
// goroutine that is counted in work.
func (l *lane) flush(work *sync.WaitGroup) {
	for l.pending() {
		select {
		case l.turn <- struct{}{}:
		default:
			return // he looks again when he is done
		}
		if errors.Is(l.sendFirst(l.conn.TrySend), socket.ErrWouldBlock) {
			work.Go(func() { // until the peer takes it, the connection ends or the socket closes
				_ = l.sendFirst(func(m socket.Msg) error { return l.conn.Send(context.Background(), m) })
				l.release(work)
			})
			return
		}
		<-l.turn
	}
}

// release ends a turn.
func (l *lane) release(work *sync.WaitGroup) {
	<-l.turn
	l.flush(work)
}

// sendFirst sends what has to be sent first. What is not sent stays, unless the connection is over.
func (l *lane) sendFirst(send func(socket.Msg) error) error {
	for {
		l.mu.Lock()
		if len(l.first) == 0 {
			l.first = nil
			l.mu.Unlock()
			return nil
		}
		m := l.first[0]
		l.mu.Unlock()
		err := send(m)
		l.mu.Lock()
		switch {
		case err == nil:
			l.first = l.first[1:]
		case errors.Is(err, socket.ErrPeerLost) || errors.Is(err, socket.ErrClosed):
			l.first = nil
		}
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (l *lane) pending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.first) > 0
}
