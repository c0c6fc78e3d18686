package proxy

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/yodel-mq/yodel/socket"
)

// Messages of one envelope go to one backend (WithAffinity).
//
// Which backends there are the events of the socket tell, so that the socket needs no option for it. An envelope is
// known by a hash, which takes the same little room however long it is. Two with the same hash share a backend, and
// are none the worse for it.

// defaultEnvelopes is how many envelopes are remembered by default.
const defaultEnvelopes = 1 << 16

// An addresser is a socket that sends to the peer that it is told to: a [socket.Dealer].
type addresser interface {
	socket.Sender
	SendTo(ctx context.Context, p *socket.Peer, m socket.Msg) error
	TrySendTo(p *socket.Peer, m socket.Msg) error
	WaitRoom(ctx context.Context, p *socket.Peer) error
}

// backends are the peers of a socket, and which envelopes are whose.
type backends struct {
	to   addresser
	seed maphash.Seed

	mu      sync.Mutex
	peers   []*socket.Peer
	turn    int           // which of them is next
	changed chan struct{} // closed when one comes
	// Of the envelopes those seen last are in young, where an old one goes when it is seen again. When young has half of
	// what may be remembered it becomes old, and what was old is forgotten.
	young, old map[uint64]*socket.Peer
	half       int
}

func newBackends(to addresser, envelopes int) *backends {
	return &backends{
		to: to, seed: maphash.MakeSeed(), changed: make(chan struct{}),
		young: make(map[uint64]*socket.Peer), half: max(envelopes/2, 1),
	}
}

// affine returns the backends of a socket that can be sent to one by one.
func affine(backend socket.Socket, envelopes int) (*backends, error) {
	to, ok := backend.(addresser)
	if !ok || backend.Type() != "DEALER" {
		return nil, fmt.Errorf("proxy: WithAffinity needs a DEALER as the backend, not a %s", backend.Type())
	}
	if err := to.WaitRoom(noWait, nil); errors.Is(err, errors.ErrUnsupported) { // it has a spool
		return nil, fmt.Errorf("proxy: WithAffinity: %w", err)
	}
	return newBackends(to, envelopes), nil
}

// noWait has ended.
var noWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// follow takes note of peers that come and go until ctx ends or the socket closes.
func (b *backends) follow(ctx context.Context) {
	b.look()
	for ev := range b.to.Events(ctx) {
		switch ev.Kind {
		case socket.PeerUp:
			b.add(ev.Peer)
		case socket.PeerDown, socket.ProtocolError, socket.LimitHit:
			b.remove(ev.Peer)
		case socket.Missed:
			b.look()
		case socket.Closed:
			b.add(nil) // whoever waits for a peer is to see it
		default:
		}
	}
}

// look takes note of those that are there, for events may have been missed.
func (b *backends) look() {
	var here []*socket.Peer
	for _, s := range b.to.Stats().Peers {
		here = append(here, s.Peer)
	}
	b.mu.Lock()
	gone := slices.DeleteFunc(slices.Clone(b.peers), func(p *socket.Peer) bool { return slices.Contains(here, p) })
	b.mu.Unlock()
	for _, p := range gone {
		b.remove(p)
	}
	for _, p := range here {
		b.add(p)
	}
}

// add takes note of a peer, and wakes who waits for one.
func (b *backends) add(p *socket.Peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p != nil && !slices.Contains(b.peers, p) {
		b.peers = append(b.peers, p)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// remove forgets a peer and all that was its.
func (b *backends) remove(p *socket.Peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.peers, p); i >= 0 {
		b.peers = slices.Delete(b.peers, i, i+1)
		if i < b.turn {
			b.turn--
		}
	}
	for _, m := range []map[uint64]*socket.Peer{b.young, b.old} {
		for key, of := range m {
			if of == p {
				delete(m, key)
			}
		}
	}
}

// send sends a message to the backend of its envelope, or to the next one that has room, whose the envelope then is.
func (b *backends) send(ctx context.Context, m socket.Msg) error {
	envelope, _ := m.Envelope()
	key := b.key(envelope)
	if envelope != nil {
		if p := b.whose(key); p != nil {
			err := b.to.SendTo(ctx, p, m)
			if !errors.Is(err, socket.ErrPeerLost) {
				return err
			}
			b.remove(p)
		}
	}
	for {
		p, err := b.sendNext(m)
		if p != nil && envelope != nil {
			b.assign(key, p)
		}
		if !errors.Is(err, socket.ErrWouldBlock) {
			return err
		}
		if err := b.await(ctx); err != nil {
			return err
		}
	}
}

// sendNext sends a message to the first in turn that has room. Without one the error matches ErrWouldBlock.
func (b *backends) sendNext(m socket.Msg) (*socket.Peer, error) {
	for _, p := range b.inTurn() {
		err := b.to.WaitRoom(noWait, p) // with a policy that drops, TrySendTo would take it without room
		if err == nil {
			err = b.to.TrySendTo(p, m)
		}
		switch {
		case err == nil:
			return p, nil
		case errors.Is(err, socket.ErrPeerLost):
			b.remove(p)
		case !errors.Is(err, socket.ErrWouldBlock):
			return nil, err
		}
	}
	return nil, socket.ErrWouldBlock
}

// inTurn lists the peers, those first whose turn it is.
func (b *backends) inTurn() []*socket.Peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.peers) == 0 {
		return nil
	}
	b.turn %= len(b.peers)
	all := slices.Concat(b.peers[b.turn:], b.peers[:b.turn])
	b.turn++
	return all
}

// await waits until one of the peers has room, or another one comes.
func (b *backends) await(ctx context.Context) error {
	b.mu.Lock()
	full, changed := slices.Clone(b.peers), b.changed
	b.mu.Unlock()
	if err := b.to.WaitRoom(noWait, nil); errors.Is(err, socket.ErrClosed) { // nobody will come
		return err
	}
	within, cancel := context.WithCancel(ctx)
	var waits sync.WaitGroup
	defer waits.Wait()
	defer cancel()
	room := make(chan struct{}, len(full))
	for _, p := range full {
		waits.Go(func() {
			_ = b.to.WaitRoom(within, p) // whatever it is, the next attempt to send finds out
			room <- struct{}{}
		})
	}
	select {
	case <-room:
	case <-changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// key is the hash of an envelope.
func (b *backends) key(envelope [][]byte) uint64 {
	var h maphash.Hash
	h.SetSeed(b.seed)
	for _, f := range envelope {
		maphash.WriteComparable(&h, len(f))
		_, _ = h.Write(f)
	}
	return h.Sum64()
}

// whose returns the backend of an envelope, nil if it has none.
func (b *backends) whose(key uint64) *socket.Peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.young[key]
	if p == nil {
		if p = b.old[key]; p != nil {
			b.remember(key, p)
		}
	}
	return p
}

// assign makes an envelope that of a backend.
func (b *backends) assign(key uint64, p *socket.Peer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remember(key, p)
}

// remember notes whose an envelope is, and that it was seen. mu is held.
func (b *backends) remember(key uint64, p *socket.Peer) {
	delete(b.old, key)
	if len(b.young) >= b.half {
		b.old, b.young = b.young, make(map[uint64]*socket.Peer)
	}
	b.young[key] = p
}
