package main

import (
	"context"
	"errors"
	"hash/crc32"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	slots           = 4  // what stands behind a service that does not compute itself
	deadlineTimes   = 20 // how many times a handler's time the deadline of a call is away
	capacityCallers = 8
)

// serveSlots does what takes a time, but so many at once and no more.
func (l *library) serveSlots(ctx context.Context, c *console, j job) error {
	free := make(chan struct{}, slots)
	takes := time.Duration(j.Size) * time.Millisecond
	return l.serveWork(ctx, c, j, func(ctx context.Context) error {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		time.Sleep(takes)
		<-free
		return nil
	})
}

// serveCPU computes for a time, as it were alone on a processor.
func (l *library) serveCPU(ctx context.Context, c *console, j job) error {
	n := iterations(time.Duration(j.Size) * time.Millisecond)
	return l.serveWork(ctx, c, j, func(ctx context.Context) error {
		if err := ctx.Err(); err != nil {
			return err // what nobody waits for any more need not be computed, whatever the library
		}
		compute(n)
		return nil
	})
}

func (l *library) serveWork(ctx context.Context, c *console, j job, do func(ctx context.Context) error) error {
	m := methods{calls: handlers{"work": func(ctx context.Context, _ []byte) ([]byte, error) { return nil, do(ctx) }}}
	r, err := l.answering(ctx, c, j, m, 0)
	if err != nil {
		return err
	}
	return c.result(r)
}

// iterations is how many times compute has to go round for so long.
func iterations(d time.Duration) int {
	const probe = 64
	best := time.Hour
	for range 20 {
		begin := time.Now()
		compute(probe)
		best = min(best, time.Since(begin))
	}
	return max(1, int(probe*d/max(best, 1)))
}

func compute(n int) {
	var block [4096]byte
	for range n {
		block[0] = byte(crc32.ChecksumIEEE(block[:]))
	}
	runtime.KeepAlive(&block)
}

// A tally is what became of the calls of a load.
type tally struct {
	good, refused, late atomic.Int64
	mu                  sync.Mutex
	took                []time.Duration // of the good ones
	err                 error           // that was none of these
}

func (t *tally) count(took time.Duration, err error) {
	switch {
	case err == nil:
		t.good.Add(1)
		t.mu.Lock()
		t.took = append(t.took, took)
		t.mu.Unlock()
	case errors.Is(err, errRefused):
		t.refused.Add(1)
	case errors.Is(err, context.DeadlineExceeded):
		t.late.Add(1)
	default:
		t.mu.Lock()
		t.err = errors.Join(t.err, err)
		t.mu.Unlock()
	}
}

// report makes metrics of what was counted in a time, under a load of so many calls a second.
func (t *tally) report(during time.Duration, load, most float64) report {
	good := float64(t.good.Load())
	all := good + float64(t.refused.Load()+t.late.Load())
	r := report{Values: map[string]float64{
		goodput: 100 * good / during.Seconds() / min(load, most), capacity: most,
		refusals: 100 * float64(t.refused.Load()) / max(all, 1),
	}}
	if len(t.took) > 0 {
		r.Mean, r.P50, r.P99, r.P999 = summarise(t.took)
	}
	return r
}

// flood finds out what the service can do, and then calls at so many tenths of that, by the clock, whatever becomes of
// the calls. What is called in the first second does not count, nor does what only the service's own end ends.
func (l *library) flood(ctx context.Context, c *console, j job) error {
	clients := make([]client, j.Sockets)
	for i := range clients {
		cl, err := l.dial(ctx, j)
		if err != nil {
			return err
		}
		clients[i] = cl
	}
	during := time.Duration(j.Count) * time.Millisecond
	within := deadlineTimes * time.Duration(j.Size) * time.Millisecond
	most, err := busiest(ctx, clients[0], min(during, time.Second))
	if err != nil {
		return err
	}
	load := most * float64(j.Subs) / 10
	var t tally
	flow(ctx, clients, load, within, min(during, time.Second), during, &t)
	if t.err != nil {
		return t.err
	}
	if err := c.result(t.report(during, load, most)); err != nil {
		return err
	}
	for _, cl := range clients {
		err = errors.Join(err, cl.Close())
	}
	return err
}

// busiest returns how many calls a second are answered when there is always one waiting, after half the time.
func busiest(ctx context.Context, cl client, during time.Duration) (perSecond float64, err error) {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	warm, end := begin.Add(during/2), begin.Add(during/2+during)
	var n atomic.Int64
	err = parallel(capacityCallers, func(int) error {
		for time.Now().Before(end) {
			if _, err := cl.Call(limited, "work", nil); err != nil {
				return err
			}
			if now := time.Now(); now.After(warm) && now.Before(end) {
				n.Add(1)
			}
		}
		return nil
	})
	return max(float64(n.Load()), 1) / during.Seconds(), err
}

// flow calls at a rate, of each client in turn, and returns when all calls have ended.
func flow(ctx context.Context, clients []client, perSecond float64, within, ahead, during time.Duration, t *tally) {
	var all sync.WaitGroup
	defer all.Wait()
	every := time.Duration(float64(time.Second) / perSecond)
	begin := time.Now()
	for n := 0; ; {
		now := time.Since(begin)
		for ; time.Duration(n)*every <= now; n++ {
			due := time.Duration(n) * every
			if due >= ahead+during {
				return
			}
			cl := clients[n%len(clients)]
			all.Go(func() {
				limited, cancel := context.WithTimeout(ctx, within)
				defer cancel()
				_, err := cl.Call(limited, "work", nil)
				if due >= ahead {
					t.count(time.Since(begin)-due, err)
				}
			})
		}
		time.Sleep(time.Millisecond)
	}
}
