package socket

import (
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/transport"
)

// An inproc is the carrier of a link to a peer in the same process: no ZMTP, no bytes, messages move into the peer's
// queue as values. That queue is the only one between the two, and its high-water mark the sum of the sender's and the
// receiver's (libzmq inproc); what a sender keeps for it in the meantime (link_inproc_batch.go) counts towards that
// mark.
type inproc struct {
	link     *link
	me       *Peer   // this side, as the other sees it
	other    *inproc // the other side
	peerLink *link   // its link
	batch    senderBatch

	conduit *inprocConduit // until both are members

	stance  atomic.Int32  // whether the link is to be; see agree
	willing chan struct{} // closed once this side has agreed
	joined  chan struct{} // closed once this side has joined its socket

	subscribing lockorder.Mutex[lockorder.Subscribing] // held while the other side subscribes at this one
	left        bool                                   // this side takes no subscriptions any more; guarded by subscribing
}

// What one side of a link thinks of it.
const (
	undecided int32 = iota
	willing         // it takes the other in
	counted         // so it does, and the other has counted on it
	unwilling       // it does not, or not any more
)

// agree says that this side takes the other in and returns once that is mutual. Only then anything passes between the
// two: a side that refuses, or that has to end first, has nothing to give back. Both come to the same result,
// whatever happens meanwhile: who has been counted on can not step back.
func (p *inproc) agree() error {
	p.stance.Store(willing)
	close(p.willing)
	other := p.other
	select {
	case <-other.willing:
	case <-p.link.gone:
	case <-p.link.conn.(transport.Direct).Done():
	}
	if other.stance.CompareAndSwap(willing, counted) || !p.stance.CompareAndSwap(willing, unwilling) {
		return nil
	}
	return p.whyEnded()
}

// whyEnded is why a link that has ended did.
func (p *inproc) whyEnded() error {
	select {
	case <-p.link.gone:
		return p.link.cause()
	default:
		return errPeerClosed
	}
}

// subscribe hands the other side a subscription, unless that has left or is about to. What it does about it, it does
// before it leaves.
func (p *inproc) subscribe(add bool, topic string) {
	peerLink, other := p.peerLink, p.other
	other.subscribing.Lock()
	defer other.subscribing.Unlock()
	if other.left {
		return
	}
	if err := peerLink.core.role.subscription(peerLink, add, []byte(topic)); err != nil {
		peerLink.fail(err)
	}
}

// subscribeAll waits until the other side has joined: a publisher sends its welcome message before it gets
// subscriptions.
func (p *inproc) subscribeAll(s *subscriptions) {
	<-p.other.joined
	s.changes.Lock()
	defer s.changes.Unlock()
	s.links[p.link] = struct{}{}
	for _, topic := range s.inOrder() {
		p.subscribe(true, topic)
	}
}

// leave ends the time in which the other side may subscribe at this one.
func (p *inproc) leave() {
	p.subscribing.Lock()
	defer p.subscribing.Unlock()
	p.left = true
}

// resume tells the peer, which sends, that its queue has room again.
func (p *inproc) resume() {
	box := &p.peerLink.core.out
	box.mu.Lock()
	defer box.mu.Unlock()
	if !box.closed {
		p.peerLink.hasOpened()
	}
}

// run lets the other side subscribe at this one, and waits for the end.
func (p *inproc) run() error {
	close(p.joined)
	select {
	case <-p.link.conn.(transport.Direct).Done():
		return errPeerClosed
	case <-p.link.gone:
		return p.link.cause()
	}
}

// peerEnd tells that either side has ended the connection.
func (p *inproc) peerEnd() error {
	select {
	case <-p.link.conn.(transport.Direct).Done():
		return errPeerClosed
	default:
		return nil
	}
}
