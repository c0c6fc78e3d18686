package spool

// The committer, the janitor and those who call work side by side. In a test that is to do the same again with the same
// seed (env.pause) they take turns, so that what they ask of the file system comes in one order:
//
//   - The committer begins once all who call wait, be it for a commit or for time to pass.
//   - It tells nobody what has become of a commit, nor that anything has changed, before the janitor has done what
//     there is to do; until then it serves that alone.
//
// Without env.pause nothing of this is done.

// turns is what waits for its turn. It is guarded by the lock.
type turns struct {
	untidy  bool     // there is something for the janitor
	tidying bool     // it is the janitor's turn
	untold  []func() // tell callers what has become of their requests
	unmoved bool     // and that something has changed
}

// takesTurns reports whether those who work take turns.
func (e *env) takesTurns() bool { return e.pause != nil }

// takeTurns has all others have their turn. Only the committer calls it, before it looks what there is for itself.
func (s *Spool) takeTurns() {
	for s.env.takesTurns() {
		s.mu.Lock()
		untidy := s.turns.untidy
		s.turns.untidy, s.turns.tidying = false, untidy
		s.mu.Unlock()
		switch {
		case untidy:
			s.serveJanitor()
		case s.tellAll():
			s.env.pause()
		default:
			return
		}
	}
}

// pause waits until all who call do.
func (s *Spool) pause() {
	if s.env.takesTurns() {
		s.env.pause()
	}
}

// serveJanitor commits what the janitor asks for until its turn is over.
func (s *Spool) serveJanitor() {
	s.wake(s.chore)
	for {
		s.mu.Lock()
		over := !s.turns.tidying
		_, due := s.due()
		s.mu.Unlock()
		switch {
		case over:
			return
		case due:
			s.step()
		default:
			<-s.kick
		}
	}
}

// waitsForTurn reports whether a request is not to be committed now, as it is the janitor's turn. The caller holds the
// lock.
func (s *Spool) waitsForTurn(r *request) bool { return s.turns.tidying && !r.chore }

// wakeJanitor makes one more round of the janitor certain. The caller holds the lock.
func (s *Spool) wakeJanitor() {
	if s.env.takesTurns() {
		s.turns.untidy = true
		s.wake(s.kick)
		return
	}
	s.wake(s.chore)
}

// tidied ends the janitor's turn.
func (s *Spool) tidied() {
	s.mu.Lock()
	s.turns.tidying = false
	s.mu.Unlock()
	if s.env.takesTurns() {
		s.wake(s.kick)
	}
}

// tell tells a request's caller how it ended, the janitor at once. The caller holds the lock.
func (s *Spool) tell(r *request, err error) {
	if s.env.takesTurns() && !r.chore {
		s.turns.untold = append(s.turns.untold, func() { r.done <- err })
		return
	}
	r.done <- err
}

// tellAll tells what has been kept back, and reports whether there was anything.
func (s *Spool) tellAll() (any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	untold, unmoved := s.turns.untold, s.turns.unmoved
	s.turns.untold, s.turns.unmoved = nil, false
	for _, tell := range untold {
		tell()
	}
	if unmoved {
		s.moveNow()
	}
	return unmoved || len(untold) > 0
}
