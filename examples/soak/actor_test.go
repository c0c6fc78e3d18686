package main

import (
	"encoding/json"
	"io"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

// TestReportsComeInOrder: what came first is reported first, though several goroutines report: one every so often, and
// who is told to be quiet, or to end.
func TestReportsComeInOrder(t *testing.T) {
	const count = 3000
	out, in := io.Pipe()
	a := &actor{
		w: &worker{out: json.NewEncoder(in)}, lanes: make(map[int]*lane), conns: make(map[*socket.Peer]*incoming),
	}
	from := []stream{{key{1, 0}, 0}, {key{2, 0}, 0}, {key{3, 0}, 0}}
	peer := new(socket.Peer)
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(done)
		for n := uint64(1); n <= count; n++ {
			for _, id := range from {
				a.note(peer, note{stream: id, Seq: n})
			}
		}
	})
	for range 4 {
		all.Go(func() {
			for {
				a.flush()
				select {
				case <-done:
					a.flush()
					return
				default:
				}
			}
		})
	}
	go func() {
		all.Wait()
		_ = in.Close()
	}()
	var e evidence
	for reports := json.NewDecoder(out); ; {
		var r report
		if reports.Decode(&r) != nil {
			break
		}
		e.take(r)
	}
	for _, id := range from {
		var last uint64
		e.Conns[0].Got[id].each(func(n uint64) {
			if n != last+1 {
				t.Fatalf("%s: %d after %d", id, n, last)
			}
			last = n
		})
		if last != count {
			t.Errorf("%s: %d reported, of %d", id, last, count)
		}
	}
}
