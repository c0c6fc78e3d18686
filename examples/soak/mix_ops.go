package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// any does one thing to one socket.
func (m *mix) any(ctx context.Context, r *rand.Rand) {
	sl := m.slots[r.IntN(len(m.slots))]
	s := sl.get()
	began := time.Now()
	var did string
	short, cancel := context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
	defer cancel()
	endpoint := m.endpoints[r.IntN(len(m.endpoints))]
	switch n := r.IntN(1000); {
	case n < 3:
		did = "replacing"
		m.retire(ctx, r, sl.role, sl.swap(m.make(r, sl.role)))
	case n < 40:
		did = "Bind"
		within, cancel := context.WithTimeout(ctx, time.Second)
		_, _ = s.Bind(within, endpoint) // somebody else may have it
		cancel()
	case n < 70:
		did = "Unbind"
		_ = s.Unbind(endpoint) // it may not have it
	case n < 130:
		did = "Connect"
		_ = s.Connect(endpoint)
	case n < 160:
		did = "Disconnect"
		_ = s.Disconnect(endpoint) // it may not connect there
	case n < 180:
		did = "Stats"
		if err := s.Stats().Check(); err != nil {
			m.fault(unnamed, "%s: %v", sl.role, err)
		}
	case n < 190:
		did = "Events"
		for range s.Events(short) {
			if r.IntN(50) == 0 {
				break
			}
		}
	case n < 210:
		did = "waiting"
		_ = s.WaitPeers(short, r.IntN(3))
		_ = s.WaitConnected(short, endpoint)
		_ = s.WaitDisconnected(short, endpoint)
	case n < 240:
		did = "what its role alone can do"
		m.special(short, r, s, endpoint)
	case n < 600:
		did = "Send"
		m.send(short, r, sl.role, s)
	default:
		did = "Recv"
		m.recv(ctx, r, sl.role, s)
	}
	if took := time.Since(began); took > grace && ctx.Err() == nil {
		m.fault(stuck, "%s on a %s took %v", did, sl.role, took)
	}
}

// make makes a socket with options drawn at random.
func (m *mix) make(r *rand.Rand, role string) socket.Socket {
	k := maker{Rand: r}
	mem := member{ID: 1 + r.IntN(5), Role: role, Options: k.settings()}
	mem.Options.Retry, mem.Options.Least = r.IntN(3), k.chance(30)
	switch role {
	case rolePush, roleDealer, roleRouter, rolePair, rolePub, roleXPub:
		mem.Options.Overflow = k.pick("", "", "block", "reject", "newest", "oldest", "disconnect")
	case roleSub, roleXSub:
		mem.Topics = []string{topicOf(1)}
	}
	s, err := mem.newSocket(key{mem.ID, int(m.opened.Add(1))})
	if err != nil {
		m.fault(wrong, "%v", err)
		return socket.NewPull()
	}
	return s
}

// send sends a message that its receiver can check.
func (m *mix) send(ctx context.Context, r *rand.Rand, role string, s socket.Socket) {
	sender, ok := s.(socket.Sender)
	if !ok {
		return
	}
	size := r.IntN(200)
	if r.IntN(20) == 0 {
		size = r.IntN(100_000)
	}
	frames := [][]byte{note{Seq: r.Uint64()}.write(size)}
	switch role {
	case rolePub, roleXPub, roleXSub:
		frames = append([][]byte{[]byte([]string{topicOf(1), topicOf(2), "", "\x01t", "\x00t"}[r.IntN(5)])}, frames...)
	case roleRouter:
		frames = append([][]byte{[]byte(identity(1 + r.IntN(5)))}, frames...)
	case roleDealer:
		if r.IntN(2) == 0 { // for a REP
			frames = append([][]byte{nil}, frames...)
		}
	}
	if r.IntN(2) == 0 {
		_ = sender.TrySend(socket.NewMsg(frames...))
		return
	}
	_ = sender.Send(ctx, socket.NewMsg(frames...))
}

// recv receives some messages, and answers some of them.
func (m *mix) recv(ctx context.Context, r *rand.Rand, role string, s socket.Socket) {
	rc, ok := s.(socket.Receiver)
	if !ok {
		return
	}
	for range 1 + r.IntN(5)*r.IntN(10) {
		short, cancel := context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
		got, err := rc.Recv(short)
		if err == nil {
			m.look(role, got)
			m.respond(short, r, s, got)
		}
		cancel()
		if err != nil {
			return
		}
	}
}

// look checks the last frame of a message, which is a note unless a socket made it, or a subscription.
func (m *mix) look(role string, got socket.Msg) {
	last := got.Frames[len(got.Frames)-1]
	if len(last) < noteSize {
		return
	}
	if _, err := readNote(last); err != nil {
		m.fault(wrong, "%s: %v", role, err)
	}
}

// respond does with a message what its receiver might.
func (m *mix) respond(ctx context.Context, r *rand.Rand, s socket.Socket, got socket.Msg) {
	switch s := s.(type) {
	case *socket.Rep:
		_ = s.Send(ctx, socket.NewMsg(note{Seq: 1}.write(0)))
	case *socket.Router:
		if r.IntN(2) == 0 {
			_ = s.Send(ctx, got)
		}
	case *socket.XPub:
		if sub, ok := socket.ParseSubscription(got); ok && sub.Peer != nil && r.IntN(4) == 0 {
			_ = s.SetOverflow(sub.Peer, socket.DropOldest)
		}
	}
}

// special does what only some roles can.
func (m *mix) special(ctx context.Context, r *rand.Rand, s socket.Socket, endpoint string) {
	topic := topicOf(1 + r.IntN(3))
	type subscriber interface {
		Subscribe(topic string) error
		Unsubscribe(topic string) error
	}
	switch s := s.(type) {
	case subscriber:
		if r.IntN(2) == 0 {
			_ = s.Subscribe(topic)
		} else {
			_ = s.Unsubscribe(topic) // it may not have it
		}
	case *socket.Pub:
		for _, p := range s.Stats().Peers {
			_ = s.SetOverflow(p.Peer, socket.Overflow(r.IntN(6))) // it may have gone
		}
		_ = s.WaitSubscribers(ctx, topic, 1)
	case *socket.Router:
		_ = s.ConnectAs(endpoint, fmt.Sprint("as", r.IntN(4)))
	case *socket.Req:
		_, _ = s.Do(ctx, socket.NewMsg(note{Seq: 2}.write(0)))
	}
}
