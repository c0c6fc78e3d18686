// Package lease opens what a backend needs with its first user and closes it with its last: the announcements and
// watches of a backend come and go, and none of them owns its sockets and goroutines.
package lease

import (
	"context"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// A Session is what is open while there are users.
type Session interface {
	// Watch is that of the session's table.
	Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error)
	// Close gives everything up before it returns. Once ctx has ended it takes no more trouble to do so politely.
	Close(ctx context.Context)
}

// goodbye bounds how long a session that ends with a watch, which has no deadline of its own, may take to say so.
const goodbye = 2 * time.Second

// A Lease counts the users of a session. Its methods may be called concurrently.
type Lease[S Session] struct {
	open func() (S, error)

	mu      sync.Mutex // held while opening and closing: a new user waits until the old session is gone
	users   int
	session S
}

// New returns a Lease of what open opens.
func New[S Session](open func() (S, error)) *Lease[S] { return &Lease[S]{open: open} }

// Acquire adds a user, and opens the session for the first.
func (l *Lease[S]) Acquire() (S, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users == 0 {
		s, err := l.open()
		if err != nil {
			return s, err
		}
		l.session = s
	}
	l.users++
	return l.session, nil
}

// Release takes a user away, and returns once the session is closed if it was the last.
func (l *Lease[S]) Release(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users == 0 {
		l.session.Close(ctx)
		var none S
		l.session = none
	}
}

// Current returns the session if there is one.
func (l *Lease[S]) Current() (s S, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.users > 0
}

// Watch is the Watch of a backend: the session stays open until ctx ends. Its channel is closed after the session, if
// this was its last user. begun, if not nil, runs once the watch is registered.
func (l *Lease[S]) Watch(ctx context.Context, q discovery.Query, begun func(S)) (<-chan discovery.Event, error) {
	s, err := l.Acquire()
	if err != nil {
		return nil, err
	}
	in, err := s.Watch(ctx, q)
	if err != nil {
		l.Release(ctx)
		return nil, err
	}
	if begun != nil {
		begun(s)
	}
	out := make(chan discovery.Event)
	go func() {
		defer close(out)
		// Not ctx, which has ended by then.
		defer func() {
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
			defer cancel()
			l.Release(bye)
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
