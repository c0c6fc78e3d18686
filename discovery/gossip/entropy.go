package gossip

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
)

// Gossip is a matter of chance: among nine members each piece of news misses one of them once in a few hundred times,
// and memberlist would notice when two compare all they know, which they do every half minute. So members that have
// heard news lately send each other, at random, a sum of what they know. Two that differ although neither has heard
// anything for a moment compare all.
const (
	sumTo    = 2 // members each time
	sumLong  = 5 * time.Second
	quiet    = 300 * time.Millisecond // without news: what is on its way has arrived
	syncMost = 30 * time.Second       // between comparisons that lead to nothing; for each member syncEach more
	syncEach = 20 * time.Millisecond
)

// sum is what a member adds to the sum of all, by exclusive or.
func (m *member) sum() uint64 {
	if !m.alive {
		return 0
	}
	h := sha256.Sum256(append(m.id[:len(m.id):len(m.id)], m.meta...))
	return binary.BigEndian.Uint64(h[:])
}

// noteChange notes that a member is another than before. s.mu is held.
func (s *session) noteChange(before, after uint64) {
	if before != after {
		s.sum ^= before ^ after
		s.changedAt, s.syncPause = time.Now(), 0
	}
}

// compare sends sums, often while there are news.
func (s *session) compare() {
	often := s.config.profile.sumEvery()
	timer := time.NewTimer(often)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
		s.mu.Lock()
		to := s.randomMembers(sumTo)
		age := time.Since(s.changedAt)
		msg, list := sumMessage(s.id, s.sum, age), s.list
		s.mu.Unlock()
		for _, n := range to {
			_ = list.SendBestEffort(n, msg)
		}
		every := often
		if age > sumLong {
			every *= 16
		}
		timer.Reset(jitter(every))
	}
}

// randomMembers returns up to n other members. s.mu is held.
func (s *session) randomMembers(n int) (nodes []*memberlist.Node) {
	seen := 0
	for id, m := range s.members {
		if id == s.id || !m.alive {
			continue
		}
		if seen++; len(nodes) < n {
			nodes = append(nodes, m.node())
		} else if i := rand.N(seen); i < n {
			nodes[i] = m.node()
		}
	}
	return nodes
}

// compared takes the sum of another member.
func (s *session) compared(id discovery.ID, sum uint64, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[id]
	if m == nil || !m.alive || id == s.id || s.closed || sum == s.sum || s.syncing {
		return
	}
	now := time.Now()
	if age < quiet || now.Sub(s.changedAt) < quiet || now.Sub(s.syncedAt) < s.syncPause {
		return
	}
	s.syncing = true
	s.syncedAt = now
	s.syncPause = min(max(2*s.syncPause, quiet), syncMost) + time.Duration(len(s.members))*syncEach
	addr, list := m.addr.String(), s.list
	s.wg.Go(func() {
		_, _ = list.Join([]string{addr}) // is to compare all
		s.mu.Lock()
		defer s.mu.Unlock()
		s.syncing = false
	})
}
