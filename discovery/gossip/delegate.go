package gossip

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
)

// What memberlist calls. Some of it is called with memberlist's lock held, so nothing here calls back.
var (
	_ memberlist.Delegate      = (*instanceDelegate)(nil)
	_ memberlist.EventDelegate = (*instanceDelegate)(nil)
	_ memberlist.AliveDelegate = (*session)(nil)
	_ memberlist.MergeDelegate = (*session)(nil)
)

// NotifyAlive implements [memberlist.AliveDelegate]: an error makes memberlist ignore the news of a member.
func (s *session) NotifyAlive(n *memberlist.Node) error {
	_, _, err := s.admit(n)
	return err
}

// admit checks a member that others tell of.
func (s *session) admit(n *memberlist.Node) (id discovery.ID, addr netip.AddrPort, err error) {
	if id, addr, err = s.judge(n); err != nil {
		return id, addr, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return id, addr, s.room(id)
}

// room says whether one more member may be known. s.mu is held.
func (s *session) room(id discovery.ID) error {
	if s.members[id] == nil && len(s.members) >= s.config.limits.Nodes {
		return limit("%d members", len(s.members))
	}
	return nil
}

// judge says what is wrong with a member.
func (s *session) judge(n *memberlist.Node) (id discovery.ID, addr netip.AddrPort, err error) {
	version, same := checkMeta(s.config.group, n.Meta)
	switch {
	case !version || n.DMin > formatVersion || n.DMax < formatVersion:
		return id, addr, badRecord("a member of another version")
	case !same:
		return id, addr, badRecord("a member of another group")
	}
	if id, err = discovery.ParseID(n.Name); err != nil {
		return id, addr, err
	}
	ip, ok := netip.AddrFromSlice(n.Addr)
	if !ok || !usable(ip.Unmap()) || n.Port == 0 {
		return id, addr, badRecord("a member at %v:%d", n.Addr, n.Port)
	}
	if _, err = parseMeta(s.config.group, n.Meta); err != nil {
		return id, addr, err
	}
	return id, netip.AddrPortFrom(ip.Unmap(), n.Port), nil
}

// NotifyMerge implements [memberlist.MergeDelegate]: an error keeps two groups apart that share a key and a label.
func (s *session) NotifyMerge(peers []*memberlist.Node) error {
	for _, n := range peers {
		if version, same := checkMeta(s.config.group, n.Meta); n.State == memberlist.StateAlive && version && !same {
			return badRecord("members of another group")
		}
	}
	return nil
}

// found takes a member that is there, or has changed. s.mu is held.
func (s *session) found(n *memberlist.Node) {
	id, addr, err := s.judge(n)
	if err != nil || s.room(id) != nil {
		return
	}
	m := s.members[id]
	if m == nil {
		m = &member{id: id}
		s.members[id] = m
	}
	if m.addr != addr {
		m.addr, m.applied = addr, nil
	}
	before := m.sum()
	m.alive, m.meta = true, append(make([]byte, 0, len(n.Meta)), n.Meta...)
	s.noteChange(before, m.sum())
	m.by = s.id
	s.forgetLost(addr)
	s.touch(id)
}

// gone takes note of a member that is not there any more. It is not known whether it said so: its goodbyes do. s.mu
// is held.
func (s *session) gone(n *memberlist.Node) {
	id, err := discovery.ParseID(n.Name)
	if m := s.members[id]; err == nil && id != s.id && m != nil && m.alive {
		s.drop(m)
		s.lose(m.addr)
	}
}

// drop has a member's records go, unless another has them too. s.mu is held.
func (s *session) drop(m *member) {
	s.noteChange(m.sum(), 0)
	m.alive, m.applied = false, nil
	s.touch(m.id)
}

// NodeMeta implements [memberlist.Delegate].
func (s *session) NodeMeta(limit int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return appendMeta(s.config.group, s.bundle, limit)
}

// NotifyMsg implements [memberlist.Delegate].
func (s *session) NotifyMsg(b []byte) {
	select {
	case <-s.ready:
	default:
		return // who wanted something asks again
	}
	m, err := parseMessage(b)
	if err != nil {
		return
	}
	switch m.kind {
	case msgWant:
		s.answer(m)
	case msgHave:
		s.mu.Lock()
		defer s.mu.Unlock()
		who := s.members[m.id]
		if who == nil || !who.asking {
			return
		}
		if d, err := parseMeta(s.config.group, who.meta); err == nil && d.kind == metaDigest &&
			d.digest == digestOf(m.records) {
			who.got = m.records
			s.touch(m.id)
		}
	case msgSum:
		s.compared(m.id, m.sum, m.age)
	case msgBye:
		if s.takeBye(m.bye) { // was news to us, so it may be to others
			s.byes.QueueBroadcast(&byeBroadcast{id: m.bye.ID, msg: append([]byte(nil), b...)})
		}
	}
}

// maxAnswers is how many answers may be on their way at a time: each is a stream.
const maxAnswers = 32

// answer sends our records to a member that asks for them. It asks again if there are too many.
func (s *session) answer(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.members[m.id]
	if s.closed || who == nil || !who.alive || s.answers >= maxAnswers || len(s.bundle) == 0 ||
		m.digest != digestOf(s.bundle) {
		return
	}
	s.answers++
	n, msg, list := who.node(), haveMessage(s.id, s.bundle), s.list
	s.wg.Go(func() {
		_ = list.SendReliable(n, msg)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.answers--
	})
}

// takeBye believes a goodbye if the table does. It reports whether it was news.
func (s *session) takeBye(r discovery.Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.owners[r.ID]
	if !ok {
		return false
	}
	r.From = []netip.Addr{o.addr} // whoever sent it: members speak for each other
	if s.table.Leave(r) != nil {
		return false
	}
	delete(s.owners, r.ID)
	return true
}

// GetBroadcasts implements [memberlist.Delegate].
func (s *session) GetBroadcasts(overhead, limit int) [][]byte {
	return s.byes.GetBroadcasts(overhead, limit)
}

// LocalState implements [memberlist.Delegate]: there is nothing but what the members say.
func (s *session) LocalState(bool) []byte { return nil }

// MergeRemoteState implements [memberlist.Delegate].
func (s *session) MergeRemoteState([]byte, bool) {}

// size is how many members there are.
func (s *session) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members)
}

// A byeBroadcast is a goodbye on its way to all.
type byeBroadcast struct {
	id  discovery.ID
	msg []byte
}

// Invalidates implements [memberlist.Broadcast].
func (b *byeBroadcast) Invalidates(o memberlist.Broadcast) bool {
	other, ok := o.(*byeBroadcast)
	return ok && other.id == b.id
}

// Message implements [memberlist.Broadcast].
func (b *byeBroadcast) Message() []byte { return b.msg }

// Finished implements [memberlist.Broadcast].
func (b *byeBroadcast) Finished() {}

func limit(format string, args ...any) error {
	return fmt.Errorf("%w: gossip: "+format, append([]any{discovery.ErrLimit}, args...)...)
}

// A lostMember was there, and may be again.
type lostMember struct {
	addr  netip.AddrPort
	since time.Time
}

// lose remembers a member that went, to be tried again. s.mu is held.
func (s *session) lose(addr netip.AddrPort) {
	s.forgetLost(addr)
	s.lost = append(s.lost, lostMember{addr: addr, since: time.Now()})
	if n := len(s.lost) - maxLost; n > 0 {
		s.lost = s.lost[n:]
	}
}

// forgetLost removes a member from lost. s.mu is held.
func (s *session) forgetLost(addr netip.AddrPort) {
	kept := s.lost[:0]
	for _, l := range s.lost {
		if l.addr != addr {
			kept = append(kept, l)
		}
	}
	s.lost = kept
}
