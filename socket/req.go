package socket

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/lockorder"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A Req sends a request to one of its REP or ROUTER peers, round robin, and receives the reply, strictly in turn (RFC
// 28).
//
//   - Out: [request id] [empty] [request…] to the next peer with room. A request waits in the socket while there is
//     no peer yet. The request id keeps a late reply from being taken for another one ([WithCorrelate]).
//   - In: the reply with the same envelope, from the peer that was asked; anything else is counted as discarded.
//   - A peer that is lost before it replied is an error of Recv that names it and matches ErrPeerLost, unless
//     [WithRetry] sends the request to another; Recv never waits for a reply that cannot come. A request that had not
//     begun to leave goes to another peer in any case. A reliable peer ([WithReliable]) is waited for first.
//   - With [WithSpool] a request is on disk until its reply has come, across restarts of either side; see
//     [Req.Pending].
//
// All methods may be called by any number of goroutines, but there is one request at a time; goroutines that share a
// Req take turns by way of [Req.Do].
type Req struct {
	*core
	turn chan struct{} // held by Do
	kept *requests     // of a Req with a spool; nil of any other

	mu      lockorder.Mutex[lockorder.Req]
	asked   bool  // a request is out
	to      *link // the peer it went to; nil while it waits for one
	id      uint32
	request Msg // with its envelope
	tries   int // left
	lost    error
}

// NewReq returns a Req that is neither bound nor connected. It does no I/O.
func NewReq(opts ...ReqOption) *Req {
	s := &Req{turn: make(chan struct{}, 1), id: rand.Uint32()}
	cfg := configure(defaults(), opts)
	if cfg.store != nil {
		s.kept = newRequests(s, cfg.store)
		cfg.immediate = true // a request that no peer has is in the spool alone
		s.core = newCore(cfg, s.kept.behaviour())
		s.requests = s.kept
		lockorder.Own(s.core, &s.mu)
		return s
	}
	s.core = newCore(cfg, behaviour{
		typ:  zmtp.Req,
		role: reqRole{req: s},
		out: outBehaviour{
			keeps: true, addressed: true, requestReply: true, assigned: s.assigned, abandoned: s.abandoned, gone: s.gone,
		},
		in: inBehaviour{receives: true, filter: s.takeReply, stop: s.stop},
	})
	lockorder.Own(s.core, &s.mu)
	return s
}

// Do sends a request and returns its reply. Calls by several goroutines take turns. When ctx ends first, the request
// is given up and its reply, should it still come, discarded; the next Do can follow. With a context that has ended
// nothing is sent. The error matches ErrPeerLost if the peer that was asked is gone, ErrState if a request that was
// made by Send is out. With a spool ([WithSpool]) the request outlives the call: see [KeptError].
func (s *Req) Do(ctx context.Context, m Msg) (Msg, error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return Msg{}, opError("do", context.Cause(ctx))
	case <-s.done:
		return Msg{}, opError("do", ErrClosed)
	}
	defer func() { <-s.turn }()
	if ctx.Err() != nil { // the turn may have been free all the same
		return Msg{}, opError("do", context.Cause(ctx))
	}
	if s.kept != nil {
		if err := s.sendable(m); err != nil {
			return Msg{}, opError("send", err)
		}
		reply, err := s.kept.do(ctx, m)
		return reply, s.explained(ctx, err)
	}
	if err := s.Send(ctx, m); err != nil {
		return Msg{}, err
	}
	reply, err := s.Recv(ctx)
	if err != nil {
		s.forget()
	}
	return reply, err
}

// forget gives the request that is out up.
func (s *Req) forget() {
	s.mu.Lock()
	s.finish()
	s.mu.Unlock()
	s.out.abandon()
}

// finish ends the turn of a request; mu is held.
func (s *Req) finish() { s.asked, s.to, s.lost, s.request = false, nil, nil, Msg{} }

// Send sends a request, waiting for room until ctx ends. The error matches ErrState while the reply to an earlier one
// is to be received (but see [WithRelaxed]). The frames must not be changed afterwards.
func (s *Req) Send(ctx context.Context, m Msg) error { return s.send(ctx, true, m) }

// TrySend is like Send but returns ErrWouldBlock where Send would wait.
func (s *Req) TrySend(m Msg) error { return s.send(context.Background(), false, m) }

func (s *Req) send(ctx context.Context, wait bool, m Msg) error {
	if err := s.sendable(m); err != nil {
		return opError("send", err)
	}
	if s.kept != nil {
		_, err := s.kept.ask(ctx, wait, m, time.Time{})
		return s.ended(ctx, "send", err)
	}
	s.mu.Lock()
	if s.asked && s.cfg.relaxed {
		s.mu.Unlock()
		s.forget()
		s.mu.Lock()
	}
	if s.asked {
		s.mu.Unlock()
		return opError("send", errUnreceived)
	}
	s.asked, s.to, s.lost = true, nil, nil
	s.tries = s.cfg.retries
	s.id++
	s.request = s.wrap(m)
	request := s.request
	s.mu.Unlock()

	err := s.out.balance(ctx, wait, request)
	if err != nil {
		s.mu.Lock()
		s.asked = false
		s.mu.Unlock()
	}
	return s.ended(ctx, "send", err)
}

// wrap puts the envelope in front.
func (s *Req) wrap(m Msg) Msg {
	frames := make([][]byte, 0, 2+len(m.Frames))
	if !s.cfg.uncorrelate {
		frames = append(frames, binary.BigEndian.AppendUint32(nil, s.id))
	}
	frames = append(frames, nil)
	return Msg{Frames: append(frames, m.Frames...)}
}

// Recv returns the reply to the request that was sent, waiting for it until ctx ends or the socket closes. The error
// matches ErrState if none was sent, and ErrPeerLost if the peer that was asked is gone; a new request can be sent
// then. After ctx has ended, Recv can be called again for the same reply. The message is the caller's for good.
func (s *Req) Recv(ctx context.Context) (Msg, error) {
	if s.kept != nil {
		reply, err := s.kept.recv(ctx)
		return reply, s.explained(ctx, err)
	}
	return s.recv(ctx)
}

// TryRecv is like Recv but returns an error that matches ErrWouldBlock where Recv would wait. It sees what has come in,
// not what the kernel still holds.
func (s *Req) TryRecv() (Msg, error) {
	if s.kept != nil {
		return s.kept.tryRecv()
	}
	return s.tryRecv()
}

// assigned notes which peer has the request.
func (s *Req) assigned(l *link, m Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked && s.isCurrent(m) {
		s.to = l
	}
}

// abandoned lets Recv know that the request cannot be delivered.
func (s *Req) abandoned(m Msg, why error) {
	s.mu.Lock()
	current := s.asked && s.isCurrent(m)
	if current {
		s.to, s.lost = nil, why
	}
	s.mu.Unlock()
	if current {
		s.in.poke()
	}
}

// gone is called when a reliable peer that has been waited for is given up on.
func (s *Req) gone(l *link) { s.wg.Go(func() { reqRole{req: s}.gone(l) }) }

func (s *Req) isCurrent(m Msg) bool {
	return s.cfg.uncorrelate || bytes.Equal(m.Frames[0], s.request.Frames[0])
}

// takeReply takes the reply out of its envelope and discards whatever else comes.
func (s *Req) takeReply(l *link, m Msg) (Msg, Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// It is compared by its peer, for the link that has a reply may not be the one that was asked.
	if !s.asked || s.to == nil || !sameReceiver(l, s.to) {
		return m, StaleReply
	}
	body := m.Frames
	if !s.cfg.uncorrelate {
		if !bytes.Equal(body[0], s.request.Frames[0]) {
			return m, StaleReply
		}
		body = body[1:]
	}
	if len(body) < 2 || len(body[0]) != 0 {
		return m, BadEnvelope
	}
	m.Frames = body[1:]
	s.finish()
	s.in.unread.WakeAll() // others who wait have nothing to wait for
	return m, ""
}

// stop ends a Recv that can only wait in vain.
func (s *Req) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.asked:
		return fmt.Errorf("%w: no request was sent", ErrState)
	case s.lost != nil:
		err := s.lost
		s.finish()
		return err
	}
	return nil
}

// reqRole looks after the request that a lost peer had.
type reqRole struct {
	baseRole
	req *Req
}

// left finds the request another peer, or lets Recv know, if the link that is gone had it. A reliable peer may come
// back.
func (r reqRole) left(l *link) {
	if !r.req.out.awaits(l) {
		r.gone(l)
	}
}

func (r reqRole) gone(l *link) {
	s := r.req
	s.in.mu.Lock()
	replied := l.in.counts.unread.Messages > 0 // then Recv decides whether that is the reply
	s.in.mu.Unlock()
	s.mu.Lock()
	var again Msg
	if s.asked && s.to == l {
		if s.tries > 0 && !replied {
			s.tries--
			s.to = nil
			again = s.request
		} else {
			s.lost = &PeerError{Op: "no reply from", Endpoint: l.ep.name, Peer: l.peer, Err: ErrPeerLost}
		}
	}
	s.mu.Unlock()
	if again.Frames != nil {
		s.out.sendAgain(again)
	}
	s.in.poke()
}
