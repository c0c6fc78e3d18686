package gossip

import (
	"context"
	"sync"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/refcount"
)

// ServiceName is the service under which members can be found to join by, see [WithSeedsFrom].
const ServiceName = "yodel-gossip"

// A Backend is this process as a member of a group, while it announces or watches something. It is safe for
// concurrent use.
type Backend struct {
	config config
	shared *refcount.Session[*session]
}

var _ discovery.Backend = (*Backend)(nil)

// New returns a backend. It opens no socket yet. Errors are [ErrNoKey] or wrap [discovery.ErrInvalidOption].
func New(opts ...Option) (*Backend, error) {
	b := &Backend{config: config{bind: ":7946", trust: discovery.Open()}}
	c := &b.config
	for _, o := range opts {
		if o != nil {
			o.apply(c)
		}
	}
	switch {
	case c.err != nil:
		return nil, c.err
	case len(c.keys) == 0 && !c.open:
		return nil, ErrNoKey
	case len(c.keys) > 0 && c.open:
		return nil, badOption("WithKey and WithoutEncryption")
	}
	if c.group == "" {
		c.group = discovery.DefaultGroup
	}
	if c.trust == nil {
		c.trust = discovery.Open()
	}
	if c.rejoin == 0 {
		c.rejoin = c.profile.rejoin()
	}
	if c.limits.Nodes <= 0 {
		c.limits.Nodes = 4096
	}
	b.shared = refcount.New(func() (*session, error) { return open(c) })
	return b, nil
}

// Name returns "gossip".
func (b *Backend) Name() string { return "gossip" }

// Announce implements [discovery.Backend]. Up to 8 records of up to 12 KiB together can be announced at a time; one
// more is an error that wraps [discovery.ErrLimit]. It does not wait until a seed has been joined.
func (b *Backend) Announce(_ context.Context, self discovery.Record) (discovery.Announcement, error) {
	if err := b.own(self.Group); err != nil {
		return nil, err
	}
	s, err := b.shared.Acquire()
	if err != nil {
		return nil, err
	}
	a := &announcement{backend: b, session: s, id: self.ID}
	if err := s.announce(a, self); err != nil {
		b.release(context.Background())
		return nil, err
	}
	s.start()
	return a, nil
}

// Watch implements [discovery.Watcher]. Synced follows once the seeds have been asked, whether or not one answered,
// and the records of those who are there have been had, as far as that is possible within a second.
func (b *Backend) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	if err := b.own(q.Group); err != nil {
		return nil, err
	}
	return b.shared.Watch(ctx, q, (*session).start)
}

// own says whether a group is this backend's.
func (b *Backend) own(group string) error {
	if group == "" {
		group = discovery.DefaultGroup
	}
	if group != b.config.group {
		return badRecord("this is group %q, not %.80q", b.config.group, group)
	}
	return nil
}

func (b *Backend) release(ctx context.Context) { b.shared.Release(ctx) }

// An announcement is a record of this process.
type announcement struct {
	backend *Backend
	session *session
	id      discovery.ID

	once   sync.Once
	record discovery.Record // as given; guarded by session.mu
	sealed discovery.Record // as announced; likewise
	closed bool             // likewise
}

// Update implements [discovery.Announcement]. The record is that of the same node; if it says something else it must
// be newer.
func (a *announcement) Update(r discovery.Record) error {
	if err := a.backend.own(r.Group); err != nil {
		return err
	}
	if r.ID != a.id {
		return badRecord("an announcement of %v cannot become one of %v", a.id, r.ID)
	}
	return a.session.announce(a, r)
}

// Close implements [discovery.Announcement].
func (a *announcement) Close(ctx context.Context) error {
	var err error
	a.once.Do(func() {
		err = a.session.goodbye(a)
		a.backend.release(ctx)
	})
	return err
}
