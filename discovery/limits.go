package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Limits bound what a [Table] holds, and so what strangers can make it hold. When a limit is reached a newcomer takes
// the place of the node that was heard of only once, the longest ago; nodes that were heard of again 0.2 s or more
// after that, or whose proof tells friends (a group key, trusted keys), are never pushed out, and if there are no
// others the newcomer is refused with ErrLimit. Watchers are told with Trouble, once a minute at most.
type Limits struct {
	// Nodes is how many nodes there may be, 0 or less stands for 4096. As many that have gone are remembered.
	Nodes int
	// NodesPerSource is how many nodes may have been heard of first from one address, 0 or less stands for 64.
	NodesPerSource int
}

func (l Limits) orDefault() Limits {
	if l.Nodes <= 0 {
		l.Nodes = 4096
	}
	if l.NodesPerSource <= 0 {
		l.NodesPerSource = 64
	}
	return l
}

const (
	settled  = 200 * time.Millisecond // heard of again after that, a node counts for more
	sayAgain = time.Minute
)

// room makes room for one more node from that source.
func (t *Table) room(source netip.Addr) error {
	if here := t.sources[source]; source.IsValid() && len(here) >= t.cfg.Limits.NodesPerSource {
		var oldest *entry
		for n := range here {
			if n.fresh != nil && (oldest == nil || n.first.Before(oldest.first)) {
				oldest = n
			}
		}
		if err := t.evict(oldest, fmt.Sprintf("%d nodes from %v", len(here), source)); err != nil {
			return err
		}
	}
	if len(t.nodes) >= t.cfg.Limits.Nodes {
		var oldest *entry
		if e := t.once.Front(); e != nil {
			oldest = e.Value.(*entry)
		}
		return t.evict(oldest, fmt.Sprintf("%d nodes", len(t.nodes)))
	}
	return nil
}

func (t *Table) evict(n *entry, full string) error {
	err := fmt.Errorf("%w: %s", ErrLimit, full)
	if now := time.Now(); t.said.IsZero() || now.Sub(t.said) >= sayAgain {
		t.said = now
		t.trouble(err)
	}
	if n == nil {
		return err
	}
	t.stats.Evicted++
	t.remove(n, Expired)
	return nil
}

// count takes a node into the books that room looks at, uncount out of them, settle says that it was heard of again.
func (t *Table) count(n *entry) {
	if n.source.IsValid() {
		if t.sources[n.source] == nil {
			t.sources[n.source] = make(map[*entry]struct{})
		}
		t.sources[n.source][n] = struct{}{}
	}
	if !t.trust.exclusive() && !n.until.IsZero() {
		n.fresh = t.once.PushBack(n)
	}
}

func (t *Table) uncount(n *entry) {
	if here := t.sources[n.source]; here != nil {
		delete(here, n)
		if len(here) == 0 {
			delete(t.sources, n.source)
		}
	}
	t.unlist(n)
}

func (t *Table) settle(n *entry) {
	if time.Since(n.first) >= settled {
		t.unlist(n)
	}
}

func (t *Table) unlist(n *entry) {
	if n.fresh != nil {
		t.once.Remove(n.fresh)
		n.fresh = nil
	}
}

// bounded refuses what is too much to keep or not fit to be shown. It is not as strict as TXT: what a user lists need
// not fit into a packet.
func (r *Record) bounded() error {
	if r.ID == (ID{}) {
		return fmt.Errorf("%w: %w", ErrRecord, errNoID)
	}
	if len(r.Services) > 64 || len(r.Addrs) > 64 || len(r.Meta) > 64 || len(r.Proof) > maxProof {
		return fmt.Errorf("%w: %v has too much of something", ErrRecord, r.ID)
	}
	err := errors.Join(checkGroup(r.Group), checkText("name", r.Name, maxName), checkText("wire protocol", r.Wire, maxName),
		checkText("host token", r.Host, maxName),
		checkText("files token", r.Files, maxName), checkText("key", r.Key, maxName))
	for _, s := range r.Services {
		err = errors.Join(err, checkText("service", s.Name, maxName), checkText("socket type", s.Type, maxName))
		if len(s.Endpoints) > 64 {
			err = errors.Join(err, fmt.Errorf("service %q has %d endpoints", s.Name, len(s.Endpoints)))
		}
		for _, e := range s.Endpoints {
			err = errors.Join(err, checkText("endpoint", e, 2*maxString))
		}
	}
	for k, v := range r.Meta {
		err = errors.Join(err, checkText("metadata key", k, maxName), checkText("metadata", v, 2*maxString))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return nil
}

func has(list []netip.Addr, a netip.Addr) bool { return slices.Contains(list, a) }
