package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// spooled are the options of a sender with a spool. A receiver that was killed in "memory" and in "shared" is another
// one when it comes back: what it has not acknowledged is not to wait for it.
func spooled(j job, q *spool.Spool) []socket.PushOption {
	opts := []socket.PushOption{socket.WithSpool(q)}
	if j.Plan.Grade == byAck {
		opts = append(opts, socket.WithReassign(200*time.Millisecond))
	}
	return opts
}

// inlet is the receiver's socket.
func (s *sink) inlet() inlet {
	if s.Plan.Publishes {
		opts := []socket.SubOption{
			soon(), socket.WithSubscriberName(fmt.Sprint("receiver ", s.Who), socket.DurableOptions{}),
		}
		for _, o := range s.graded() {
			opts = append(opts, o)
		}
		return socket.NewSub(append(opts, socket.WithSubscription(s.topics()...))...)
	}
	opts := []socket.PullOption{soon()}
	for _, o := range s.graded() {
		opts = append(opts, o)
	}
	return socket.NewPull(opts...)
}

// topics are what a receiver subscribes to.
func (s *sink) topics() (topics []string) {
	for lane := range uint16(s.Plan.Lanes) {
		if s.Plan.wants(s.Who, lane) {
			topics = append(topics, topic(lane))
		}
	}
	return topics
}

// graded are the options of a receiver, by its grade.
func (s *sink) graded() []socket.InboxOption {
	opts := []socket.InboxOption{socket.WithManualAck()}
	switch s.Plan.Grade {
	case plain:
		return nil
	case inbox, kept:
		opts = append(opts, socket.WithInbox(s.q))
	case noted:
		opts = append(opts, socket.WithTakenIn(s.q))
	case taken:
		opts = append(opts, socket.WithTaken(s.j), socket.WithName("receiver"))
	}
	return opts
}

// next takes one message, if one comes soon, writes it down and acknowledges it.
func (s *sink) next(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, brief)
	defer cancel()
	d, err := s.sock.Next(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := s.write(d); err != nil || s.Plan.Grade == plain {
		return err == nil, err
	}
	return true, d.Ack()
}
