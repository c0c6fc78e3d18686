package socket

import (
	"runtime"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/prefix"
)

// topicsAtOnce is how many topics of a peer that has gone are removed, or moved when tidying up, while everybody else
// waits.
const topicsAtOnce = 64

// forget removes all subscriptions of a link, which is dead, a few at a time. Many links do so one after the other,
// so that whoever publishes waits for one of them at most; a socket that closes forgets everything at once.
func (s *subscribers) forget(l *link) {
	o := &s.core.out
	o.mu.Lock()
	topics, asked := l.out.topics, s.asked[l]
	l.out.topics = nil
	l.out.refusals = nil
	delete(s.asked, l)
	o.mu.Unlock()

	s.leaving.Lock()
	defer s.leaving.Unlock()
	s.each(topics, func(topic string) {
		edge := s.remove(topic, l)
		if s.notices != nil && !s.core.cfg.manual && (edge || s.notices.perPeer) {
			// The peer is gone: its limits matter no more.
			_ = s.core.in.notify(s.notices, l, topicChange{topic: topic, edge: true})
		}
	})
	s.each(asked, func(topic string) {
		_ = s.core.in.notify(s.notices, l, topicChange{topic: topic, edge: true}) // likewise
	})
	if s.notices != nil {
		s.core.in.join(s.notices, l)
	}
	s.tidyUp()
}

// each calls do with each topic, with core.out.mu held for a few of them. It ends early when the socket has closed.
func (s *subscribers) each(topics map[string]struct{}, do func(topic string)) {
	turn := s.newTurn()
	for t := range topics {
		if !turn.next() {
			return
		}
		do(t)
	}
	turn.end()
}

// A lockTurn holds core.out.mu for topicsAtOnce topics at a time.
type lockTurn struct {
	s *subscribers
	n int
}

func (s *subscribers) newTurn() *lockTurn { return &lockTurn{s: s} }

// next returns with the lock held, or false if the socket has closed, without.
func (t *lockTurn) next() bool {
	o := &t.s.core.out
	if t.n == topicsAtOnce {
		t.end()
		runtime.Gosched()
	}
	if t.n == 0 {
		o.mu.Lock()
		if o.closed {
			t.s.tree, t.s.tidied, t.s.asked = prefix.Tree[*link]{}, nil, nil
			o.mu.Unlock()
			return false
		}
	}
	t.n++
	return true
}

func (t *lockTurn) end() {
	if t.n == 0 {
		return
	}
	if t.s.onTurn != nil {
		t.s.onTurn(t.n)
	}
	t.n = 0
	t.s.core.out.mu.Unlock()
}

// tidy tidies up if it is time to and nobody does already.
func (s *subscribers) tidy() {
	o := &s.core.out
	o.mu.Lock()
	untidy := s.tree.Untidy()
	o.mu.Unlock()
	if untidy && s.leaving.TryLock() {
		s.tidyUp()
		s.leaving.Unlock()
	}
}

// tidyUp gives memory back that is not in use, by making the tree anew. Meanwhile both are kept up. Links that have
// died but still wait to be forgotten are left out. leaving is held.
func (s *subscribers) tidyUp() {
	o := &s.core.out
	o.mu.Lock()
	if !s.tree.Untidy() || o.closed {
		o.mu.Unlock()
		return
	}
	s.tidied = new(prefix.Tree[*link])
	links := slices.Clone(o.links)
	o.mu.Unlock()
	turn := s.newTurn()
	for _, l := range links {
		if !turn.next() { // what a link has may change between two turns, but not while one lasts
			return
		}
		for t := range l.out.topics {
			s.tidied.Add(t, l)
			if !turn.next() {
				return
			}
		}
	}
	if !turn.next() {
		return
	}
	s.tree, s.tidied = *s.tidied, nil
	turn.end()
}
