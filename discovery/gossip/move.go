package gossip

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

const (
	moveAgain = time.Second // after an attempt that met nobody
	moveTo    = 4           // members that are met first
	overlap   = time.Second // for all to have heard of the new member before the old one leaves
	leaveTime = 500 * time.Millisecond
	unheard   = 10 * time.Second // how long those that the new member has not heard of count
)

var errNoneAnswered = errors.New("gossip: no member answers at the new address")

// An instanceDelegate takes the calls of one instance of memberlist. They count if it is the current instance.
type instanceDelegate struct {
	*session
	self discovery.ID

	// Guarded by mu.
	joining  bool // it is about to become the current one: its calls are deferred until then
	deferred []func()
}

// NotifyJoin implements [memberlist.EventDelegate].
func (e *instanceDelegate) NotifyJoin(n *memberlist.Node) { e.deliver(n, e.found) }

// NotifyUpdate implements [memberlist.EventDelegate].
func (e *instanceDelegate) NotifyUpdate(n *memberlist.Node) { e.deliver(n, e.found) }

// NotifyLeave implements [memberlist.EventDelegate].
func (e *instanceDelegate) NotifyLeave(n *memberlist.Node) { e.deliver(n, e.gone) }

func (e *instanceDelegate) deliver(n *memberlist.Node, do func(*memberlist.Node)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.id == e.self:
		do(n)
	case e.joining:
		kept := *n // memberlist changes it with the next news
		kept.Addr, kept.Meta = slices.Clone(n.Addr), slices.Clone(n.Meta)
		e.deferred = append(e.deferred, func() { do(&kept) })
	}
}

// NotifyMsg implements [memberlist.Delegate].
func (e *instanceDelegate) NotifyMsg(b []byte) {
	e.mu.Lock()
	present := e.id == e.self
	e.mu.Unlock()
	if present {
		e.session.NotifyMsg(b)
	}
}

// followAddress sees to it that others reach this process at an address that it has.
func (s *session) followAddress() {
	if s.config.advertise.Addr().IsValid() || !s.transport.bound.Addr().IsUnspecified() {
		return // it is not ours to choose
	}
	links := ifaces.Watch(s.ctx, s.config.look, s.config.source)
	defer func() {
		for range links { // until it is closed
		}
	}()
	pick := choose
	if s.config.pick != nil {
		pick = s.config.pick
	}
	var now ifaces.Snapshot
	again := time.NewTimer(moveAgain)
	defer again.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case l, open := <-links:
			if !open {
				return
			}
			now = l
		case <-again.C:
		}
		if to, ok := newAddr(s.public().Addr(), addrsOf(now), pick); ok && s.move(to) != nil {
			again.Reset(moveAgain)
		}
	}
}

// newAddr returns which address to advertise instead of one that the host has no more, or that only leads to itself.
func newAddr(old netip.Addr, now []netip.Addr, pick func([]netip.Addr) netip.Addr) (to netip.Addr, ok bool) {
	to = pick(now)
	has := slices.Contains(now, old)
	switch {
	case to == old:
		return to, false
	case to.IsLoopback() && !old.IsLoopback(): // it has none, for a moment perhaps
		return to, false
	case has && (!old.IsLoopback() || to.IsLoopback()):
		return to, false
	}
	return to, true
}

// public returns the address that others reach this process at.
func (s *session) public() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transport.public
}

// move makes this process a member at another address. Memberlist knows a member by its name, and takes one at two
// addresses for a conflict. So a new member with the same records joins before the old one leaves, and to others
// nothing has gone.
func (s *session) move(to netip.Addr) error {
	at := netip.AddrPortFrom(to, s.public().Port())
	instance := s.transport.addInstance(at)
	e := &instanceDelegate{session: s, self: discovery.NewID(), joining: true}
	list, err := s.enter(e, instance)
	if err != nil {
		_ = instance.Shutdown()
		return err
	}
	s.mu.Lock()
	others := s.randomMembers(moveTo)
	s.mu.Unlock()
	if len(others) > 0 && !joinAny(list, others) {
		_ = list.Shutdown()
		return errNoneAnswered
	}

	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = list.Shutdown()
		return nil
	}
	old := s.list
	s.become(e, list, at)
	s.mu.Unlock()

	s.wg.Go(func() {
		wait := time.NewTimer(overlap)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-s.ctx.Done():
		}
		_ = old.Leave(leaveTime) // or others find out
		_ = old.Shutdown()
	})
	return nil
}

// become makes a member that has joined the one that this process is, in place of the one before. s.mu is held.
func (s *session) become(e *instanceDelegate, list *memberlist.Memberlist, at netip.AddrPort) {
	before := s.members[s.id]
	s.id, s.list, s.transport.public = e.self, list, at
	for _, call := range e.deferred {
		call()
	}
	e.deferred, e.joining = nil, false
	if now := s.members[s.id]; before != nil && now != nil {
		for _, id := range before.records { // none of them is gone
			o := s.owners[id]
			o.member = now.id
			s.owners[id] = o
		}
		now.records, before.records = before.records, nil
	}
	if before != nil {
		s.drop(before)
	}
	s.changed = true // while it was joining perhaps
	s.kick()
	close(s.moved)
	s.moved = make(chan struct{})
	s.after(s.id, unheard, func() {
		for _, m := range s.members {
			if m.alive && m.by != s.id {
				s.drop(m)
			}
		}
	})
}

// joinAny joins some members at once, and reports whether one has answered.
func joinAny(list *memberlist.Memberlist, members []*memberlist.Node) bool {
	var wg sync.WaitGroup
	var answered atomic.Bool
	for _, n := range members {
		wg.Go(func() {
			if _, err := list.Join([]string{n.Address()}); err == nil {
				answered.Store(true)
			}
		})
	}
	wg.Wait()
	return answered.Load()
}
