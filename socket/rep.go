package socket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Rep receives a request and sends its reply, strictly in turn (RFC 28).
//
//   - In: requests of all REQ and DEALER peers, fairly: one of each in turn, but a peer that has had none waiting goes
//     first, so that it does not wait for one of each peer that always has some. Such a peer is named by a [Throttled]
//     event. Everything up to and including the first empty frame is the
//     envelope, which Recv takes off and Send puts back; a message without one is counted as discarded.
//   - Out: to the peer the request came from. If it is gone Send returns an error that matches ErrPeerLost and the
//     next request can be received.
//   - Mute: while the queue of that peer is full its replies are dropped, and counted, with a [SlowPeer] event: a
//     peer that asks and does not read holds up nobody else. [WithOverflow] can have it disconnected, or have Send
//     wait.
//
// A request that comes again from a requester with a spool (see [WithSpool]) is answered from the reply to the first,
// and not handed out: the last replies are kept in memory until their requesters have settled the requests, up to
// 16,384 and 16 MiB of all, the oldest of which go first. [WithReplies] has them on disk. Thus a reply for which Send
// returns ErrPeerLost is not lost. What is kept for a user (see [WithAuthenticator]) is for that user alone: what a
// peer sends as another user, or as nobody, is another request, whatever it says.
//
// All methods may be called by any number of goroutines, but there is one request at a time: a Recv between a request
// and its reply returns ErrState, also one that was waiting already when another goroutine got the request. With
// [WithRelaxedReplies] Recv waits for the next request instead, which takes the place of the one without a reply.
type Rep struct {
	*core

	mu       lockorder.Mutex[lockorder.Rep]
	state    repState    // changed by enter
	held     atomic.Bool // the state lets no request be received; read without mu
	serial   uint64      // of the last request, to tell whether the state is still that of one
	to       *link
	envelope [][]byte
	user     string // of whom the request is, if it may come again
	replies  replies
}

type repState int

const (
	repIdle      repState = iota // a request may be received
	repAnswering                 // a request was received
	repSending                   // a Send is under way
	repUnsent                    // it found no room: the reply can be sent again, or the next request be received instead
)

// NewRep returns a Rep that is neither bound nor connected. It does no I/O.
func NewRep(opts ...RepOption) *Rep {
	s := new(Rep)
	s.core = newCore(configure(defaultsDropping(), opts), behaviour{
		typ: zmtp.Rep,
		out: outBehaviour{addressed: true, requestReply: true},
		in: inBehaviour{
			receives: true, answers: true, filter: s.takeRequest, store: s.storeRequest, load: s.loadRequest,
			turn: s.turn,
		},
	})
	lockorder.Own(s.core, &s.mu)
	if q := s.cfg.replies; q != nil {
		s.diskReplies = newDiskReplies(s, q)
	}
	return s
}

// Recv returns the next request, waiting for one until ctx ends or the socket closes; with a context that has ended it
// returns what is there already. The error matches ErrState while the last request has no reply. The message is the
// caller's for good.
func (s *Rep) Recv(ctx context.Context) (Msg, error) {
	if err := s.inTurn(); err != nil {
		return Msg{}, err
	}
	return s.recv(ctx)
}

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds. The error matches ErrState
// while the last request has no reply.
func (s *Rep) TryRecv() (Msg, error) {
	if err := s.inTurn(); err != nil {
		return Msg{}, err
	}
	return s.tryRecv()
}

// inTurn is why no request can be received now.
func (s *Rep) inTurn() error {
	err := s.turn()
	if err == nil {
		return nil
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.out.shut { // there will be no reply
		return opError("recv", ErrClosed)
	}
	return opError("recv", err)
}

var errUnanswered = fmt.Errorf("%w: reply to the last request first", ErrState)

// Messages yields requests as Recv returns them; the body of the loop replies to each by Send, or the next error is
// ErrState. When ctx ends it yields that as an error and stops; when the socket closes it just stops.
func (s *Rep) Messages(ctx context.Context) iter.Seq2[Msg, error] { return s.each(ctx, s.Recv) }

// Next is Recv that returns a [Delivery]; see [Pull.Next]. Whether the request is settled has nothing to do with its
// reply.
func (s *Rep) Next(ctx context.Context) (*Delivery, error) {
	if err := s.inTurn(); err != nil {
		return nil, err
	}
	return s.next(ctx)
}

// Deliveries yields requests as Next returns them; see Messages.
func (s *Rep) Deliveries(ctx context.Context) iter.Seq2[*Delivery, error] { return each(ctx, s.Next) }

// Send replies to the request that was received last. It waits for room, until ctx ends, only under
// WithOverflow([Block]). The error matches ErrState if there is no request, ErrPeerLost if its peer is gone. The
// frames must not be changed afterwards. After ErrWouldBlock or the end of ctx the reply can be sent again, or the
// next request be received, which gives the reply up.
func (s *Rep) Send(ctx context.Context, m Msg) error { return s.send(ctx, true, m) }

// TrySend is like Send but returns ErrWouldBlock where Send would wait.
func (s *Rep) TrySend(m Msg) error { return s.send(context.Background(), false, m) }

func (s *Rep) send(ctx context.Context, wait bool, m Msg) error {
	if err := s.sendable(m); err != nil {
		return opError("send", err)
	}
	s.mu.Lock()
	if s.state != repAnswering && s.state != repUnsent {
		s.mu.Unlock()
		return opError("send", fmt.Errorf("%w: receive a request first", ErrState))
	}
	s.enter(repSending)
	to, serial := s.to, s.serial
	envelope, user := s.envelope, s.user
	reply := Msg{Frames: slices.Concat(envelope, m.Frames)}
	s.mu.Unlock()
	if mayComeAgain(envelope) {
		if err := s.keepReply(ctx, wait, user, envelope, m.Frames); err != nil {
			s.mu.Lock()
			if s.serial == serial {
				s.enter(repUnsent)
			}
			s.mu.Unlock()
			return opError("send", err)
		}
	}

	err := s.out.route(ctx, wait, func() *link { return to }, reply, Block)
	s.mu.Lock()
	switch {
	case s.serial != serial: // the next request has taken the place of this one
	case err == nil || errors.Is(err, ErrPeerLost):
		s.enter(repIdle)
		s.to, s.envelope = nil, nil
	default:
		s.enter(repUnsent)
	}
	s.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrPeerLost):
		if to == nil { // it has not come back since the request was kept
			break
		}
		return &PeerError{Op: "send to", Endpoint: to.ep.name, Peer: to.peer, Err: ErrPeerLost}
	}
	return s.ended(ctx, "send", err)
}

// turn holds requests back while one is being answered, and ends a Recv that was waiting when another one got that.
func (s *Rep) turn() error {
	if s.held.Load() && !s.cfg.relaxedReplies {
		return errUnanswered
	}
	return nil
}

// enter changes the state. The caller holds mu.
func (s *Rep) enter(state repState) {
	s.state = state
	if held := state == repAnswering || state == repSending; held != s.held.Load() {
		s.held.Store(held)
	}
}

// takeRequest takes the envelope off.
func (s *Rep) takeRequest(l *link, m Msg) (Msg, Reason) { return s.takeFrom(l, l.peer.User, m) }

// takeFrom takes the envelope off a user's request. The link is nil if its peer is not here now.
func (s *Rep) takeFrom(l *link, user string, m Msg) (Msg, Reason) {
	envelope, body := m.Envelope()
	if len(envelope) == 0 || len(body) == 0 {
		return m, BadEnvelope
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if mayComeAgain(envelope) {
		if s.answeredBefore(l, user, envelope) {
			return m, Repeated
		}
		s.user = user
	}
	s.enter(repAnswering)
	s.to = l
	s.serial++
	s.envelope, m.Frames = envelope, body
	if !s.cfg.relaxedReplies {
		s.reads.unread.WakeAll() // others who wait are out of turn now
	}
	return m, ""
}

// storeRequest has the request be kept with whom it is from.
func (s *Rep) storeRequest(l *link, m Msg) (Msg, Reason) {
	if envelope, body := m.Envelope(); len(envelope) == 0 || len(body) == 0 {
		return m, BadEnvelope
	}
	m.Frames = slices.Insert(slices.Clone(m.Frames), 0, s.disk.addressOf(l).append(nil))
	return m, ""
}

// loadRequest finds the peer that a kept request is from, if it is there.
func (s *Rep) loadRequest(_ *link, m Msg) (Msg, Reason) {
	from, ok := parseReplyAddress(m.Frames[0])
	if !ok { // somebody else has put it into the spool
		return m, BadEnvelope
	}
	m.Frames = m.Frames[1:]
	return s.takeFrom(s.disk.linkOf(from), from.user, m)
}
