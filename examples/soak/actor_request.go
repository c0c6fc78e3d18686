package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// patience is how long a requester waits for one reply: longer than any step stops or pauses a replier.
const patience = 6 * time.Second

// request sends requests, one after the other, and checks that each reply is the one to its request.
func (a *actor) request(ctx context.Context) {
	req, ok := a.sock.(*socket.Req)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pace := newPace(a.Rate)
	for pace.wait(ctx) {
		select {
		case <-a.stop:
			return
		default:
		}
		if !a.ask(ctx, req) {
			return
		}
	}
}

// ask sends one request and tells false when the socket has closed.
func (a *actor) ask(ctx context.Context, req *socket.Req) bool {
	seq := a.next(0)
	body := note{Scenario: a.scenario, stream: stream{a.key, 0}, Seq: seq}.write(a.size())
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	m, err := req.Do(within, socket.NewMsg(split(body, a.rand.IntN(8))...))
	if took := time.Since(began); took > patience+grace {
		a.fault(stuck, fmt.Errorf("one Do with a context of %v took %v", patience, took))
	}
	a.count(err)
	switch {
	case over(ctx, err):
		return false
	case err != nil:
		a.unlessNamed(err)
		return true
	}
	n, err := a.readNote(m, 0)
	switch {
	case err != nil:
		a.fault(wrong, fmt.Errorf("reply: %w", err))
	case n.Ask != seq || n.Lane != a.ID:
		a.fault(wrong, fmt.Errorf("the reply to %d came to member %d as that to %d", n.Ask, n.Lane, seq))
	default:
		a.note(m.From, n)
	}
	return true
}

// count notes what became of a request. Do says with one error for both that a request was not sent and that no reply
// came; its message may have gone out.
func (a *actor) count(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.asked.Replied++
	case errors.Is(err, socket.ErrPeerLost):
		a.asked.Lost++
	case errors.Is(err, context.DeadlineExceeded):
		a.asked.TimedOut++
	default:
		a.asked.Refused++
	}
}

// reply answers requests until the socket closes.
func (a *actor) reply(ctx context.Context) {
	rep, ok := a.sock.(*socket.Rep)
	if !ok {
		return
	}
	for {
		a.awaitTurn(ctx)
		m, err := rep.Recv(ctx)
		if err != nil {
			if over(ctx, err) {
				return
			}
			a.unlessNamed(err)
			continue
		}
		a.answer(ctx, rep, m)
	}
}

// answer replies to one request.
func (a *actor) answer(ctx context.Context, rep *socket.Rep, m socket.Msg) {
	asks, err := a.readNote(m, 0)
	if err != nil { // of a stranger, who gets its own words back
		if whose(m.From) != (key{}) && !a.Strange {
			a.fault(wrong, fmt.Errorf("request of %s: %w", whose(m.From), err))
		}
		a.mu.Lock()
		a.other++
		a.mu.Unlock()
		if a.replyWith(ctx, rep, m) == nil {
			a.mu.Lock()
			a.answers++
			a.mu.Unlock()
		}
		return
	}
	a.note(m.From, asks)
	seq := a.next(asks.From.Member)
	n := note{Scenario: a.scenario, stream: stream{a.key, asks.From.Member}, Seq: seq, Ask: asks.Seq}
	if err := a.replyWith(ctx, rep, socket.NewMsg(n.write(noteSize+len(m.Bytes())%512))); err != nil {
		a.refuse(asks.From.Member, seq)
		if !over(ctx, err) {
			a.unlessNamed(err)
		}
	}
}

func (a *actor) replyWith(ctx context.Context, rep *socket.Rep, m socket.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return rep.Send(ctx, m)
}
