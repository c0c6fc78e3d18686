package observe

import (
	"fmt"
	"maps"

	"github.com/yodel-mq/yodel/socket"
)

// A Count is a number of messages and that of their bytes: [3,120] in JSON.
type Count [2]uint64

// Messages is how many messages there are.
func (c Count) Messages() uint64 { return c[0] }

// Bytes is their payload.
func (c Count) Bytes() uint64 { return c[1] }

func countOf(c socket.Count) Count { return Count{c.Messages, c.Bytes} }

func (c Count) plus(d Count) Count { return Count{c[0] + d[0], c[1] + d[1]} }

func (c Count) count() socket.Count { return socket.Count{Messages: c[0], Bytes: c[1]} }

// A Ledger is a [socket.Ledger], which says what its columns mean. Columns that most sockets do not have are left out
// of JSON while they are zero.
type Ledger struct {
	Accepted       Count            `json:"accepted"`
	Recovered      Count            `json:"recovered,omitzero"`
	Delivered      Count            `json:"delivered"`
	Queued         Count            `json:"queued"`
	Spooled        Count            `json:"spooled,omitzero"`
	Unacknowledged Count            `json:"unacknowledged,omitzero"`
	Requeued       Count            `json:"requeued,omitzero"`
	Dropped        map[string]Count `json:"dropped"`
	Received       Count            `json:"received"`
	Loaded         Count            `json:"loaded,omitzero"`
	Handed         Count            `json:"handed"`
	Unread         Count            `json:"unread"`
	Stored         Count            `json:"stored,omitzero"`
	Discarded      map[string]Count `json:"discarded"`
}

func ledgerOf(l socket.Ledger) Ledger {
	return Ledger{
		Accepted:       countOf(l.Accepted),
		Recovered:      countOf(l.Recovered),
		Delivered:      countOf(l.Delivered),
		Queued:         countOf(l.Queued),
		Spooled:        countOf(l.Spooled),
		Unacknowledged: countOf(l.Unacknowledged),
		Requeued:       countOf(l.Requeued),
		Dropped:        reasonsOf(l.Dropped),
		Received:       countOf(l.Received),
		Loaded:         countOf(l.Loaded),
		Handed:         countOf(l.Handed),
		Unread:         countOf(l.Unread),
		Stored:         countOf(l.Stored),
		Discarded:      reasonsOf(l.Discarded),
	}
}

func reasonsOf(by map[socket.Reason]socket.Count) map[string]Count {
	m := make(map[string]Count, len(by))
	for why, c := range by {
		m[string(why)] = countOf(c)
	}
	return m
}

// ledger is the inverse of ledgerOf.
func (l *Ledger) ledger() socket.Ledger {
	return socket.Ledger{
		Accepted:       l.Accepted.count(),
		Recovered:      l.Recovered.count(),
		Delivered:      l.Delivered.count(),
		Queued:         l.Queued.count(),
		Spooled:        l.Spooled.count(),
		Unacknowledged: l.Unacknowledged.count(),
		Requeued:       l.Requeued.count(),
		Dropped:        byReason(l.Dropped),
		Received:       l.Received.count(),
		Loaded:         l.Loaded.count(),
		Handed:         l.Handed.count(),
		Unread:         l.Unread.count(),
		Stored:         l.Stored.count(),
		Discarded:      byReason(l.Discarded),
	}
}

func byReason(m map[string]Count) map[socket.Reason]socket.Count {
	by := make(map[socket.Reason]socket.Count, len(m))
	for why, c := range m {
		by[socket.Reason(why)] = c.count()
	}
	return by
}

// Check returns nil if the columns add up, in both directions, and otherwise an error that shows them; see
// [socket.Ledger.Check].
func (l *Ledger) Check() error {
	as := l.ledger()
	return as.Check()
}

// Check returns nil if the ledgers of all sockets and of all peers that are listed balance.
func (s *Snapshot) Check() error {
	for i := range s.Sockets {
		k := &s.Sockets[i]
		if err := k.Ledger.Check(); err != nil {
			return fmt.Errorf("observe: %.64q: %w", k.Name, err)
		}
		for j := range k.Peers {
			if err := k.Peers[j].Ledger.Check(); err != nil {
				return fmt.Errorf("observe: %.64q: peer %.64q: %w", k.Name, k.Peers[j].Address, err)
			}
		}
	}
	return nil
}

// add counts another ledger, too.
func (l *Ledger) add(o *Ledger) {
	for _, c := range []struct {
		to *Count
		by Count
	}{
		{&l.Accepted, o.Accepted},
		{&l.Recovered, o.Recovered},
		{&l.Delivered, o.Delivered},
		{&l.Queued, o.Queued},
		{&l.Spooled, o.Spooled},
		{&l.Unacknowledged, o.Unacknowledged},
		{&l.Requeued, o.Requeued},
		{&l.Received, o.Received},
		{&l.Loaded, o.Loaded},
		{&l.Handed, o.Handed},
		{&l.Unread, o.Unread},
		{&l.Stored, o.Stored},
	} {
		*c.to = c.to.plus(c.by)
	}
	addReasons(&l.Dropped, o.Dropped)
	addReasons(&l.Discarded, o.Discarded)
}

func addReasons(to *map[string]Count, by map[string]Count) {
	if *to == nil {
		*to = make(map[string]Count, len(by))
	}
	for why, c := range by {
		(*to)[why] = (*to)[why].plus(c)
	}
}

// add counts a socket that goes.
func (t *Totals) add(s socket.Stats) {
	l := ledgerOf(s.Ledger)
	t.Ledger.add(&l)
	if t.Events == nil {
		t.Events = make(map[string]uint64)
	}
	for kind, n := range s.Events {
		t.Events[kind.String()] += n
	}
}

// clone returns totals that share nothing with t.
func (t *Totals) clone() Totals {
	c := *t
	c.Ledger.Dropped, c.Ledger.Discarded = maps.Clone(t.Ledger.Dropped), maps.Clone(t.Ledger.Discarded)
	c.Events = maps.Clone(t.Events)
	return c
}
