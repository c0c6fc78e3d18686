package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/patterns"
	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
)

// newStreams returns a service of one method of each shape.
func newStreams(t testing.TB, s *rpc.Service) {
	t.Helper()
	rpc.HandleSource(s, "count", func(_ context.Context, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range n {
				if !yield(i, nil) {
					return
				}
			}
			if n%2 == 1 {
				yield(0, patterns.Errorf(patterns.CodeAborted, "odd"))
			}
		}
	})
	rpc.HandleSink(s, "sum", func(_ context.Context, items iter.Seq2[int, error]) (int, error) {
		sum := 0
		for i, err := range items {
			if err != nil {
				return 0, err
			}
			if i < 0 {
				return 0, patterns.Errorf(patterns.CodeInvalidArgument, "%d", i)
			}
			sum += i
		}
		return sum, nil
	})
	rpc.HandleDuplex(s, "double", func(_ context.Context, items iter.Seq2[int, error]) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i, err := range items {
				if !yield(2*i, err) {
					return
				}
			}
		}
	})
}

func collect[T any](items iter.Seq2[T, error]) (all []T, err error) {
	for v, e := range items {
		if e != nil {
			return all, e
		}
		all = append(all, v)
	}
	return all, nil
}

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func TestStreams(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		s := newService(t, rpc.WithWindow(1<<10))
		newStreams(t, s)
		c := newClient(t, rpc.WithWindow(1<<10))
		must(t, c.Connect(bind(t, s, endpoint)))
		for _, n := range []int{0, 2, 500} {
			all, err := collect(rpc.Source[int](within(t), c, "count", n))
			if err != nil || !slices.Equal(all, slices.Collect(upTo(n))) {
				t.Errorf("%d items of %d, %v", len(all), n, err)
			}
			sum, err := rpc.Sink[int](within(t), c, "sum", upTo(n))
			if want := n * (n - 1) / 2; err != nil || sum != want {
				t.Errorf("the sum is %d, not %d: %v", sum, want, err)
			}
			all, err = collect(rpc.Duplex[int](within(t), c, "double", upTo(n)))
			if err != nil || len(all) != n || n > 0 && all[n-1] != 2*(n-1) {
				t.Errorf("%d of %d, %v", len(all), n, err)
			}
		}
		aborted := &patterns.Error{Code: patterns.CodeAborted}
		if all, err := collect(rpc.Source[int](within(t), c, "count", 3)); len(all) != 3 || !errors.Is(err, aborted) {
			t.Errorf("%v, %v", all, err)
		}
		invalid := &patterns.Error{Code: patterns.CodeInvalidArgument}
		if _, err := rpc.Sink[int](within(t), c, "sum", slices.Values([]int{1, -2, 3})); !errors.Is(err, invalid) {
			t.Error(err)
		}
		for _, err := range rpc.Source[int](within(t), c, "count", 1000) {
			must(t, err)
			break
		}
		for _, err := range rpc.Duplex[int](within(t), c, "double", upTo(1000)) {
			must(t, err)
			break
		}
		if _, err := rpc.Sink[int](within(t), c, "sum", slices.Values([]any{1, make(chan int)})); !errors.Is(err, invalid) {
			t.Error("an item that cannot be encoded:", err)
		}
		if _, err := collect(rpc.Source[string](within(t), c, "count", 2)); err == nil {
			t.Error("an item of the wrong type")
		}
		for s.Stats().Methods["double"].Calls < 4 || s.Stats().Methods["count"].Calls < 6 { // as cancellation comes
			time.Sleep(time.Millisecond)
		}
		is(t, "out", c.Stats().Running, 0)
	})
}

// A method is called as it is handled, or not at all.
func TestShapes(t *testing.T) {
	s := newService(t)
	newStreams(t, s)
	c := linked(t, "inproc://"+t.Name(), s)
	want := &patterns.Error{Code: patterns.CodeUnimplemented}
	_, err := rpc.Call[int](within(t), c, "count", 1)
	_, err2 := collect(rpc.Source[int](within(t), c, "add", adds{}))
	_, err3 := rpc.Sink[int](within(t), c, "nothing", upTo(1))
	d := socket.NewDealer()
	defer d.Close()
	must(t, d.Connect(s.Endpoints()[0]))
	head := patterns.Head{Method: "count", Window: 1000}
	must(t, d.Send(within(t), socket.NewMsg([]byte("1"), nil, head.AppendTo(nil), []byte{5})))
	m, err4 := d.Recv(within(t))
	must(t, err4)
	reply, err4 := patterns.ParseHead(m.Frames[2])
	must(t, err4)
	is(t, "to a foreign peer", reply.Code, want.Code)
	for i, err := range []error{err, err2, err3} {
		if e, ok := errors.AsType[*patterns.Error](err); !ok || e.Code != want.Code {
			t.Errorf("%d: %v", i, err)
		}
	}
	r := socket.NewRouter()
	defer r.Close()
	at, err := r.Bind(within(t), loopback)
	must(t, err)
	f := newClient(t)
	must(t, f.Connect(at))
	if _, err := collect(rpc.Source[int](within(t), f, "count", 1)); err == nil {
		t.Error("a stream of a plain ROUTER")
	}
}

// A stream that is not read takes no more than its window and an item, and hinders nobody.
func TestStalledStream(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		const window, size = 64 << 10, 1000
		var sent atomic.Int32
		s := w.service(t, "srv")
		rpc.HandleSource(s, "big", func(context.Context, int) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for yield(make([]byte, size), nil) {
					sent.Add(1)
				}
			}
		})
		c := newClient(t, rpc.WithWindow(window), rpc.WithDealer(socket.WithTransport(w.Host("cli"))))
		must(t, c.Connect("sim://srv"))
		next, stop := iter.Pull2(rpc.Source[[]byte](t.Context(), c, "big", 0))
		_, err, _ := next()
		must(t, err)
		time.Sleep(time.Minute)
		if n := int(sent.Load()); n > window/size+1 || n < window/(size+80)/2 {
			t.Errorf("%d items were sent", n)
		}
		began := time.Now()
		_, err = add.Call(t.Context(), c, adds{})
		if took := time.Since(began); err != nil || took > 4*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
		stop()
		time.Sleep(time.Second)
		is(t, "streams that have ended", s.Stats().Methods["big"].Calls, 1)
	})
}

// A peer that sends more than it may, or gives more than can be used, ends its stream.
func TestHostileStreams(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		s := w.service(t, "srv", rpc.WithWindow(1<<10))
		ended := make(chan error, 10)
		rpc.HandleSink(s, "sink", func(ctx context.Context, items iter.Seq2[int, error]) (int, error) {
			<-ctx.Done()
			for _, err := range items {
				if err != nil {
					ended <- err
					return 0, err
				}
			}
			return 0, nil
		})
		hostile := socket.WithMetadata("X-Yodel-Pattern", "call/1")
		for i, bad := range []patterns.Head{
			{Kind: patterns.KindItem}, {Kind: patterns.KindCredit, Window: 1 << 41},
		} {
			d := w.dealer(t, fmt.Sprint("cli", i), "srv", hostile)
			send := func(h patterns.Head) {
				must(t, d.Send(t.Context(), socket.NewMsg([]byte("1"), nil, h.AppendTo(nil), make([]byte, 1000))))
			}
			send(patterns.Head{Method: "sink", Window: 1})
			for range 3 {
				send(bad)
			}
			reply := patterns.Head{Kind: patterns.KindHello}
			for reply.Kind == patterns.KindHello || reply.Kind == patterns.KindCredit {
				m, err := d.Recv(t.Context())
				must(t, err)
				_, body := m.Envelope()
				reply, err = patterns.ParseHead(body[0])
				must(t, err)
			}
			if reply.Code != patterns.CodeInvalidArgument {
				t.Errorf("%+v", reply)
			}
		}
		is(t, "calls", s.Stats().Methods["sink"].Calls, 2)
	})
}

// Of one caller there are so many streams at once and no more.
func TestTooManyStreams(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		s := w.service(t, "srv")
		newStreams(t, s)
		c := newClient(t, rpc.WithWindow(1), rpc.WithDealer(socket.WithTransport(w.Host("cli"))))
		must(t, c.Connect("sim://srv"))
		for i := range 128 {
			next, stop := iter.Pull2(rpc.Source[int](t.Context(), c, "count", 100_000))
			defer stop()
			if _, err, _ := next(); err != nil {
				t.Fatal(i, err)
			}
		}
		_, err := collect(rpc.Source[int](t.Context(), c, "count", 2))
		if !errors.Is(err, rpc.ErrOverloaded) {
			t.Error(err)
		}
	})
}

// The end of a connection ends its streams on both sides.
func TestStreamsOfLostPeers(t *testing.T) {
	bubble(t, func(t *testing.T, w world) {
		s := w.service(t, "srv")
		newStreams(t, s)
		c := w.client(t, "cli", "srv")
		next, stop := iter.Pull2(rpc.Source[int](t.Context(), c, "count", 1_000_000))
		defer stop()
		_, err, _ := next()
		must(t, err)
		w.Cut("cli", "srv")
		for err == nil {
			_, err, _ = next()
		}
		var ce *rpc.CallError
		if !errors.Is(err, socket.ErrPeerLost) || !errors.As(err, &ce) || !ce.MayHaveRun {
			t.Error(err)
		}
		time.Sleep(time.Second)
		is(t, "streams that have ended", s.Stats().Methods["count"].Calls, 1)
	})
}
