package gossip

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
)

const (
	askAgain     = 500 * time.Millisecond // for records that did not come; doubles
	askAgainMax  = 30 * time.Second
	putAgain     = 3 * time.Second // what the table refused, because it was full for example; doubles
	putAgainMax  = time.Minute
	askSpread    = 2 * time.Millisecond // for each member: how far requests for one member's records are spread
	askSpreadMax = time.Second
	maxLost      = 64
)

// A member is what is known of one.
type member struct {
	id    discovery.ID
	addr  netip.AddrPort
	alive bool
	meta  []byte       // the latest
	by    discovery.ID // which of our own told of it last, see move

	// Of run:
	applied []byte         // the metadata whose records are in the table
	records []discovery.ID // in the table
	got     []byte         // an answer that was asked for
	asked   []byte         // the metadata that was asked for
	tries   int
	asking  bool
}

func (m *member) node() *memberlist.Node {
	return &memberlist.Node{Name: m.id.String(), Addr: m.addr.Addr().AsSlice(), Port: m.addr.Port()}
}

// look sees to all members that have changed. It reports whether records are still being asked for.
func (s *session) look() (pending bool) {
	s.mu.Lock()
	changed := s.changedMembers
	s.changedMembers = make(map[discovery.ID]struct{})
	s.mu.Unlock()
	for id := range changed {
		s.lookAt(id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.asking && m.tries < 3 {
			return true
		}
	}
	return false
}

// lookAt makes the table say what a member does.
func (s *session) lookAt(id discovery.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[id]
	if m == nil {
		return
	}
	if !m.alive {
		s.take(m, nil)
		delete(s.members, id)
		return
	}
	if m.applied != nil && bytes.Equal(m.applied, m.meta) {
		return
	}
	d, err := parseMeta(s.config.group, m.meta)
	if err != nil { // cannot be: see NotifyAlive
		return
	}
	bundle := d.inline
	if d.kind == metaDigest {
		switch {
		case id == s.id && digestOf(s.bundle) == d.digest:
			bundle = s.bundle
		case m.got != nil && digestOf(m.got) == d.digest:
			bundle = m.got
		default:
			s.ask(m, d.digest)
			return
		}
	}
	m.got, m.asking = nil, false
	rs, err := parseRecords(bundle)
	if err != nil {
		s.table.Trouble(badRecord("member %v at %v: %w", m.id, m.addr, err))
		rs = nil
	}
	if s.take(m, rs) {
		m.applied, m.tries = m.meta, 0
		return
	}
	m.applied = nil
	s.later(m, backOff(putAgain, putAgainMax, &m.tries))
}

// take makes the table have these records of a member and no others, and reports whether it took them all. s.mu is
// held.
func (s *session) take(m *member, rs []discovery.Record) (all bool) {
	all = true
	var has []discovery.ID
	for _, r := range rs {
		r.From, r.Configured = []netip.Addr{m.addr.Addr()}, false
		err := s.table.Put(r, discovery.Forever)
		if err == nil {
			s.owners[r.ID] = owner{member: m.id, addr: m.addr.Addr()}
		} else {
			all = all && !errors.Is(err, discovery.ErrStale) && !errors.Is(err, discovery.ErrLimit)
			if s.owners[r.ID].member != m.id {
				continue
			}
		}
		has = append(has, r.ID) // one that is known but could not be renewed stays
	}
	for _, id := range m.records {
		if s.owners[id].member == m.id && !slices.Contains(has, id) {
			s.disown(id)
		}
	}
	m.records = has
	return all
}

// An owner is the member that a record is known from.
type owner struct {
	member discovery.ID
	addr   netip.Addr
	gone   bool
}

// disown has a record expire that its member has no more, unless another member has it, or its goodbye, which may be
// on its way, comes soon. s.mu is held.
func (s *session) disown(id discovery.ID) {
	o := s.owners[id]
	for _, m := range s.members { // a process that moves is two members for a while
		if m.id != o.member && m.alive && slices.Contains(m.records, id) {
			s.owners[id] = owner{member: m.id, addr: m.addr.Addr()}
			return
		}
	}
	o.gone = true
	s.owners[id] = o
	s.table.Suspect(id, grace)
	s.after(id, 2*grace, func() {
		if s.owners[id].gone {
			delete(s.owners, id)
		}
	})
}

// ask asks a member for its records: not at once, for so do all others. s.mu is held.
func (s *session) ask(m *member, d digest) {
	m.asking = true
	if !bytes.Equal(m.asked, m.meta) {
		m.asked, m.tries = m.meta, 0
		if wait := min(time.Duration(len(s.members))*askSpread, askSpreadMax); len(s.members) > 16 {
			s.later(m, rand.N(wait))
			return
		}
	}
	n, msg, list := m.node(), wantMessage(s.id, d), s.list
	s.wg.Go(func() { _ = list.SendBestEffort(n, msg) }) // without s.mu; if it is lost we ask again
	s.later(m, backOff(askAgain, askAgainMax, &m.tries))
}

func backOff(least, most time.Duration, tries *int) time.Duration {
	d := least << min(*tries, 10)
	*tries++
	return jitter(min(d, most))
}

// later has run look at a member again. s.mu is held.
func (s *session) later(m *member, d time.Duration) {
	id := m.id
	s.after(id, d, func() { s.touch(id) })
}

// after calls do, with s.mu held, instead of what was to be done for that id. s.mu is held.
func (s *session) after(id discovery.ID, d time.Duration, do func()) {
	if s.closed {
		return
	}
	if t := s.timers[id]; t != nil {
		t.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.timers[id] == timer && !s.closed {
			delete(s.timers, id)
			do()
		}
	})
	s.timers[id] = timer
}

// touch has run look at a member. s.mu is held.
func (s *session) touch(id discovery.ID) {
	if s.closed {
		return
	}
	if t := s.timers[id]; t != nil {
		t.Stop()
		delete(s.timers, id)
	}
	s.changedMembers[id] = struct{}{}
	s.kick()
}
