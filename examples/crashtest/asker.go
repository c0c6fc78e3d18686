package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// An asker is the sender of requests at work. Each of its lanes has a REQ with a spool of its own, for that has one
// request at a time. A request counts as accepted once it is stored; its answer is written down by this life or, if
// that is killed, by a later one.
type asker struct {
	*source
	j     *journal
	lanes []*askingLane
}

type askingLane struct {
	req *socket.Req
	q   *spool.Spool
}

// ask is the sender of requests.
func ask(ctx context.Context, j job, sp *speaker, end <-chan struct{}) error {
	s, err := newSource(j, sp)
	if err != nil {
		return err
	}
	a := &asker{source: s}
	if a.j, err = openJournal(journalPath(j.Dir, sender)); err != nil {
		return err
	}
	stop := make(chan struct{})
	failed := make(chan error, j.Plan.Lanes)
	for lane := range j.Plan.Lanes {
		l, err := a.open(ctx, lane)
		if err != nil {
			return err
		}
		a.lanes = append(a.lanes, l)
		go watch(l.req, sp, stop)
		go func() { failed <- a.takePending(ctx, l) }()
	}
	done := make(chan error, 1)
	go func() {
		err := s.run(stop, func(lane uint16) (send, then func(n note) error) { return a.lanes[lane].steps(ctx, a) })
		for _, l := range a.lanes {
			settle(l.req, l.q)
		}
		done <- err
	}()
	select {
	case err = <-done:
	case err = <-failed:
	}
	if err != nil {
		return err
	}
	sp.say(saysSettled, "")
	<-end
	close(stop)
	for _, l := range a.lanes {
		if e := shutdown(ctx, l.req, l.q); err == nil {
			err = e
		}
	}
	return err
}

// open makes the socket of a lane. It is connected, to a REP that is bound: see makePlan.
func (a *asker) open(ctx context.Context, lane int) (l *askingLane, err error) {
	j := a.job
	j.Spool = filepath.Join(filepath.Dir(j.Spool), fmt.Sprint("q", lane))
	l = new(askingLane)
	if l.q, err = openSpool(j, a.sp); err != nil {
		return nil, err
	}
	l.req = socket.NewReq(soon(), socket.WithSpool(l.q))
	return l, attach(ctx, l.req, j, a.sp)
}

// steps send one request, and wait for its answer.
func (l *askingLane) steps(ctx context.Context, a *asker) (send, then func(n note) error) {
	send = func(n note) error { return l.req.Send(ctx, socket.Msg{Frames: n.frames(a.Plan.Seed)}) }
	then = func(n note) error {
		m, err := l.req.Recv(ctx)
		if err != nil {
			return err
		}
		return a.write(n, m, 0)
	}
	return send, then
}

// takePending writes down the answers to what earlier lives have asked.
func (a *asker) takePending(ctx context.Context, l *askingLane) error {
	for p, err := range l.req.Pending(ctx) {
		if err != nil {
			return err
		}
		n, whole := readNote(a.Plan.Seed, p.Request.Frames)
		if !whole {
			return errors.New("a request in the spool is not what was asked")
		}
		if err := a.write(n, p.Reply, pending); err != nil {
			return err
		}
	}
	return nil
}

// write writes an answer down, which has to be the one to this request.
func (a *asker) write(n note, m socket.Msg, flags byte) error {
	to, whole := readNote(a.Plan.Seed+1, m.Frames)
	if !whole || to != n {
		flags |= damaged
	}
	return a.j.note(&record{note: n, Flags: flags})
}
