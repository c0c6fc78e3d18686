package discovery

import (
	"container/list"
	"time"
)

// tombstoneTTL is how long a tombstone lasts in open mode: packets from before a goodbye may arrive that much later. It
// is short, because a forged goodbye locks the node out for that time.
const tombstoneTTL = 2 * time.Second

// tombstones remember the last version of nodes that have gone, so that no older record brings them back: one in a late
// packet in open mode, a replayed one where there are proofs.
type tombstones struct {
	limit int
	byID  map[ID]*list.Element
	order list.List // of *tombstone, the oldest first
}

type tombstone struct {
	id    ID
	at    recordVersion
	left  bool // with a goodbye
	until time.Time
}

// A recordVersion orders the records of one node.
type recordVersion struct {
	incarnation, revision uint64
	issued                time.Time
}

func versionOf(r *Record) recordVersion {
	return recordVersion{incarnation: r.Incarnation, revision: r.Revision, issued: r.Issued}
}

// check says why a record of a node that is not there must not bring it back.
func (m *tombstones) check(r *Record, proves bool, now time.Time) error {
	e := m.byID[r.ID]
	if e == nil {
		return nil
	}
	k := e.Value.(*tombstone)
	if !now.Before(k.until) {
		m.drop(r.ID)
		return nil
	}
	at := Record{Incarnation: k.at.incarnation, Revision: k.at.revision}
	switch {
	case !proves && !r.Newer(&at):
		return stale(r, "from before its goodbye")
	case !proves:
		return nil
	case r.Incarnation < k.at.incarnation:
		return stale(r, "of an older incarnation than known")
	case r.Issued.Before(k.at.issued), k.left && r.Issued.Equal(k.at.issued):
		return stale(r, "issued before it was gone")
	}
	return nil
}

// add makes a tombstone. Where there are proofs it lasts until no record that was issued before now is accepted anyway.
func (m *tombstones) add(id ID, at recordVersion, left, proves bool) {
	hold := tombstoneTTL
	if proves {
		hold = 2*maxSkew + time.Second
	}
	m.drop(id)
	if m.byID == nil {
		m.byID = make(map[ID]*list.Element)
	}
	m.byID[id] = m.order.PushBack(&tombstone{id: id, at: at, left: left, until: time.Now().Add(hold)})
	if m.order.Len() > m.limit {
		m.drop(m.order.Front().Value.(*tombstone).id)
	}
}

func (m *tombstones) drop(id ID) {
	if e := m.byID[id]; e != nil {
		m.order.Remove(e)
		delete(m.byID, id)
	}
}
