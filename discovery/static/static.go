package static

import (
	"context"
	"math"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/refcount"
)

// A Backend knows what somebody wrote down. It is safe for concurrent use, and reads its file only while it is watched.
type Backend struct {
	config   config
	shared   *refcount.Session[*session]
	revision atomic.Uint64 // counts changes, so that a later record is always the newer one
}

var _ discovery.Backend = (*Backend)(nil)

// An Option changes what [File] does; what holds for all options stands in the documentation of package discovery.
type Option interface{ apply(c *config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

// config is what the options make.
type config struct{ interval time.Duration }

// WithInterval says how often to look whether the file has changed: 1 s by default, at least 10 ms. What d is below
// that is taken for it, and 0 or less for the default.
func WithInterval(d time.Duration) Option {
	return option(func(c *config) {
		if d > 0 {
			c.interval = max(d, 10*time.Millisecond)
		}
	})
}

// New returns a backend that knows these peers for ever. An error wraps [discovery.ErrRecord] and says which is wrong.
func New(peers ...Peer) (*Backend, error) {
	var l list
	for _, p := range peers {
		if err := l.add(p); err != nil {
			return nil, err
		}
	}
	b := &Backend{}
	b.shared = refcount.New(func() (*session, error) {
		s := newSession(b)
		s.apply(&l)
		s.table.Sync()
		return s, nil
	})
	return b, nil
}

// File returns a backend that knows the peers of a file, and follows it. What is wrong with the file, or that there is
// none, is told to those who watch as [discovery.Trouble], once until it changes.
func File(path string, opts ...Option) *Backend {
	b := &Backend{config: config{interval: time.Second}}
	for _, o := range opts {
		if o != nil {
			o.apply(&b.config)
		}
	}
	b.shared = refcount.New(func() (*session, error) {
		s := newSession(b)
		s.follow(path, b.config.interval)
		return s, nil
	})
	return b
}

// Name returns "static".
func (b *Backend) Name() string { return "static" }

// Announce returns [discovery.ErrReadOnly].
func (b *Backend) Announce(context.Context, discovery.Record) (discovery.Announcement, error) {
	return nil, discovery.ErrReadOnly
}

// Watch implements [discovery.Watcher]. Synced follows what the list or the file says now.
func (b *Backend) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	return b.shared.Watch(ctx, q, nil)
}

// A session is what is open while somebody watches.
type session struct {
	backend *Backend
	table   *discovery.Table
	known   map[discovery.ID]discovery.Record // only for whoever calls apply

	stop context.CancelFunc
	done chan struct{}
}

func newSession(b *Backend) *session {
	return &session{
		backend: b,
		// What a user writes down has no bound, and comes from no address.
		table: discovery.NewTable(b.Name(),
			discovery.TableConfig{Limits: discovery.Limits{Nodes: math.MaxInt32, NodesPerSource: math.MaxInt32}}),
		known: make(map[discovery.ID]discovery.Record),
	}
}

func (s *session) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	return s.table.Watch(ctx, q)
}

func (s *session) Close(context.Context) {
	if s.stop != nil {
		s.stop()
		<-s.done
	}
	s.table.Close()
}

// apply makes the table say what the list says.
func (s *session) apply(l *list) {
	for id := range s.known {
		if l.records[id] == nil {
			delete(s.known, id)
			s.table.Drop(id, discovery.Left)
		}
	}
	for _, id := range l.order {
		r := l.records[id].Clone()
		old, ok := s.known[id]
		r.Revision = old.Revision
		if ok && reflect.DeepEqual(old, r) {
			continue
		}
		r.Revision = s.backend.revision.Add(1)
		s.known[id] = r
		s.put(r)
	}
}

func (s *session) put(r discovery.Record) {
	if err := s.table.Put(r, discovery.Forever); err != nil {
		s.table.Trouble(err)
	}
}
