package main

import (
	"context"
	"os"
	"sync"
	"time"
)

// A floor is the least that a store can do: one goroutine takes all that waits, appends it to a file that grows by one write, syncs it,
// and wakes who waited.
type floor struct {
	f    *os.File
	slow bool
	kick chan struct{}
	done chan struct{}

	mu      sync.Mutex
	waiting []rawRequest
	closed  bool
}

type rawRequest struct {
	bodies [][]byte
	done   chan error
}

// rawGroup bounds what goes into one write, as the spool does.
const rawGroup = 8 << 20

func openFloor(path string, slow bool) (store, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	r := &floor{f: f, slow: slow, kick: make(chan struct{}, 1), done: make(chan struct{})}
	go r.run()
	return r, nil
}

func (r *floor) append(_ context.Context, bodies [][]byte) error {
	q := rawRequest{bodies, make(chan error, 1)}
	r.mu.Lock()
	r.waiting = append(r.waiting, q)
	r.mu.Unlock()
	r.wake()
	return <-q.done
}

func (r *floor) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

func (r *floor) run() {
	defer close(r.done)
	var buf []byte
	for range r.kick {
		for {
			r.mu.Lock()
			buf = buf[:0]
			n := 0
			for ; n < len(r.waiting) && len(buf) < rawGroup; n++ {
				for _, b := range r.waiting[n].bodies {
					buf = append(buf, b...)
				}
			}
			group, closed := r.waiting[:n:n], r.closed
			r.waiting = r.waiting[n:]
			r.mu.Unlock()
			if n == 0 {
				if closed {
					return
				}
				break
			}
			_, err := r.f.Write(buf)
			if err == nil {
				if r.slow {
					time.Sleep(time.Millisecond)
				}
				err = syncData(r.f)
			}
			for _, q := range group {
				q.done <- err
			}
		}
	}
}

func (r *floor) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.wake()
	<-r.done
	return r.f.Close()
}
