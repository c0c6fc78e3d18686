package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A group is what goes into one commit.
type group struct {
	bundle
	reqs  []*request
	state []record // of what was owed
	owed  owed     // what these carry
	need  need
}

// run is the committer: it takes all that waits, commits it by one write and one sync, and wakes those who waited.
func (s *Spool) run() {
	defer s.work.Done()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	s.pause()
	for {
		s.takeTurns()
		s.mu.Lock()
		wait, due := s.due()
		closing := s.closing
		s.mu.Unlock()
		switch {
		case due:
			s.step()
			continue
		case closing:
			s.end()
			s.takeTurns()
			return
		case wait > 0:
			timer.Reset(wait)
			select {
			case <-s.kick:
			case <-timer.C:
			}
			timer.Stop()
		default:
			<-s.kick
		}
		s.pause()
	}
}

// due reports whether there is something to commit now, or else how long until there is; 0 is until somebody says. The
// caller holds the lock.
func (s *Spool) due() (wait time.Duration, now bool) {
	at := time.Time{}
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	var a ahead
	for _, r := range s.queue {
		switch {
		case s.waitsForTurn(r):
		case a.holds(r):
			if r.try { // it is told that there is no room
				return 0, true
			}
		case r.need == forMessages && s.full != nil && !r.try:
			a.waits(r)
			if s.closing {
				continue
			}
			sooner(s.fullUntil)
		case r.later && !s.closing && s.queued < maxGroup:
			sooner(s.lastCommit.Add(s.opts.SyncEvery))
		default:
			return 0, true
		}
	}
	if !s.owed.empty() && !s.turns.tidying {
		switch {
		case s.closing && !s.lastTry:
			s.lastTry = s.stuck != nil
			return 0, true
		case s.closing:
		case s.stuck != nil:
			sooner(s.owedSince.Add(fullRetry))
		default:
			sooner(s.owedSince.Add(settleDelay))
		}
	}
	if at.IsZero() {
		return 0, false
	}
	wait = at.Sub(s.env.now())
	return wait, wait <= 0
}

// end refuses what can no longer be committed.
func (s *Spool) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.queue {
		s.finish(r, ErrClosed)
	}
	s.queue, s.queued = nil, 0
	if !s.owed.empty() && s.asyncErr == nil {
		s.asyncErr = s.stuck
	}
	s.ended = true
	s.move()
	s.wakeJanitor()
}

// finish tells a request's caller how it ended. The caller holds the lock.
func (s *Spool) finish(r *request, err error) {
	if r.later && err != nil && s.asyncErr == nil {
		s.asyncErr = err
	}
	s.tell(r, err)
}

// step makes one commit.
func (s *Spool) step() {
	g := s.collect()
	if g.need != forState {
		if err := s.makeRoom(g); err != nil {
			s.refuse(g, err)
		}
	}
	if len(g.reqs)+len(g.state) == 0 {
		return
	}
	if err := s.ensure(g.total(), g.need); err != nil {
		s.fail(g, err, false)
		return
	}
	s.number(g)
	s.commit(g)
}

// number gives the messages of a group their seqs.
func (s *Spool) number(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.first = s.written
	next := s.st.next
	for _, r := range g.reqs {
		if r.messages == 0 {
			continue
		}
		if !r.numbered {
			r.first = next
			next += uint64(r.messages)
		}
		seq := r.first
		for i := range r.recs {
			if rec := &r.recs[i]; rec.kind == typeMessage && rec.seq == 0 {
				rec.seq = seq
				seq++
			}
		}
	}
	s.st.next = next
	g.resequence()
}

// resequence copies the seqs that were given to the requests' records into the batch.
func (g *group) resequence() {
	i := 0
	end := g.first
	for _, r := range g.reqs {
		for j := range r.recs {
			g.recs[i].seq = r.recs[j].seq
			if r.recs[j].kind == typeMessage {
				end = max(end, r.recs[j].seq+1)
			}
			i++
		}
	}
	g.messages = uint32(end - g.first)
}

// commit writes a group, in another segment if this one fails.
func (s *Spool) commit(g *group) {
	began := s.env.now()
	err := s.write(g)
	if err != nil {
		s.failed(err)
		if again := s.rotate(g.total(), forCopies); again != nil {
			s.fail(g, errors.Join(err, again), true)
			return
		}
		if err = s.write(g); err != nil {
			s.failed(err)
			s.fail(g, err, true)
			return
		}
	}
	s.publish(g, began)
}

// write writes a group behind the last one, and syncs it.
func (s *Spool) write(g *group) error {
	n := s.newest
	g.number = n.number1 + 1
	size := int64(g.total())
	out := g.seal(n.seed, s.buf)
	if cap(out[0]) > cap(s.buf) && cap(out[0]) <= maxGroup {
		s.buf = out[0][:0]
	}
	end := n.end + size
	ahead := max(n.dirty-end, 0)
	if end > n.zeroed && size < aheadLimit {
		ahead = max(ahead, min(zeroAhead, n.backed-end))
	}
	for left := ahead; left > 0; left -= int64(len(zeros)) {
		out = append(out, zeros[:min(left, int64(len(zeros)))])
	}
	err := n.file.WriteVec(out, n.end)
	if err == nil && !s.env.is(noCommitSync) {
		err = n.file.Sync()
	}
	if err != nil {
		s.begun = max(s.begun, g.number)
		if !s.env.is(failedSegmentReused) {
			n.failed = err
		}
		return err
	}
	n.number1, n.zeroed, n.dirty = g.number, max(n.zeroed, end+ahead), 0
	n.backed = max(n.backed, end+ahead)
	return nil
}

// Zeros are written ahead, so that a commit changes nothing but data: no metadata of the file system, which would take
// a flush of its own. A large commit has enough of its own to write.
const (
	zeroAhead  = 1 << 20
	aheadLimit = 256 << 10
)

// publish makes a commit that is durable visible.
func (s *Spool) publish(g *group, began time.Time) {
	now := s.env.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.newest
	at := n.end + batchHeader
	for i := range g.recs {
		r := &g.recs[i]
		switch r.kind {
		case typeMessage:
			n.mark(r.seq, at)
			s.mayExpire = s.mayExpire || r.expiry != 0
			s.stats.messages++
		default:
			s.st.apply(&stored{r.recordHead, r.head[recordHeader:]}, place{n.number, at})
		}
		at += int64(padded(r.size))
	}
	n.end = at
	s.written = g.first + uint64(g.messages)
	s.safe = s.written
	if !g.owed.empty() {
		s.flying--
	}
	s.lastCommit, s.stuck = now, nil
	s.stats.commit(now.Sub(began), len(g.reqs))
	s.healthy()
	if s.stats.full && g.messages > 0 {
		s.stats.full = false
		s.emit(Event{Kind: Room})
	}
	for _, r := range g.reqs {
		if r.then != nil {
			r.then()
		}
		s.finish(r, nil)
	}
	s.passed()
	s.reap()
	s.move()
}

// fail ends a group that was not committed. If it was written, its messages may be found by the next Open, or not.
func (s *Spool) fail(g *group, err error, wasWritten bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case wasWritten:
		err = fmt.Errorf("%w: %w", ErrUncertain, err)
		if s.env.is(seqsReused) {
			s.st.next = g.first
		} else {
			s.burn(g.first, g.first+uint64(g.messages))
			s.written = max(s.written, g.first+uint64(g.messages))
		}
	case isFull(err):
		err = fullError(err)
	}
	s.stuck, s.lastTry = err, s.closing
	s.giveBack(g)
	for _, r := range g.reqs {
		if !wasWritten {
			s.abandon(r)
		}
		s.finish(r, err)
	}
	s.move()
}

// burn notes seqs that were given and will never be there. The caller holds the lock.
func (s *Spool) burn(from, to uint64) { s.void(ranges.Range{From: from, To: to}, false) }

// void notes seqs that are nowhere. The caller holds the lock.
func (s *Spool) void(r ranges.Range, damaged bool) {
	if r.Len() == 0 {
		return
	}
	s.st.makeVoid(r.From, r.To)
	s.owed.void = append(s.owed.void, voided{r, damaged})
	s.owe()
}

// owe has what is owed committed in a while. The caller holds the lock.
func (s *Spool) owe() {
	if s.owedSince.IsZero() {
		s.owedSince = s.env.now()
		s.wake(s.kick)
	}
}

// giveBack owes again what a commit that failed has carried. The caller holds the lock.
func (s *Spool) giveBack(g *group) {
	if g.owed.empty() {
		return
	}
	s.flying--
	if s.env.is(failedSettleDone) {
		return
	}
	for id, rs := range g.owed.settled {
		s.owed.settled[id] = append(rs, s.owed.settled[id]...)
	}
	for k := range g.owed.attempts {
		s.owed.attempts[k] = true
	}
	s.owed.void = append(g.owed.void, s.owed.void...)
	s.owedSince = s.env.now()
}
