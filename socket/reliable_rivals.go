package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// rivals are receivers that have one name: that of a durable subscription, or one of their own (WithName). Who comes
// last takes over, so that one that was started anew need not wait for its earlier connection to be given up; but who
// was taken over from comes back too, for it does not know better, and would take over in its turn. It is refused while
// the one that took over is there.
type rivals struct {
	holder rival   // who took over last
	losers []rival // from whom, the last one at the end
}

// A rival is one of several that have a name. Those of one process that are bound are one.
type rival struct {
	end  endID
	node NodeID
	by   [8]byte
}

func (p *Peer) rival() rival { return rival{p.end, p.Node, p.by} }

// maxLosers is how many of those are remembered that were taken over from. Of more, those that were so first take over
// once more, each in its turn.
const maxLosers = 16

// take notes that one receiver has taken over from another.
func (r *rivals) take(holder, loser rival) {
	if holder == loser { // it has come back
		return
	}
	here := func(e rival) bool { return e == holder || e == loser }
	if r.losers = slices.DeleteFunc(r.losers, here); len(r.losers) == maxLosers {
		r.losers = slices.Delete(r.losers, 0, 1)
	}
	r.holder, r.losers = holder, append(r.losers, loser)
}

// bar reports whether a receiver is refused as long as the other is there.
func (r *rivals) bar(there, comes *Peer) bool {
	return there.rival() == r.holder && slices.Contains(r.losers, comes.rival())
}

// claimedBy says why a peer does not get the subscription that it has named, if it does not. Otherwise that belongs to
// its user from now on.
func (d *durable) claimedBy(l *link) error {
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	cfg := d.box.env.cfg
	if err := d.owner.refuses(cfg, l.peer, subscriptionOf, d.name); err != nil {
		return err
	}
	if d.link == nil || !d.had.bar(d.link.peer, l.peer) {
		if d.owner.take(cfg, l.peer) {
			d.save()
		}
		return nil
	}
	return fmt.Errorf("%w: the durable subscription %.64q is that of the subscriber at %s now", ErrTakenOver, d.name,
		d.link.peer.Address)
}

// claimedAs says why a peer may not be the receiver of the session, if it may not.
func (s *session) claimedAs(l *link) error {
	return s.owner.refuses(s.box.env.cfg, l.peer, "the receiver's name", "")
}

// claimedBy says why a peer does not go on with the session, if it does not.
func (s *session) claimedBy(l *link) error {
	if err := s.claimedAs(l); err != nil {
		return err
	}
	if s.link == nil || !s.had.bar(s.link.peer, l.peer) {
		return nil
	}
	return fmt.Errorf("%w: the receiver at %s has the same name, and is connected", ErrTakenOver, s.link.peer.Address)
}

// refuse tells the peer, ahead of the end, why it is not served; of one that may not come in no more than that.
func (l *link) refuse(why error) {
	reason := why.Error()
	if errors.Is(why, ErrDenied) {
		reason = strconv.Itoa(zmtp.StatusRefused)
	}
	ctx, cancel := context.WithTimeout(context.Background(), byeTimeout)
	defer cancel()
	l.sendCommand(func(b []byte) []byte { return zmtp.AppendError(b, reason) })
	l.core.out.awaitWritten(ctx, l)
}
