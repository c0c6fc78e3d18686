package discovery

import (
	"container/list"
	"time"
)

// lateness is for how long after a goodbye in open mode what the node said before it may still arrive. It is short,
// for a forged goodbye must not lock anybody out.
const lateness = 2 * time.Second

// marks remember, of nodes that have gone, how far they had got, so that nothing from before brings them back: a late
// packet in open mode, a recorded one where there are proofs.
type marks struct {
	most  int
	byID  map[ID]*list.Element
	order list.List // of *mark, the oldest first
}

type mark struct {
	id    ID
	at    point
	left  bool // with a goodbye
	until time.Time
}

// A point is how far a node had got.
type point struct {
	incarnation, revision uint64
	issued                time.Time
}

func stamp(r *Record) point {
	return point{incarnation: r.Incarnation, revision: r.Revision, issued: r.Issued}
}

// passes says why a record of a node that is not there must not bring it back.
func (m *marks) passes(r *Record, proves bool, now time.Time) error {
	e := m.byID[r.ID]
	if e == nil {
		return nil
	}
	k := e.Value.(*mark)
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

// add remembers a node that has gone: with proofs until nothing that was issued up to then is accepted any more.
func (m *marks) add(id ID, at point, left, proves bool) {
	hold := lateness
	if proves {
		hold = 2*maxSkew + time.Second
	}
	m.drop(id)
	if m.byID == nil {
		m.byID = make(map[ID]*list.Element)
	}
	m.byID[id] = m.order.PushBack(&mark{id: id, at: at, left: left, until: time.Now().Add(hold)})
	if m.order.Len() > m.most {
		m.drop(m.order.Front().Value.(*mark).id)
	}
}

func (m *marks) drop(id ID) {
	if e := m.byID[id]; e != nil {
		m.order.Remove(e)
		delete(m.byID, id)
	}
}
