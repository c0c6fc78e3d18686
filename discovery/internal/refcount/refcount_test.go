package refcount

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A resource is a table that counts how often it was opened and closed.
type resource struct {
	*discovery.Table
	closed *int
	left   time.Duration // what Close was given
}

func (r *resource) Close(ctx context.Context) {
	*r.closed++
	if end, ok := ctx.Deadline(); ok {
		r.left = time.Until(end)
	}
	r.Table.Close()
}

// counting returns a session, and how often its resource was opened and closed.
func counting() (s *Session[*resource], opened, closed *int) {
	opened, closed = new(int), new(int)
	return New(func() (*resource, error) {
		*opened++
		return &resource{Table: discovery.NewTable("test", discovery.TableConfig{}), closed: closed}, nil
	}), opened, closed
}

func TestUsersShareOneResource(t *testing.T) {
	s, opened, closed := counting()
	first, err := s.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Acquire()
	if err != nil || second != first || *opened != 1 {
		t.Errorf("opened %d times, the same %v, %v", *opened, second == first, err)
	}
	s.Release(t.Context())
	if now, ok := s.Current(); !ok || now != first || *closed != 0 {
		t.Errorf("open %v, closed %d times after the first has gone", ok, *closed)
	}
	s.Release(t.Context())
	if _, ok := s.Current(); ok || *closed != 1 {
		t.Errorf("open %v, closed %d times after both have gone", ok, *closed)
	}
	again, err := s.Acquire()
	if err != nil || again == first || *opened != 2 {
		t.Errorf("opened %d times, the old one %v, %v", *opened, again == first, err)
	}
	s.Release(t.Context())
}

func TestOpenFails(t *testing.T) {
	broken := errors.New("broken")
	s := New(func() (*resource, error) { return nil, broken })
	if _, err := s.Acquire(); !errors.Is(err, broken) {
		t.Errorf("Acquire: %v", err)
	}
	if _, err := s.Watch(t.Context(), discovery.Query{}, nil); !errors.Is(err, broken) {
		t.Errorf("Watch: %v", err)
	}
	if _, ok := s.Current(); ok {
		t.Error("counts as open")
	}
}

// The channel of a watch closes after the resource, which has two seconds for its goodbye then.
func TestWatchIsAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, closed := counting()
		ctx, cancel := context.WithCancel(t.Context())
		var r *resource
		events, err := s.Watch(ctx, discovery.Query{}, func(begun *resource) { r = begun })
		if err != nil {
			t.Fatal(err)
		}
		if r == nil || r.Stats().Watches != 1 {
			t.Error("begun was not called after the watch had begun")
		}
		r.Sync()
		if e := <-events; e.Kind != discovery.Synced {
			t.Errorf("told %v", e.Kind)
		}
		cancel()
		for range events { // until it is closed
		}
		if *closed != 1 || r.left != goodbye {
			t.Errorf("closed %d times, with %v for the goodbye", *closed, r.left)
		}
		if _, err := s.Watch(t.Context(), discovery.Query{Service: "a b"}, nil); err == nil {
			t.Error("a query that makes no sense is watched")
		}
		if *closed != 2 {
			t.Errorf("closed %d times: a watch that fails keeps the resource", *closed)
		}
	})
}
