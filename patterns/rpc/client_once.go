package rpc

import (
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/patterns/internal/balance"
	"github.com/yodel-mq/yodel/socket"
)

// A client remembers where the calls with keys went, so that one that is repeated goes to the same Service: another one
// would do it a second time.
const (
	maxHeld   = 10_000 // of calls that have ended
	heldFor   = 10 * time.Minute
	keepsOnce = "X-Yodel-Service" // the property of READY by which a Service says which one it is
)

// serviceID tells which Service a peer is, for the time that it lasts; "" if it is none.
func serviceID(p *socket.Peer) string { return p.Metadata[keepsOnce] }

// errHeld: a call must not go to another Service than the one that is gone.
var errHeld = fmt.Errorf("no other replica knows what became of the call with this key: %w", socket.ErrPeerLost)

// A keyed call is known by these.
type keyed struct{ method, key string }

// A holder is the Service that may have begun the call with a key. The client's lock guards it.
type holder struct {
	keyed
	id      string    // of the Service; "" while the call may go to any
	replica *replica  // by which it was last reached
	users   int       // calls that use this
	out     int       // attempts that are out
	begun   bool      // a handler may have begun
	until   time.Time // zero while an attempt was made that is not reckoned with
}

// begin says that an attempt is made at a replica.
func (h *holder) begin(r *replica) {
	h.id, h.replica, h.until = r.id, r, time.Time{}
	h.out++
}

// over says what an attempt has come to. If nobody can have begun the call it may go anywhere.
func (h *holder) over(begun bool) {
	h.out--
	h.begun = h.begun || begun
	if h.out == 0 && !h.begun {
		h.id, h.replica = "", nil
	}
}

// hold gives a call the holder of its key.
func (c *Client) hold(out *outgoing) {
	k := keyed{out.info.Method, out.key}
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[k]
	if h != nil && h.users == 0 && !time.Now().Before(h.until) {
		h = nil
	}
	if h == nil {
		h = &holder{keyed: k}
		c.held[k] = h
	}
	h.users++
	out.held, out.ran = h, out.ran || h.id != ""
}

// release says that a call has ended. Its holder is remembered if anything was begun there.
func (c *Client) release(h *holder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.users--; h.users > 0 {
		return
	}
	if h.id == "" {
		delete(c.held, h.keyed)
		return
	}
	now := time.Now()
	if h.until.IsZero() {
		h.until = now.Add(heldFor)
	}
	c.ended = append(c.ended, heldUntil{h, h.until})
	for len(c.ended) > 0 {
		e := c.ended[0]
		if len(c.ended) <= maxHeld && now.Before(e.until) {
			break
		}
		c.ended[0] = heldUntil{}
		c.ended = c.ended[1:]
		if h := e.holder; h.users == 0 && h.until.Equal(e.until) && c.held[h.keyed] == h { // not used since
			delete(c.held, h.keyed)
		}
	}
}

// heldUntil is a holder that was released, and until when it is remembered unless it is used again.
type heldUntil struct {
	*holder
	until time.Time
}

// bound tells whether a call may go to one Service only.
func (c *Client) bound(out *outgoing) bool {
	if out.held == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if out.held.id == "" {
		return false
	}
	out.ran = true // as in choose
	return true
}

// sameAgain is choose for a call that may go to one Service only. Where the connection to that is lost it may come back
// within the time of WithPatience. mu is held.
func (c *Client) sameAgain(now time.Time, out *outgoing) (*attempt, balance.Why, time.Duration, error) {
	h := out.held
	for _, r := range c.replicas { // more than one line may lead there
		if r.conn != nil && r.id == h.id && c.set.Take(r) {
			return c.register(r, out), balance.Found, 0, nil
		}
	}
	r := h.replica
	if r.retired || r.conn != nil && (r.id != h.id || r.draining) {
		return nil, balance.NoReplica, 0, errHeld
	}
	if patience := r.lost.Add(c.cfg.patience).Sub(now); patience > 0 {
		return nil, balance.NoReplica, patience, nil
	}
	return nil, balance.NoReplica, 0, errHeld
}

// noStream says why a call with streams cannot be as its options say, if that is so.
func (out *outgoing) noStream() error {
	var err error
	switch {
	case out.key != "":
		err = errors.New("only a call with one reply may have Once, as items are not kept")
	case out.hedge > 0:
		err = errors.New("only a call with one reply may have Hedge")
	default:
		return nil
	}
	return fmt.Errorf("rpc: call %s: %w", out.info.Method, err)
}
