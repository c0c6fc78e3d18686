package rpc

import (
	"context"
	"crypto/rand"
	"maps"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/internal/once"
	"github.com/yodel-mq/yodel/patterns/internal/reply"
	"github.com/yodel-mq/yodel/socket"
)

// What is kept of calls with keys.
const (
	keptBytes = 64 << 20
	keptReply = 16 << 20 // of one
)

// A kept outcome is there once ended is closed, and does not change then.
type kept struct {
	ended    chan struct{}
	res      result
	err      error
	trailers patterns.Headers
}

func newMemory(cfg *serviceConfig) *once.Memory[keyed, *kept] {
	return once.New[keyed, *kept](once.Config{Outcomes: cfg.keep, Bytes: keptBytes, For: cfg.keepFor})
}

// newServiceID draws what tells a Service from those that were there before it, which knew other keys.
func newServiceID() string {
	var id [16]byte
	rand.Read(id[:])
	return string(id[:])
}

func identified(id string, opts []socket.RouterOption) []socket.RouterOption {
	return append([]socket.RouterOption{socket.WithMetadata(keepsOnce, id)}, opts...)
}

// keyed tells whether what becomes of a call is kept.
func (c *call) keyed() bool { return c.head.Key != "" && c.method != nil && c.method.gated() }

func (c *call) name() keyed { return keyed{c.method.name, c.head.Key} }

// gated tells whether a call waits for its turn. One that only has to be told what another has come to does not.
func (c *call) gated() bool { return c.method.gated() && !c.known }

// knows tells whether a call with the key of this one has begun. mu is held.
func (s *Service) knows(c *call) bool {
	if !c.keyed() {
		return false
	}
	_, known := s.memory.Find(c.arrived, c.name())
	return known
}

// once has a call with a key done, unless one with the same was begun before: it comes to what that comes to. The
// middleware is around this, so that it sees each call, and none that it refuses is known here.
func (s *Service) once(ctx context.Context, c *call, info *Info, res *result, do func() error) (err error) {
	s.mu.Lock()
	k, known := s.memory.Find(time.Now(), c.name())
	switch {
	case known:
		c.repeat = true
	case ctx.Err() != nil: // the caller is gone, and nothing has begun
		s.mu.Unlock()
		return ctx.Err()
	default:
		k = &kept{ended: make(chan struct{})}
		s.memory.Begin(c.name(), k)
		c.lasting = true
		s.lasting[c] = true
	}
	s.mu.Unlock()
	if known {
		return s.repeat(ctx, c, info, res, k)
	}
	err = errPanic // if the handler ends its goroutine
	defer func() { s.keep(c, info, *res, err, k) }()
	return do()
}

// repeat is what another call of the same key comes to.
func (s *Service) repeat(ctx context.Context, c *call, info *Info, res *result, k *kept) error {
	select {
	case <-k.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	s.counters.of(c.method.name).Deduped++
	s.mu.Unlock()
	*res, info.Trailers = k.res, maps.Clone(k.trailers)
	return k.err
}

// keep tells those who wait, and those who will come, what a call has come to.
func (s *Service) keep(c *call, info *Info, res result, err error, k *kept) {
	size := len(c.head.Key) + cap(res.body)
	if err != nil { // what crosses of it, which is all that others are told
		head, body, _ := reply.FromError(err, s.cfg.errorText)
		res, err = result{}, reply.ToError(&head, body)
		size = len(c.head.Key) + len(head.Text) + cap(body)
	}
	if size > keptReply {
		res, size = result{}, 0
		err = patterns.Errorf(patterns.CodeResourceExhausted, "the call was done, but its reply is too long to be kept")
	}
	for name, value := range info.Trailers {
		size += len(name) + len(value)
	}
	k.res, k.err, k.trailers = res, err, maps.Clone(info.Trailers)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory.End(time.Now(), c.name(), size)
	delete(s.lasting, c)
	close(k.ended)
}
