package dns

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/refcount"
)

// A Backend knows what a zone lists. It is safe for concurrent use, and looks names up only while it is watched.
type Backend struct {
	name     string
	config   config
	shared   *refcount.Session[*session]
	revision atomic.Uint64 // counts changes, so that a later record is always the newer one
}

var _ discovery.Backend = (*Backend)(nil)

// New returns a backend for that name. At least one [WithSRV] or [WithPort] says what to look up. Errors wrap
// [discovery.ErrInvalidOption]; nothing is looked up yet.
func New(name string, opts ...Option) (*Backend, error) {
	b := &Backend{name: name, config: config{interval: 5 * time.Second}}
	for _, o := range opts {
		if o != nil {
			o.apply(&b.config)
		}
	}
	c := &b.config
	switch {
	case c.err != nil:
		return nil, c.err
	case strings.Trim(name, ".") == "" || len(name) > 253 || strings.ContainsAny(name, " /:@"):
		return nil, badOption("%.80q is not the name of a host", name)
	case len(c.sources) == 0:
		return nil, badOption("nothing to look up: want WithSRV or WithPort")
	}
	if c.resolver == nil {
		c.resolver = &net.Resolver{PreferGo: true, StrictErrors: true}
	}
	if c.group == "" {
		c.group = discovery.DefaultGroup
	}
	b.shared = refcount.New(b.open)
	return b, nil
}

// Name returns "dns".
func (b *Backend) Name() string { return "dns" }

// Announce returns [discovery.ErrReadOnly].
func (b *Backend) Announce(context.Context, discovery.Record) (discovery.Announcement, error) {
	return nil, discovery.ErrReadOnly
}

// Watch implements [discovery.Watcher]. Synced follows the first look, even one that failed: the Trouble that tells so
// comes before it.
func (b *Backend) Watch(ctx context.Context, q discovery.Query) (<-chan discovery.Event, error) {
	return b.shared.Watch(ctx, q, nil)
}

// Confirm has the zone looked up at once, since a connection to a node has failed. It is up to the zone whether the
// node is gone.
func (b *Backend) Confirm(discovery.ID) {
	if s, ok := b.shared.Current(); ok {
		s.poke()
	}
}
