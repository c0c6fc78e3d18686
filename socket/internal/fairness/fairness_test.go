//go:build unix

package fairness

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// After ForceNetpoll those have run whose file has become readable, although nobody but its caller had a processor.
func TestForceNetpoll(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var y Yielder
	defer y.Close()
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
	y.ForceNetpoll() // it waits for its first byte now
	late := 0
	for i := range int32(1000) {
		_, err := w.Write([]byte{0})
		must(t, err)
		y.ForceNetpoll()
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
		t.Errorf("after %d of 1,000 calls the byte had not been read", late)
	}
	must(t, w.Close())
	reader.Wait()
	must(t, r.Close())
}

// Who calls ForceNetpoll while another does, or after the end, lets others run without the waker.
func TestForceNetpollWithoutWaker(t *testing.T) {
	var y Yielder
	y.busy = true
	y.ForceNetpoll()
	if y.calls > 0 {
		t.Error("two use the waker at once")
	}
	y.busy = false
	y.ForceNetpoll()
	if y.waker == nil {
		t.Fatal("no waker")
	}
	y.Close()
	y.ForceNetpoll()
	if y.waker != nil {
		t.Error("a waker after the end")
	}
	var late Yielder
	late.Close()
	if late.ForceNetpoll(); late.waker != nil {
		t.Error("a waker is made after the end")
	}
}

// Close may come while ForceNetpoll runs.
func TestCloseDuringForceNetpoll(t *testing.T) {
	for range 200 {
		var y Yielder
		var over atomic.Bool
		var calling sync.WaitGroup
		began := make(chan struct{})
		calling.Go(func() {
			y.ForceNetpoll()
			close(began)
			for !over.Load() {
				y.ForceNetpoll()
			}
		})
		<-began
		y.Close()
		over.Store(true)
		calling.Wait()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestResume(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	for _, tt := range []struct{ yielded, now, want time.Duration }{
		{1, 1 + 100*us, 1 + 100*us},
		{1, 1 + 5*ms, 1 + 5*ms},
		{1, 1 + 6*ms, 1 + 11*ms},
		{1, 1 + time.Second, 1 + time.Second + 5*ms},
	} {
		if got := Resume(tt.yielded, tt.now); got != tt.want {
			t.Errorf("from %v until %v: %v, want %v", tt.yielded, tt.now, got, tt.want)
		}
	}
}
