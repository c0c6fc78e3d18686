package main

import (
	"context"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A sink is a receiver at work.
type sink struct {
	job
	sock inlet
	q    *spool.Spool // its inbox, or where it notes what it has taken; nil: none
	j    *journal
}

// An inlet is a receiver's socket.
type inlet interface {
	socket.Socket
	Next(ctx context.Context) (*socket.Delivery, error)
}

// receive is a receiver: it writes down what it gets, and acknowledges it, until it is told to end and nothing is left.
func receive(ctx context.Context, j job, sp *speaker, end <-chan struct{}) (err error) {
	s := &sink{job: j}
	if s.j, err = openJournal(journalPath(j.Dir, j.Who)); err != nil {
		return err
	}
	switch j.Plan.Grade {
	case inbox, kept, noted:
		if s.q, err = openSpool(j, sp); err != nil {
			return err
		}
	}
	s.sock = s.inlet()
	if err := attach(ctx, s.sock, j, sp); err != nil {
		return err
	}
	stop := make(chan struct{})
	go watch(s.sock, sp, stop)
	if j.Plan.Grade == kept {
		<-end
	}
	for {
		got, err := s.next(ctx)
		if err != nil {
			return err
		}
		if got {
			continue
		}
		select {
		case <-end:
			if s.q != nil && s.q.Stats().Live.Messages > 0 {
				continue
			}
			close(stop)
			return shutdown(ctx, s.sock, s.q)
		default:
		}
	}
}

// write writes a message down.
func (s *sink) write(d *socket.Delivery) error {
	n, whole := readNote(s.Plan.Seed, d.Frames)
	r := record{note: n, Stream: d.ID.Stream, Seq: d.ID.Seq}
	if d.Redelivered {
		r.Flags |= redelivered
	}
	if !whole {
		r.Flags |= damaged
	}
	return s.j.note(&r)
}

// brief is how long a receiver waits for a message before it looks whether it is to end.
const brief = 50 * time.Millisecond
