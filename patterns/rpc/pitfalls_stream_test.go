package rpc_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// Credit for many more items than a socket's queues hold stands in nobody's way: both sides send and receive at once,
// and neither waits for the other to read what it has no room to send.
func TestPitfall9CreditBeyondTheMark(t *testing.T) {
	for _, hwm := range []int{1, 1000} {
		t.Run(fmt.Sprint("mark ", hwm), func(t *testing.T) {
			bubble(t, func(t *testing.T, w world) {
				const items = 4_000
				send, receive := socket.WithSendHWM(hwm), socket.WithRecvHWM(hwm)
				s := w.service(t, "srv", rpc.WithWindow(items*100), rpc.WithRouter(send, receive))
				newStreams(t, s)
				c := newClient(t, rpc.WithWindow(items*100), rpc.WithDealer(send, receive, socket.WithTransport(w.Host("cli"))))
				must(t, c.Connect("sim://srv"))
				began, n := time.Now(), 0
				for got, err := range rpc.Duplex[int](after(t, time.Hour), c, "double", upTo(items)) {
					if err != nil || got != 2*n {
						t.Fatalf("item %d is %d, %v", n, got, err)
					}
					n++
				}
				is(t, "items", n, items)
				sum, err := rpc.Sink[int](after(t, time.Hour), c, "sum", upTo(items))
				if err != nil || sum != items*(items-1)/2 {
					t.Errorf("%d, %v", sum, err)
				}
				if took := time.Since(began); took > time.Second { // a thousand times the way there
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// However a loop over a stream is left, the call is over on both sides, and the client goes on.
func TestPitfall17Loops(t *testing.T) {
	for _, tc := range []struct {
		name string
		loop func(items iter.Seq2[int, error], again func() iter.Seq2[int, error]) (n int)
		want int
	}{
		{"break", func(items iter.Seq2[int, error], _ func() iter.Seq2[int, error]) (n int) {
			for _, err := range items {
				if err == nil {
					n++
				}
				break
			}
			return n
		}, 1},
		{"panic", func(items iter.Seq2[int, error], _ func() iter.Seq2[int, error]) (n int) {
			defer func() { _ = recover() }()
			for _, err := range items {
				if err == nil {
					n++
				}
				panic("help")
			}
			return n
		}, 1},
		{"nested", func(items iter.Seq2[int, error], again func() iter.Seq2[int, error]) (n int) {
			for v, err := range items {
				if err != nil || v == 5 {
					break
				}
				for v, err := range again() {
					if err != nil || v == 5 {
						break
					}
					n++
				}
			}
			return n
		}, 25},
	} {
		for _, method := range []string{"count", "double"} {
			t.Run(tc.name+" "+method, func(t *testing.T) {
				bubble(t, func(t *testing.T, w world) {
					s := w.service(t, "srv")
					newStreams(t, s)
					c := w.client(t, "cli", "srv")
					open := func() iter.Seq2[int, error] {
						if method == "double" {
							return rpc.Duplex[int](t.Context(), c, method, upTo(1_000_000))
						}
						return rpc.Source[int](t.Context(), c, method, 1_000_000)
					}
					want := tc.want
					if method == "double" && tc.name == "nested" { // 5 does not come, and all others are even
						open = func() iter.Seq2[int, error] { return rpc.Duplex[int](t.Context(), c, method, upTo(5)) }
					}
					is(t, "items", tc.loop(open(), open), want)
					time.Sleep(time.Second)
					is(t, "out", c.Stats().Running, 0)
					if m := s.Stats().Methods[method]; m.Calls == 0 {
						t.Errorf("no call has ended: %+v", m)
					}
					got, err := add.Call(t.Context(), c, adds{1, 2})
					if err != nil || got.Sum != 3 {
						t.Errorf("the next call: %v, %v", got, err)
					}
				})
			})
		}
	}
	t.Run("in a handler", func(t *testing.T) {
		s := newService(t)
		rpc.HandleSink(s, "first", func(_ context.Context, items iter.Seq2[int, error]) (int, error) {
			for v, err := range items {
				return v, err
			}
			return -1, nil
		})
		rpc.HandleSink(s, "panics", func(_ context.Context, items iter.Seq2[int, error]) (int, error) {
			for v, err := range items {
				panic(fmt.Sprint("help", v, err))
			}
			return -1, nil
		})
		c := linked(t, loopback, s)
		if got, err := rpc.Sink[int](within(t), c, "first", upTo(1_000_000)); err != nil || got != 0 {
			t.Errorf("%d, %v", got, err)
		}
		if _, err := rpc.Sink[int](within(t), c, "panics", upTo(1_000_000)); err == nil || err.Error() != "internal: panic" {
			t.Error(err)
		}
		is(t, "out", c.Stats().Running, 0)
	})
}
