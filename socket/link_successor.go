package socket

import "time"

// A Pair has one peer, and a Router one for each identity. A peer that ends and comes back at once, or its successor,
// must not be taken for a second one because the goroutine that reads the old connection has not been told yet: so
// before a link is refused, its predecessor is looked at.

// predecessorTimeout is how long a link waits for its predecessor to be gone, events and all. There may be much to
// read from the predecessor still; the link takes its place then.
const predecessorTimeout = 100 * time.Millisecond

// replaces reports whether l may take the place of an older link, because the peer of that one has ended. It returns
// once that link has left, if that does not take long; in any case nothing more is sent there.
func (l *link) replaces(predecessor *link) bool {
	end := predecessor.carrier.peerEnd()
	if end == nil {
		select {
		case <-predecessor.gone: // meanwhile: of a connection that this side has closed the kernel tells nothing
			return true
		default:
			return false
		}
	}
	predecessor.endOut(end)
	l.core.out.mu.Lock()
	predecessor.out.fallSilent()
	l.core.out.mu.Unlock()
	t := time.NewTimer(predecessorTimeout)
	defer t.Stop()
	select {
	case <-predecessor.hasLeft:
	case <-l.gone:
	case <-t.C:
	}
	return true
}
