package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// start begins to send and to receive, as the role does.
func (a *actor) start(ctx context.Context) error {
	switch a.Role {
	case roleReq:
		a.sending.Go(func() { a.request(ctx) })
		return nil
	case roleRep:
		a.receiving.Go(func() { a.reply(ctx) })
		return nil
	}
	if a.Backend > 0 {
		return a.forward(ctx)
	}
	if a.Source {
		if err := a.awaitSubscribers(ctx); err != nil {
			return err
		}
		a.sending.Go(func() { a.send(ctx) })
	}
	if _, ok := a.sock.(socket.Receiver); ok && !a.Proxied {
		a.receiving.Go(func() { a.receive(ctx) })
	}
	return nil
}

// awaitSubscribers waits until whom a publisher is for has subscribed, or for a while at least.
func (a *actor) awaitSubscribers(ctx context.Context) error {
	s, ok := a.sock.(interface {
		WaitSubscribers(ctx context.Context, topic string, n int) error
	})
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, t := range a.Topics {
		if err := s.WaitSubscribers(ctx, t, 1); err != nil {
			return err
		}
	}
	return nil
}

// send sends until it is told to stop.
func (a *actor) send(ctx context.Context) {
	sender, ok := a.sock.(socket.Sender)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-a.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	pace := newPace(a.Rate)
	for pace.wait(ctx) {
		n, frames := a.target()
		seq := a.next(n)
		body := note{Scenario: a.scenario, stream: stream{a.key, n}, Seq: seq}.write(a.size())
		if err := a.trySend(ctx, sender, socket.NewMsg(append(frames, split(body, a.rand.IntN(8))...)...)); err != nil {
			a.refuse(n, seq)
			if over(ctx, err) {
				return
			}
			a.unlessNamed(err)
			pause(ctx, 5*time.Millisecond)
		}
	}
}

// trySend sends, now and then without waiting.
func (a *actor) trySend(ctx context.Context, s socket.Sender, m socket.Msg) error {
	if a.rand.IntN(4) == 0 {
		return s.TrySend(m)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	began := time.Now()
	err := s.Send(ctx, m)
	if took := time.Since(began); took > time.Second+grace {
		a.fault(stuck, fmt.Errorf("a Send of one second took %v", took))
	}
	return err
}

// target chooses where the next message goes: its lane, and the frames in front of it.
func (a *actor) target() (lane int, frames [][]byte) {
	switch a.Role {
	case rolePub, roleXPub:
		t := a.Topics[a.rand.IntN(len(a.Topics))]
		return laneOf(t), [][]byte{[]byte(t)}
	case roleRouter:
		id := a.Peers[a.rand.IntN(len(a.Peers))]
		return id, [][]byte{[]byte(identity(id))}
	case roleXSub: // upstream: its first byte must not be that of a subscription
		return upstream, [][]byte{[]byte("up")}
	}
	return 0, nil
}

func (a *actor) size() int {
	from, to := a.Size[0], a.Size[1]
	if to <= from {
		return from
	}
	return from + a.rand.IntN(to-from)
}

// split makes one to three frames of a body.
func split(b []byte, how int) [][]byte {
	switch how {
	case 0:
		return [][]byte{b[:7], b[7:]}
	case 1:
		return [][]byte{b[:3], {}, b[3:]}
	}
	return [][]byte{b}
}

// next takes the next number of a lane. It counts as tried from now on, so that a message cannot come before its
// number.
func (a *actor) next(n int) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lanes[n]
	if l == nil {
		l = new(lane)
		a.lanes[n] = l
	}
	l.last++
	l.dirty = true
	return l.last
}

// refuse notes that Send did not take a number.
func (a *actor) refuse(n int, seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lanes[n].refused.add(seq)
	a.lanes[n].dirty = true
}

// unlessNamed reports an error that the documentation of Send and Recv does not name.
func (a *actor) unlessNamed(err error) {
	for _, known := range []error{
		socket.ErrClosed, socket.ErrWouldBlock, socket.ErrNoPeers, socket.ErrUnroutable, socket.ErrPeerLost,
		context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, known) {
			return
		}
	}
	a.fault(unnamed, fmt.Errorf("an error without a name: %w", err))
}

// receive receives until the socket closes.
func (a *actor) receive(ctx context.Context) {
	r, ok := a.sock.(socket.Receiver)
	if !ok {
		return
	}
	for {
		a.awaitTurn(ctx)
		m, err := r.Recv(ctx)
		if err != nil {
			if !over(ctx, err) {
				a.unlessNamed(err)
				continue
			}
			return
		}
		a.took(ctx, m)
	}
}

// took notes a message received.
func (a *actor) took(ctx context.Context, m socket.Msg) {
	if a.Role == roleXPub {
		if _, ok := socket.ParseSubscription(m); ok {
			a.mu.Lock()
			a.other++
			a.mu.Unlock()
			return
		}
	}
	skip := 0
	switch a.Role {
	case roleSub, roleXSub, roleRouter, roleXPub:
		skip = 1
	}
	n, err := a.readNote(m, skip)
	if err != nil {
		if whose(m.From) != (key{}) && !a.Strange {
			a.fault(wrong, fmt.Errorf("from %s: %w", whose(m.From), err))
		}
		a.mu.Lock()
		a.other++ // of a stranger
		a.mu.Unlock()
		return
	}
	a.note(m.From, n)
	if a.Acks {
		a.ack(ctx, m, n)
	}
}

// ack answers a ROUTER's message to the one who sent it.
func (a *actor) ack(ctx context.Context, m socket.Msg, of note) {
	s, ok := a.sock.(socket.Sender)
	if !ok {
		return
	}
	seq := a.next(of.From.Member)
	n := note{Scenario: a.scenario, stream: stream{a.key, of.From.Member}, Seq: seq, Ask: of.Seq}
	within, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := s.Send(within, socket.NewMsg(m.Frames[0], n.write(noteSize))); err != nil {
		a.refuse(of.From.Member, seq)
		a.unlessNamed(err)
	}
}

// readNote reads what a message says of itself, behind some frames of the role's.
func (a *actor) readNote(m socket.Msg, skip int) (note, error) {
	if len(m.Frames) <= skip {
		return note{}, fmt.Errorf("a message of %d frames", len(m.Frames))
	}
	n, err := readNote(socket.Msg{Frames: m.Frames[skip:]}.Bytes())
	if err != nil {
		return n, err
	}
	if n.Scenario != a.scenario {
		a.fault(wrong, fmt.Errorf("a message of scenario %d, member %s", n.Scenario, n.From))
	}
	if a.Role == roleSub && string(m.Frames[0]) != topicOf(n.Lane) {
		a.fault(wrong, fmt.Errorf("a message of topic %q from %s under %q", topicOf(n.Lane), n.From, m.Frames[0]))
	}
	return n, nil
}

// note notes what came on a connection.
func (a *actor) note(from *socket.Peer, n note) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in := a.incomingLocked(from)
	got := in.got[n.stream]
	got.add(n.Seq)
	in.got[n.stream] = got
}
