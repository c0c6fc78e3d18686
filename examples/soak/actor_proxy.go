package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/proxy"
)

// forward runs a proxy between this socket and its backend until one of them ends.
func (a *actor) forward(ctx context.Context) error {
	back := a.w.member(key{a.Backend, a.key.Life})
	if back == nil {
		return fmt.Errorf("soak: member %d has no backend here", a.ID)
	}
	ctx, cancel := context.WithCancel(ctx)
	a.stopProxy, back.stopProxy = cancel, cancel
	var control proxy.Control
	run := func() {
		defer cancel()
		err := proxy.Run(ctx, a.sock, back.sock,
			proxy.WithControl(&control), proxy.WithDrain(5*time.Second))
		if err != nil && !errors.Is(err, socket.ErrClosed) {
			a.fault(unnamed, fmt.Errorf("proxy: %w", err))
		}
		// What the proxy received is what these sockets handed over, and what it forwarded is what they took.
		st := control.Stats()
		a.tally(st.Forth.Received.Messages, st.Back.Forwarded.Messages)
		back.tally(st.Back.Received.Messages, st.Forth.Forwarded.Messages)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	a.receiving.Go(func() { <-done })
	back.receiving.Go(func() { <-done })
	return nil
}

// tally notes what a proxy took from the socket and gave it.
func (a *actor) tally(received, forwarded uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.other = received
	if forwarded > 0 {
		a.lanes[0] = &lane{last: forwarded, dirty: true}
	}
}

// flap subscribes and cancels for a while, as a client that comes and goes does.
func (a *actor) flap(ctx context.Context, d time.Duration) error {
	s, ok := a.sock.(interface {
		Subscribe(topic string) error
		Unsubscribe(topic string) error
	})
	if !ok {
		return fmt.Errorf("soak: a %s subscribes to nothing", a.Role)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for n := 0; ctx.Err() == nil; n++ {
		t := fmt.Sprintf("flap%d", n%50)
		if err := s.Subscribe(t); err != nil {
			return ignoreClosed(err)
		}
		if n%3 == 0 {
			pause(ctx, time.Millisecond)
		}
		if err := s.Unsubscribe(t); err != nil {
			return ignoreClosed(err)
		}
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, socket.ErrClosed) {
		return nil
	}
	return err
}
