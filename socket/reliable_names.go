package socket

import (
	"fmt"

	"github.com/yodel-mq/yodel/socket/internal/reliable"
)

// The name by which a receiver is known is what it says itself: that of WithName or the one that was drawn for it, an
// owner's of a partition, a durable subscription's. What waits for a name must not go to whoever says it. So where
// peers prove who they are, a name belongs to the first user who has come with it, for as long as something is kept
// under it: a session for as long as it lasts, an owner of a partition and a durable subscription with their cursors.
// Where WithIdentityBinding says who may have a name, that decides.
//
// Users are compared under the lock; the application's function is asked without it.

// What names are of, in errors.
const (
	subscriptionOf = "the durable subscription"
	partOf         = "the part of"
)

// knowsUsers reports whether names belong to users.
func (c *config) knowsUsers() bool { return c.authenticator != nil || c.binding != nil }

// bound asks whether a peer may have a name, where that is for WithIdentityBinding to say.
func (c *config) bound(p *Peer, what, name string) error {
	if c.binding == nil || name == "" || c.binding(p.User, name) {
		return nil
	}
	return fmt.Errorf("%w: %s %.64q does not belong to the user %.64q", ErrDenied, what, name, p.User)
}

// An owner is the user that a name belongs to; empty for nobody yet. It is guarded by outbox.mu.
type owner string

// refuses says why a peer may not have a name, if it may not. Where a rule has decided on the name that the owner is
// of, it has let the peer in.
func (o owner) refuses(c *config, p *Peer, what, name string) error {
	if o == "" || string(o) == p.User || !c.knowsUsers() || c.binding != nil && name != "" {
		return nil
	}
	if name != "" {
		what = fmt.Sprintf("%s %.64q", what, name)
	}
	return fmt.Errorf("%w: %s belongs to the user %.64q, and not to %.64q", ErrDenied, what, string(o), p.User)
}

// take has the name belong to the user of a peer that may have it, and reports whether it did not before.
func (o *owner) take(c *config, p *Peer) bool {
	if p.User == "" || string(*o) == p.User || !c.knowsUsers() {
		return false
	}
	*o = owner(p.User)
	return true
}

// mayReceive says why a peer is not served from the socket's store as the receiver that it says it is, if it is not.
// Otherwise the name of an owner in a partition belongs to its user from now on. The subscriptions of a publisher have
// stores of their own, and names beside this one.
func (o *outbox) mayReceive(l *link, id reliable.ID) error {
	sp, cfg := o.spooled, o.env.cfg
	if sp == nil || !cfg.knowsUsers() || id == (reliable.ID{}) {
		return nil
	}
	o.mu.Lock()
	f := sp.feederFor(id)
	o.mu.Unlock()
	if f == nil {
		return nil // it is told later that it is a stranger
	}
	if err := cfg.bound(l.peer, partOf, f.receiver); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := f.notes.owner.refuses(cfg, l.peer, partOf, f.receiver); err != nil {
		return err
	}
	for _, s := range o.sessions {
		if s.receiver != id || s.spooled != sp {
			continue
		}
		if err := s.claimedAs(l); err != nil {
			return err
		}
	}
	if f.receiver != "" && f.notes.owner.take(cfg, l.peer) {
		f.saveNotes()
	}
	return nil
}
