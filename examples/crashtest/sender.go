package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/spool"
)

// A source is the sender at work.
type source struct {
	job
	push    *socket.Push
	q       *spool.Spool // nil: none
	tally   *tally
	refused *os.File
	sp      *speaker

	claimed atomic.Uint64 // messages of this life, before they are sent
	gate    atomic.Uint64 // how many there may be of all lives
}

// send is the sender: its lanes send until all messages of all its lives are accepted.
func send(ctx context.Context, j job, sp *speaker, end <-chan struct{}) (err error) {
	s := &source{job: j, sp: sp}
	opts := options(func(o socket.Option) socket.PushOption { return o })
	if j.Plan.Spool {
		if s.q, err = openSpool(j, sp); err != nil {
			return err
		}
		opts = append(opts, spooled(j, s.q)...)
	} else {
		opts = append(opts, socket.WithReliable())
	}
	s.push = socket.NewPush(opts...)
	if s.tally, err = newTally(j.Dir, j.Life, j.Plan.Lanes); err != nil {
		return err
	}
	s.refused, err = os.OpenFile(refusalPath(j.Dir, j.Life), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := attach(ctx, s.push, j, sp); err != nil {
		return err
	}
	stop := make(chan struct{})
	go watch(s.push, sp, stop)
	go s.watchGate(stop)
	var lanes sync.WaitGroup
	errs := make(chan error, j.Plan.Lanes)
	for lane := range j.Plan.Lanes {
		lanes.Go(func() { errs <- s.lane(ctx, uint16(lane)) })
	}
	lanes.Wait()
	for range j.Plan.Lanes {
		if err := <-errs; err != nil {
			return err
		}
	}
	s.settle()
	sp.say(saysSettled, "")
	<-end
	close(stop)
	return s.finish(ctx)
}

// lane sends the messages of one lane, one after the other.
func (s *source) lane(ctx context.Context, lane uint16) error {
	for n := (note{Lane: lane, Life: s.Life}); ; {
		if s.Before+s.claimed.Add(1) > s.Plan.Messages {
			return nil
		}
		for s.Before+s.claimed.Load() > s.gate.Load()+uint64(s.Plan.Lanes) {
			pause(time.Millisecond)
		}
		n.N++
		err := s.push.Send(ctx, socket.Msg{Frames: n.frames(s.Plan.Seed)})
		if errors.Is(err, spool.ErrFull) {
			if err := refuse(s.refused, n); err != nil {
				return err
			}
			s.claimed.Add(^uint64(0))
			pause(5 * time.Millisecond)
		} else if err != nil {
			return err
		}
		if err := s.tally.set(lane, n.N); err != nil {
			return err
		}
	}
}

// watchGate reads how many messages may be sent: what is to be done to the processes must keep up.
func (s *source) watchGate(stop <-chan struct{}) {
	f, err := os.Open(gatePath(s.Dir))
	if err != nil {
		s.sp.say(saysFault, "%v", err)
		return
	}
	defer f.Close() //nolint:errcheck // was only read
	var b [8]byte
	for {
		if _, err := f.ReadAt(b[:], 0); err == nil {
			s.gate.Store(words(b[:])[0])
		}
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// settle waits until nothing is left to send. How long that may take the controller knows.
func (s *source) settle() {
	for {
		st := s.push.Stats()
		left := st.Queued.Messages + st.Unacknowledged.Messages
		if s.q != nil {
			left += s.q.Stats().Live.Messages
		}
		if left == 0 {
			return
		}
		pause(5 * time.Millisecond)
	}
}

// finish ends the socket and the spool.
func (s *source) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.push.Shutdown(ctx)
	if e := s.push.Stats().Check(); err == nil {
		err = e
	}
	if s.q != nil {
		if e := s.q.Close(); err == nil {
			err = e
		}
	}
	return err
}

// pause waits.
func pause(d time.Duration) { <-time.After(d) }

// patience is how long a thing may take that takes a moment, on a machine that is busy with other things.
const patience = time.Minute
