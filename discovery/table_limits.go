package discovery

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Limits bound what a [Table] holds, and so what strangers can make it hold. At a limit the oldest unconfirmed node is
// evicted: one that was announced once, with no second announcement 200 ms or more later, and without a group key or a
// trusted signature. Confirmed nodes are never evicted; if all are confirmed, [Table.Put] returns ErrLimit. Either is
// told to watchers as Trouble, at most once a minute.
type Limits struct {
	// Nodes is how many nodes there may be; 0 or less means 4096. Of as many nodes that have gone the last version is
	// remembered, so that late and replayed records do not bring them back.
	Nodes int
	// NodesPerSource is how many nodes may have been announced first from one address; 0 or less means 64.
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
	confirmAfter    = 200 * time.Millisecond // a second announcement that much later confirms a node
	troubleInterval = time.Minute            // between two events that tell of a limit
)

// makeRoom makes room for one more node from that source.
func (t *Table) makeRoom(source netip.Addr) error {
	if here := t.sources[source]; source.IsValid() && len(here) >= t.cfg.Limits.NodesPerSource {
		var oldest *entry
		for n := range here {
			if n.unconfirmed != nil && (oldest == nil || n.first.Before(oldest.first)) {
				oldest = n
			}
		}
		if err := t.evict(oldest, fmt.Sprintf("%d nodes from %v", len(here), source)); err != nil {
			return err
		}
	}
	if len(t.nodes) >= t.cfg.Limits.Nodes {
		var oldest *entry
		if e := t.unconfirmed.Front(); e != nil {
			oldest = e.Value.(*entry)
		}
		return t.evict(oldest, fmt.Sprintf("%d nodes", len(t.nodes)))
	}
	return nil
}

// evict removes n and tells of the limit; with no n it returns the error for the newcomer.
func (t *Table) evict(n *entry, full string) error {
	err := fmt.Errorf("%w: %s", ErrLimit, full)
	if now := time.Now(); t.limitToldAt.IsZero() || now.Sub(t.limitToldAt) >= troubleInterval {
		t.limitToldAt = now
		t.trouble(err)
	}
	if n == nil {
		return err
	}
	t.stats.Evicted++
	t.remove(n, Expired)
	return nil
}

// index enters a node into sources and unconfirmed, which makeRoom looks at; unindex takes it out.
func (t *Table) index(n *entry) {
	if n.source.IsValid() {
		if t.sources[n.source] == nil {
			t.sources[n.source] = make(map[*entry]struct{})
		}
		t.sources[n.source][n] = struct{}{}
	}
	if !t.trust.exclusive() && !n.until.IsZero() {
		n.unconfirmed = t.unconfirmed.PushBack(n)
	}
}

func (t *Table) unindex(n *entry) {
	if here := t.sources[n.source]; here != nil {
		delete(here, n)
		if len(here) == 0 {
			delete(t.sources, n.source)
		}
	}
	t.confirm(n)
}

// heardAgain takes note of a later announcement of a node.
func (t *Table) heardAgain(n *entry) {
	if time.Since(n.first) >= confirmAfter {
		t.confirm(n)
	}
}

// confirm makes sure that a node is never evicted.
func (t *Table) confirm(n *entry) {
	if n.unconfirmed != nil {
		t.unconfirmed.Remove(n.unconfirmed)
		n.unconfirmed = nil
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
	err := errors.Join(checkGroup(r.Group), checkText("name", r.Name, maxName),
		checkText("wire protocol", r.Wire, maxName),
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
