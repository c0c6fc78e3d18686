package main

import (
	"context"
	"errors"

	"github.com/yodel-mq/yodel/socket"
)

// answer is the receiver of requests: it writes down what it was asked, answers it, and writes down that its answer is
// safe, which it is once Send has returned.
func answer(ctx context.Context, j job, sp *speaker, end <-chan struct{}) error {
	log, err := openJournal(journalPath(j.Dir, j.Who))
	if err != nil {
		return err
	}
	q, err := openSpool(j, sp)
	if err != nil {
		return err
	}
	rep := socket.NewRep(soon(), socket.WithReplies(q))
	if err := attach(ctx, rep, j, sp); err != nil {
		return err
	}
	stop := make(chan struct{})
	go watch(rep, sp, stop)
	for {
		got, err := answerOne(ctx, j, rep, log)
		switch {
		case err != nil:
			return err
		case got:
			continue
		}
		select {
		case <-end:
			close(stop)
			return shutdown(ctx, rep, q)
		default:
		}
	}
}

// answerOne answers one request, if one comes soon.
func answerOne(ctx context.Context, j job, rep *socket.Rep, log *journal) (bool, error) {
	soon, cancel := context.WithTimeout(ctx, brief)
	defer cancel()
	m, err := rep.Recv(soon)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, whole := readNote(j.Plan.Seed, m.Frames)
	r := record{note: n}
	if !whole {
		r.Flags |= damaged
	}
	if err := log.note(&r); err != nil {
		return false, err
	}
	err = rep.Send(ctx, socket.Msg{Frames: n.frames(j.Plan.Seed + 1)})
	if err != nil && !errors.Is(err, socket.ErrPeerLost) { // who asks again, then
		return false, err
	}
	return true, log.note(&record{note: n, Flags: replied})
}
