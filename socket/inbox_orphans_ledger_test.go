package socket

import "testing"

// TestOrphanHasAnAccountOfItsOwn: what is discarded of a peer that has gone is not counted once more of the link it
// had, which Stats may still show.
func TestOrphanHasAnAccountOfItsOwn(t *testing.T) {
	pull := NewPull()
	defer pull.Close()
	q := &pull.in
	l := &link{core: pull.core, ep: &endpointState{}, peer: &Peer{}}
	l.in.ready = true
	for _, body := range []string{"handed", "kept"} {
		q.push(l, Text(body))
	}
	q.rejectLocked(l, Unexpected, Count{1, 3})
	q.recv.Lock()
	q.mu.Lock()
	q.orphanUnread(l)
	h := q.orphanOf(l)
	before := sum(l.in.counts.discarded)
	q.dropOldest(h, NotSubscribed)
	q.rejectLocked(h, Unexpected, Count{1, 5})
	after := sum(l.in.counts.discarded)
	q.mu.Unlock()
	q.recv.Unlock()
	if before != after {
		t.Errorf("the link has %v discarded, and then %v", before, after)
	}
	if err := pull.Stats().Check(); err != nil {
		t.Error(err)
	}
}
