package socket

import (
	"context"
	"fmt"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/socket/internal/prefix"
)

// subscribers is what the peers of a publisher are subscribed to, guarded by core.out.mu.
type subscribers struct {
	core    *core
	tree    prefix.Tree[*link]
	matched []*link
	visitor func(p *Peer) // visit, for a Matcher
	last    lastValues

	// Of an XPub.
	notices *notices                      // what is shown to the application; nil if nothing is
	asked   map[*link]map[string]struct{} // what each peer asked for, under WithManual
	origin  *origin

	// leaving is held while what a link had is removed, or tidied up after, a little at a time.
	leaving lockorder.Mutex[lockorder.Leaving]
	tidied  *prefix.Tree[*link] // is to take the place of tree; nil if none is
	onTurn  func(topics int)    // for tests: called with the lock held, after so many topics
}

func (s *subscribers) init(c *core) {
	s.core, s.visitor, s.notices = c, s.visit, c.in.notices
	lockorder.Own(c, &s.leaving)
}

// publish sends a message to all whose subscriptions match.
func (s *subscribers) publish(ctx context.Context, wait bool, m Msg) error {
	if err := s.core.sendable(m); err != nil {
		return opError("send", err)
	}
	kept := false
	if ds := s.core.out.durables; ds != nil {
		var err error
		if kept, err = ds.keep(ctx, wait, m); err != nil {
			return opError("send", err)
		}
	}
	to := func() []*link { return s.match(m.Frames[0]) }
	keep := func() {
		if most := s.core.cfg.lastValues; most > 0 {
			s.last.keep(m, most)
		}
	}
	return s.core.ended(ctx, "send", s.core.out.fanOut(ctx, wait, m, kept, to, keep))
}

// wait waits until a message with the given topic would reach n peers.
func (s *subscribers) wait(ctx context.Context, topic string, n int) error {
	return s.core.lacking(ctx, s.await(ctx, topic, n))
}

func (s *subscribers) await(ctx context.Context, topic string, n int) error {
	o := &s.core.out
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		have := len(s.reached(topic))
		if have >= n {
			return nil
		}
		if o.shut {
			return opError("wait for subscribers", ErrClosed)
		}
		w := o.spaceWaiters.Join()
		o.mu.Unlock()
		err := w.Wait(ctx)
		o.mu.Lock()
		o.spaceWaiters.Leave(w, err)
		if err != nil {
			return fmt.Errorf("socket: wait for %d subscribers to %q, have %d: %w", n, topic, have, err)
		}
	}
}

// reached are the links by which a message with the given topic would go, among them those of durable subscriptions.
// It is valid until the next call.
func (s *subscribers) reached(topic string) []*link {
	links := s.match([]byte(topic))
	if ds := s.core.out.durables; ds != nil {
		links = append(slices.Clip(links), ds.wanted(topic)...)
	}
	return links
}

// peers lists whom a message with the given topic would reach.
func (s *subscribers) peers(topic string) []*Peer {
	o := &s.core.out
	o.mu.Lock()
	defer o.mu.Unlock()
	links := s.reached(topic)
	peers := make([]*Peer, len(links))
	for i, l := range links {
		peers[i] = l.peer
	}
	return peers
}

// topics lists what any peer, or durable subscription, is subscribed to.
func (s *subscribers) topics() (topics []string) {
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	s.tree.All(func(topic string, _ []*link) { topics = append(topics, topic) })
	if ds := s.core.out.durables; ds != nil {
		topics = append(topics, ds.topics()...)
		slices.Sort(topics)
		topics = slices.Compact(topics)
	}
	return topics
}

// setOverflow gives one peer a policy of its own.
func (s *subscribers) setOverflow(p *Peer, policy Overflow) error {
	l := s.core.linkTo(p)
	if l == nil {
		return &PeerError{Op: "set overflow of", Peer: p, Err: ErrPeerLost}
	}
	s.core.out.mu.Lock()
	defer s.core.out.mu.Unlock()
	l.out.overflow = policy
	l.carrier.policyChanged()
	s.core.out.spaceWaiters.WakeAll() // those who wait for this peer may not have to any more
	return nil
}
