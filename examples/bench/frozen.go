package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// A frozen run is a publisher among twenty subscribers, one of which never receives anything. The publisher goes on
// as soon as the others have room, so that they can keep up with it: they must get everything, the frozen one's
// messages must be counted as dropped, and the heap must stay within what the high-water marks allow. It is Yodel's
// alone and all in one process.
type frozenRun struct {
	pub      *socket.Pub
	received [keepers]atomic.Uint64
	wrong    atomic.Uint64 // messages out of order
	heap     uint64        // the most that was in use
	lost     atomic.Uint64 // connections
}

const (
	keepers     = 19
	frozenSize  = 1 << 10
	frozenHWM   = 1000
	frozenLeast = 20_000 // messages: more than the kernel keeps for the frozen one
	// What may be in use: the queues of both sides, encoded or as messages, and the rest of the process with the
	// ballast.
	frozenHeap = 2*(keepers+1)*frozenHWM*(frozenSize+128) + 64<<20
)

// frozen runs for so long and says what came of it; a line each minute to progress.
func frozen(ctx context.Context, d time.Duration, out, progress io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &frozenRun{pub: socket.NewPub(socket.WithSendHWM(frozenHWM))}
	defer func() { err = errors.Join(err, r.pub.Close()) }()
	at, err := r.pub.Bind(ctx, "tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	for i := range keepers + 1 {
		s := socket.NewSub(socket.WithRecvHWM(frozenHWM))
		defer s.Close()
		if err := errors.Join(s.Subscribe(""), s.Connect(at)); err != nil {
			return err
		}
		if i < keepers {
			go r.keepUp(ctx, s, i)
		}
	}
	if err := r.pub.WaitSubscribers(ctx, "", keepers+1); err != nil {
		return err
	}

	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for ev := range r.pub.Events(watching) {
			if ev.Kind == socket.PeerDown {
				r.lost.Add(1)
				_, _ = fmt.Fprintln(progress, ev) // that it was lost is what counts
			}
		}
	}()

	sent, begin, said := uint64(0), time.Now(), time.Now()
	for time.Since(begin) < d || sent < frozenLeast {
		for range frozenHWM / 4 {
			m := make([]byte, frozenSize)
			copy(m, fmt.Sprintf("%020d", sent))
			if err := r.pub.Send(ctx, socket.NewMsg(m)); err != nil {
				return err
			}
			sent++
		}
		if err := r.pause(ctx, sent); err != nil {
			return err
		}
		if time.Since(said) > time.Minute {
			said = time.Now()
			_, err := fmt.Fprintf(progress, "%v: %s messages, heap at most %d MiB\n", time.Since(begin).Round(time.Second),
				grouped(int(sent)), r.heap>>20)
			if err != nil {
				return err
			}
		}
	}
	stop() // before the subscribers are closed
	return r.judge(sent, time.Since(begin), out)
}

// pause waits until those that keep up have received nearly all that was sent. Twice what is outstanding fits a
// queue: what is being written counts as queued until the whole write has returned, though much of it may have been
// received.
func (r *frozenRun) pause(ctx context.Context, sent uint64) error {
	r.sample()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Microsecond) {
		behind := false
		for i := range r.received {
			behind = behind || r.received[i].Load()+frozenHWM/8 < sent
		}
		switch {
		case !behind:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return errors.New("bench: frozen: a subscriber that receives lacks messages for half a minute")
		}
	}
}

func (r *frozenRun) keepUp(ctx context.Context, s *socket.Sub, i int) {
	var want uint64
	for m, err := range s.Messages(ctx) {
		if err != nil {
			return
		}
		if string(m.Frames[0][:20]) != fmt.Sprintf("%020d", want) {
			r.wrong.Add(1)
		}
		want++
		r.received[i].Store(want)
	}
}

func (r *frozenRun) sample() {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // without garbage
	metrics.Read(s)
	r.heap = max(r.heap, s[0].Value.Uint64())
}

func (r *frozenRun) judge(sent uint64, took time.Duration, out io.Writer) error {
	stats := r.pub.Stats()
	var dropped, losers uint64
	for _, p := range stats.Peers {
		if n := p.Dropped[socket.QueueFull].Messages; n > 0 {
			losers++
			dropped = n
		}
	}
	_, err := fmt.Fprintf(out,
		"%v: %s messages of %d B to each of %d subscribers, one frozen: %d of them lost messages, the frozen one %s; "+
			"out of order or missing elsewhere: %d; connections lost: %d; heap at most %d MiB of %d\n",
		took.Round(time.Second), grouped(int(sent)), frozenSize, keepers+1, losers, grouped(int(dropped)), r.wrong.Load(),
		r.lost.Load(), r.heap>>20, frozenHeap>>20)
	if losers != 1 || r.wrong.Load() > 0 || r.lost.Load() > 0 || r.heap > frozenHeap {
		err = errors.Join(err, errors.New("bench: frozen: failed"))
	}
	return errors.Join(err, stats.Check())
}
