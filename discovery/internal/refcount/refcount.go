// Package refcount opens what a backend needs with its first user and closes it with its last: the announcements and
// watches of a backend come and go, and none of them owns its sockets and goroutines.
package refcount

import (
	"context"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// A Resource is what is open while there are users: a backend's sockets, goroutines and table.
type Resource interface {
	// Watch watches the table.
	Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error)
	// Close returns once everything is given up. It says goodbye only while ctx lasts.
	Close(ctx context.Context)
}

// goodbye bounds the Close of a resource whose last user is a watch, which has no deadline of its own.
const goodbye = 2 * time.Second

// A Session counts the users of a resource. Its methods may be called concurrently.
type Session[R Resource] struct {
	open func() (R, error)

	mu       sync.Mutex // held while opening and closing: a new user waits until the old resource is gone
	users    int
	resource R
}

// New returns a Session of what open opens.
func New[R Resource](open func() (R, error)) *Session[R] { return &Session[R]{open: open} }

// Acquire adds a user, and opens the resource for the first.
func (s *Session[R]) Acquire() (R, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		r, err := s.open()
		if err != nil {
			return r, err
		}
		s.resource = r
	}
	s.users++
	return s.resource, nil
}

// Release takes a user away, and returns once the resource is closed if it was the last.
func (s *Session[R]) Release(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.resource.Close(ctx)
		var none R
		s.resource = none
	}
}

// Current returns the resource if it is open.
func (s *Session[R]) Current() (r R, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resource, s.users > 0
}

// Watch is the Watch of a backend: the resource stays open until ctx ends. The channel is closed after the resource, if
// the watch was the last user. begun, if not nil, runs once the watch is registered.
func (s *Session[R]) Watch(ctx context.Context, q discovery.Query, begun func(R)) (<-chan discovery.Event, error) {
	r, err := s.Acquire()
	if err != nil {
		return nil, err
	}
	in, err := r.Watch(ctx, q)
	if err != nil {
		s.Release(ctx)
		return nil, err
	}
	if begun != nil {
		begun(r)
	}
	out := make(chan discovery.Event)
	go func() {
		defer close(out)
		// Not ctx, which has ended by then.
		defer func() {
			bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
			defer cancel()
			s.Release(bounded)
		}()
		for e := range in {
			select {
			case out <- e:
			case <-ctx.Done(): // the table closes the channel, which may take a moment
			}
		}
	}()
	return out, nil
}
