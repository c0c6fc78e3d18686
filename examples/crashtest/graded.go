package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

type messageID struct {
	Stream spool.ID
	Seq    uint64
}

func spooled(job, *spool.Spool) []socket.PushOption { return nil }

func (s *sink) graded() []socket.PullOption { return nil }

// next takes one message, if one comes soon.
func (s *sink) next(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, brief)
	defer cancel()
	if s.Plan.Grade != plain {
		return false, fmt.Errorf("no grade %s", s.Plan.Grade)
	}
	m, err := s.pull.Recv(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, s.write(m, messageID{}, false)
}
