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

// A source is the sender at work: lanes that each send their own messages, one after the other.
type source struct {
	job
	tally   *tally
	refused *os.File
	sp      *speaker

	claimed atomic.Uint64 // messages of this life, before they are sent
	gate    atomic.Uint64 // how many there may be of all lives
}

func newSource(j job, sp *speaker) (s *source, err error) {
	s = &source{job: j, sp: sp}
	if s.tally, err = newTally(j.Dir, j.Life, j.Plan.Lanes); err != nil {
		return nil, err
	}
	s.refused, err = os.OpenFile(refusalPath(j.Dir, j.Life), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return s, err
}

// run runs the lanes until all messages of all lives are accepted. do sends a message, and then sees it through, if
// there is anything more to do.
func (s *source) run(stop <-chan struct{}, do func(lane uint16) (send, then func(n note) error)) error {
	go s.watchGate(stop)
	var lanes sync.WaitGroup
	errs := make(chan error, s.Plan.Lanes)
	for lane := range s.Plan.Lanes {
		send, then := do(uint16(lane))
		lanes.Go(func() { errs <- s.lane(uint16(lane), send, then) })
	}
	lanes.Wait()
	for range s.Plan.Lanes {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// lane sends the messages of one lane.
func (s *source) lane(lane uint16, send, then func(n note) error) error {
	for n := (note{Lane: lane, Life: s.Life}); ; {
		if s.Before+s.claimed.Add(1) > s.Plan.Messages {
			return nil
		}
		for s.Before+s.claimed.Load() > s.gate.Load()+uint64(s.Plan.Lanes) {
			pause(time.Millisecond)
		}
		n.N++
		err := send(n)
		full := errors.Is(err, spool.ErrFull)
		switch {
		case full:
			if err := refuse(s.refused, n); err != nil {
				return err
			}
			s.claimed.Add(^uint64(0))
			pause(5 * time.Millisecond)
		case err != nil:
			return err
		}
		if err := s.tally.set(lane, n.N); err != nil {
			return err
		}
		if full || then == nil {
			continue
		}
		if err := then(n); err != nil {
			return err
		}
	}
}

// send is the sender of messages.
func send(ctx context.Context, j job, sp *speaker, end <-chan struct{}) error {
	s, err := newSource(j, sp)
	if err != nil {
		return err
	}
	var q *spool.Spool
	if j.Plan.Spool {
		if q, err = openSpool(j, sp); err != nil {
			return err
		}
	}
	sock := outlet(j, q)
	if err := attach(ctx, sock, j, sp); err != nil {
		return err
	}
	stop := make(chan struct{})
	go watch(sock, sp, stop)
	if pub, ok := sock.(*socket.Pub); ok && j.Before == 0 { // from then on they are known, here or not
		if err := pub.WaitSubscribers(ctx, topic(0), j.Plan.Receivers); err != nil {
			return err
		}
	}
	err = s.run(stop, func(uint16) (send, then func(n note) error) {
		return func(n note) error { return sock.Send(ctx, socket.Msg{Frames: n.frames(s.Plan.Seed)}) }, nil
	})
	if err != nil {
		return err
	}
	settle(sock, q)
	sp.say(saysSettled, "")
	<-end
	close(stop)
	return shutdown(ctx, sock, q)
}

// outlet is the sender's socket.
func outlet(j job, q *spool.Spool) socket.Sender {
	if j.Plan.Publishes {
		return socket.NewPub(soon(), socket.WithSpool(q))
	}
	opts := []socket.PushOption{soon(), socket.WithReliable()}
	if q != nil {
		opts = append(opts, spooled(j, q)...)
	}
	return socket.NewPush(opts...)
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
func settle(sock socket.Socket, q *spool.Spool) {
	for {
		st := sock.Stats()
		left := st.Queued.Messages + st.Unacknowledged.Messages
		if q != nil {
			left += q.Stats().Live.Messages
		}
		if left == 0 {
			return
		}
		pause(5 * time.Millisecond)
	}
}

// pause waits.
func pause(d time.Duration) { <-time.After(d) }

// patience is how long a thing may take that takes a moment, on a machine that is busy with other things.
const patience = time.Minute
