package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Router exchanges messages with many peers and says which one each message is from and for: the first frame is the
// peer's identity (RFC 28). Its peers are REQ, DEALER and ROUTER.
//
//   - In: fairly among peers, in the order of each connection, as with a [Pull], with the identity put in front. A
//     peer without one is given five bytes, the first of them zero, that last as long as its connection.
//   - Out: to the peer named by the first frame, which is taken off. If there is no such peer Send returns
//     ErrUnroutable ([WithDropUnroutable] drops, and counts, where libzmq drops in silence). What was queued for a
//     peer that is lost is dropped, and counted.
//   - Mute: while the named peer's queue is full Send waits, so that a program with one loop for all peers is stopped
//     by one that does not read: serve such peers by TrySend, or with [WithOverflow], where libzmq drops in silence.
//     A peer that holds its queue full is named by a [SlowPeer] event and can be cut off ([WithSlowPeer]).
//
// A second peer that claims an identity in use is refused, with a [DuplicateIdentity] event, or takes over
// ([WithHandover]). PeerUp and PeerDown tell of peers that come and go; their Peer is the From of the messages it
// sent. All methods may be called by any number of goroutines.
type Router struct {
	*core

	byID map[string]*link // guarded by core.out.mu
	auto uint32           // the next identity to give, guarded by core.out.mu
}

// NewRouter returns a Router that is neither bound nor connected. It does no I/O.
func NewRouter(opts ...RouterOption) *Router {
	s := &Router{byID: make(map[string]*link), auto: rand.Uint32()}
	cfg := configure(defaults(), opts)
	filter := s.addIdentity
	if cfg.received {
		filter = s.addIdentityReceived
	}
	s.core = newCore(cfg, behaviour{
		typ:      zmtp.Router,
		role:     routerRole{router: s},
		nameable: s.nameable,
		out:      outBehaviour{addressed: true, gone: s.gone},
		in:       inBehaviour{receives: true, answers: true, filter: filter, store: s.addIdentity},
	})
	return s
}

// Send sends the message to the peer that its first frame names, waiting for room until ctx ends. The error matches
// ErrUnroutable if there is no such peer, or no more while Send waits, and ErrNoFrames if no frame follows the first.
// The frames must not be changed afterwards.
func (s *Router) Send(ctx context.Context, m Msg) error { return s.send(ctx, true, m, Block) }

// TrySend is like Send but returns ErrWouldBlock where Send would wait.
func (s *Router) TrySend(m Msg) error { return s.send(context.Background(), false, m, Block) }

// SendTo sends the message, without an identity in front, to a peer found in an [Event], in [Stats] or in the From of a
// message: to this very connection, whoever has its identity by now. It waits for room until ctx ends. The error
// matches ErrPeerLost if the peer is not connected, or not any more while SendTo waits, also with
// [WithDropUnroutable].
func (s *Router) SendTo(ctx context.Context, p *Peer, m Msg) error { return s.sendTo(ctx, true, p, m) }

// TrySendTo is like SendTo but returns ErrWouldBlock where SendTo would wait.
func (s *Router) TrySendTo(p *Peer, m Msg) error { return s.sendTo(context.Background(), false, p, m) }

// SendOrDrop is like TrySend but never asks the caller to come back: where there is no room in the peer's queue the
// message is dropped, as under [DropNewest], so that it counts as accepted and as dropped, and a [SlowPeer] event
// names the peer. It is for a forwarder that serves all peers from one loop, as that of package proxy does. Another
// policy of [WithOverflow] than [Block] stands.
func (s *Router) SendOrDrop(m Msg) error { return s.send(context.Background(), false, m, DropNewest) }

// Reply answers a request that Recv returned: it sends the body to the peer that the request names, behind the envelope
// of the request, as REQ and REP expect it. A request of a DEALER that put no envelope in front, which is to say no
// empty frame, gets the body alone. Like Send, it waits for room until ctx ends, and the error matches ErrUnroutable
// if the peer is gone.
func (s *Router) Reply(ctx context.Context, request, body Msg) error {
	switch {
	case len(request.Frames) == 0:
		return opError("reply", fmt.Errorf("%w: to a request without the peer's identity", ErrNoFrames))
	case len(body.Frames) == 0:
		return opError("reply", ErrNoFrames)
	}
	envelope, _ := request.Envelope()
	if len(envelope) == 0 {
		envelope = request.Frames[:1]
	}
	return s.Send(ctx, Msg{Frames: slices.Concat(envelope, body.Frames)})
}

func (s *Router) send(ctx context.Context, wait bool, m Msg, instead Overflow) error {
	if err := s.sendable(m); err != nil {
		return opError("send", err)
	}
	if len(m.Frames) < 2 {
		return opError("send", fmt.Errorf("%w after the peer's identity", ErrNoFrames))
	}
	id := m.Frames[0]
	m.Frames = m.Frames[1:]
	err := s.out.route(ctx, wait, func() *link { return s.byID[string(id)] }, m, instead)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrPeerLost) && s.cfg.dropUnroutable:
		s.out.drop(Unroutable, m.Size())
		return nil
	case errors.Is(err, ErrPeerLost):
		return opError("send", fmt.Errorf("to %.64q: %w", id, ErrUnroutable))
	}
	return s.ended(ctx, "send", err)
}

// Recv returns the next message, waiting for one until ctx ends or the socket closes; with a context that has ended it
// returns what is there already. Its first frame is the identity of the peer it came from. The message is the caller's
// for good.
func (s *Router) Recv(ctx context.Context) (Msg, error) { return s.recv(ctx) }

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *Router) TryRecv() (Msg, error) { return s.tryRecv() }

// Messages yields messages as Recv returns them. When ctx ends it yields that as an error and stops; when the socket
// closes it just stops.
func (s *Router) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.recv) }

// Next is Recv that returns a [Delivery]; see [Pull.Next].
func (s *Router) Next(ctx context.Context) (*Delivery, error) { return s.next(ctx) }

// Deliveries yields messages as Next returns them; see Messages.
func (s *Router) Deliveries(ctx context.Context) iter.Seq2[*Delivery, error] {
	return each(ctx, s.Next)
}

// ConnectAs is ConnectWith(endpoint, [As](id)).
func (s *Router) ConnectAs(endpoint, id string) error { return s.ConnectWith(endpoint, As(id)) }

// nameable reports why the peer at an endpoint cannot be called id.
func (s *Router) nameable(at, id string) error {
	key := s.spelling(at, transport.ForConnect)
	s.mu.Lock()
	same := s.connected[key]
	other := ""
	for _, ep := range s.connected {
		if ep.as == id && ep != same {
			other = ep.name
		}
	}
	s.mu.Unlock()
	switch {
	case other != "":
		return fmt.Errorf("%w: %.64q is the peer at %s", ErrIdentityInUse, id, other)
	case same != nil && same.as != id:
		return fmt.Errorf("%w: connected already under another name; Disconnect first", ErrState)
	case same != nil:
		return nil // to connect again changes nothing
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if l := s.byID[id]; l != nil && !l.out.dead {
		return fmt.Errorf("%w: %.64q", ErrIdentityInUse, id)
	}
	return nil
}

// addIdentity puts the identity of the peer in front.
func (s *Router) addIdentity(l *link, m Msg) (Msg, Reason) {
	frames := make([][]byte, 0, 1+len(m.Frames))
	m.Frames = append(append(frames, []byte(l.id)), m.Frames...)
	return m, ""
}

// addIdentityReceived is addIdentity that keeps the time of arrival.
func (s *Router) addIdentityReceived(l *link, m Msg) (Msg, Reason) {
	mark := m.receivedMark()
	m, _ = s.addIdentity(l, m)
	return m.marked(mark), ""
}

// routerRole knows each peer by an identity.
type routerRole struct {
	baseRole
	router *Router
}

// admit finds the peer's identity and keeps it for the link.
func (r routerRole) admit(l *link) error {
	for predecessor := r.claim(l); predecessor != nil; predecessor = r.claim(l) {
		if !l.replaces(predecessor) {
			return fmt.Errorf("%w: %.64q", ErrIdentityInUse, l.id)
		}
	}
	return nil
}

// claim enters the link under its identity, unless another one has that. With handover this is left to joined.
func (r routerRole) claim(l *link) (other *link) {
	s := r.router
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	l.id = string(l.peer.Identity)
	if l.ep.as != "" {
		l.id = l.ep.as
	}
	if l.id == "" || l.id[0] == 0 { // what begins with zero is ours to give
		l.id = s.givenID(l)
	}
	other = s.byID[l.id]
	switch {
	case other == nil || other.out.dead:
		s.byID[l.id] = l
		return nil
	case s.cfg.handover:
		return nil
	}
	return other
}

// joined has messages for the identity go to the link.
func (r routerRole) joined(l *link) {
	s := r.router
	s.out.mu.Lock()
	old := s.byID[l.id]
	s.byID[l.id] = l
	s.out.add(l)
	s.out.mu.Unlock()
	if old != nil && old != l {
		old.cutOff(ErrTakenOver)
	}
}

// givenID is the identity of a peer that has none: of a reliable one that comes back the one it had.
func (s *Router) givenID(l *link) string {
	if s.out.awaited(l) && l.out.session.last != nil {
		return l.out.session.last.id
	}
	return s.nextID()
}

// nextID makes an identity as libzmq does: a zero byte and four that count.
func (s *Router) nextID() string {
	for {
		s.auto++
		id := string(binary.BigEndian.AppendUint32([]byte{0}, s.auto))
		if s.byID[id] == nil {
			return id
		}
	}
}

func (r routerRole) left(l *link) {
	s := r.router
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if !s.out.awaited(l) {
		s.gone(l)
	}
}

// gone frees the identity of a link. core.out.mu is held.
func (s *Router) gone(l *link) {
	if s.byID[l.id] == l {
		delete(s.byID, l.id)
	}
}
