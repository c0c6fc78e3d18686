//go:build unix

package socket

import (
	"context"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// After a sweep those have run whose file has become readable, although nobody but the one who sweeps had a processor.
func TestSweep(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var y yielder
	defer y.close()
	r, w, err := os.Pipe()
	must(t, err)
	var got atomic.Int32
	var reader sync.WaitGroup
	reader.Go(func() {
		b := make([]byte, 1)
		for {
			if _, err := r.Read(b); err != nil {
				return
			}
			got.Add(1)
		}
	})
	y.sweep() // it waits for its first byte now
	late := 0
	for i := range int32(1000) {
		_, err := w.Write([]byte{0})
		must(t, err)
		y.sweep()
		// Now and then the scheduler takes who gave way to begin with, or the runtime's monitor has looked a moment
		// before.
		if got.Load() != i+1 {
			late++
		}
		for got.Load() != i+1 {
			runtime.Gosched()
		}
	}
	if late > 100 {
		t.Errorf("after %d of 1,000 sweeps the byte had not been read", late)
	}
	must(t, w.Close())
	reader.Wait()
	must(t, r.Close())
}

// Whoever sweeps while another does, or when all is over, lets others run without.
func TestSweepWithoutSweeper(t *testing.T) {
	var y yielder
	y.busy = true
	y.sweep()
	if y.sweeps > 0 {
		t.Error("two sweep at once")
	}
	y.busy = false
	y.sweep()
	if y.sweeper == nil {
		t.Fatal("no sweeper")
	}
	y.close()
	y.sweep()
	if y.sweeper != nil {
		t.Error("a sweeper after the end")
	}
	var late yielder
	late.close()
	if late.sweep(); late.sweeper != nil {
		t.Error("a sweeper is made after the end")
	}
}

// The end comes while somebody sweeps.
func TestSweepAtTheEnd(t *testing.T) {
	for range 200 {
		var y yielder
		var over atomic.Bool
		var sweeping sync.WaitGroup
		began := make(chan struct{})
		sweeping.Go(func() {
			y.sweep()
			close(began)
			for !over.Load() {
				y.sweep()
			}
		})
		<-began
		y.close()
		over.Store(true)
		sweeping.Wait()
	}
}

// A stream has its reader let others go first, and messages that come one by one do not.
func TestWhoSweeps(t *testing.T) {
	sweeps := func(c *core) int {
		c.yielder.mu.Lock()
		defer c.yielder.mu.Unlock()
		return c.yielder.sweeps
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	t.Run("one by one", func(t *testing.T) {
		rep, req := NewRep(), NewReq()
		defer rep.Close()
		defer req.Close()
		endpoint, err := rep.Bind(ctx, "tcp://127.0.0.1:0")
		must(t, err)
		must(t, req.Connect(endpoint))
		for begin := time.Now(); time.Since(begin) < 10*sweepEvery; {
			must(t, req.Send(ctx, String("request")))
			m, err := rep.Recv(ctx)
			must(t, err)
			must(t, rep.Send(ctx, m))
			_, err = req.Recv(ctx)
			must(t, err)
		}
		if sweeps(rep.core)+sweeps(req.core) > 0 {
			t.Error("it has")
		}
	})
	stream := func(t *testing.T, others int) {
		pull, push := NewPull(), NewPush(WithLinger(0))
		defer pull.Close()
		endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:0")
		must(t, err)
		for range others {
			other := NewPush()
			defer other.Close()
			must(t, other.Connect(endpoint))
		}
		must(t, push.Connect(endpoint))
		must(t, pull.WaitPeers(ctx, 1+others))
		var sender sync.WaitGroup
		sender.Go(func() {
			for push.Send(ctx, NewMsg(make([]byte, 100))) == nil {
			}
		})
		for sweeps(pull.core) < 100 {
			if _, err := pull.Recv(ctx); err != nil {
				t.Errorf("it has %d times: %v", sweeps(pull.core), err)
				break
			}
		}
		must(t, push.Close())
		sender.Wait()
	}
	t.Run("stream", func(t *testing.T) { stream(t, 0) })
	t.Run("stream beside another peer", func(t *testing.T) { stream(t, 1) })
}
