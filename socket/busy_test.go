package socket_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestBusyLink: what goes to a link that is being written to, the common way of a stream, is counted, limited and
// refused as any other message is.
func TestBusyLink(t *testing.T) {
	const hwm, size = 50, 100
	type trier interface {
		anyRole
		TrySend(socket.Msg) error
	}
	for _, role := range []struct {
		name, peer string
		open       func(o ...socket.SendOption) trier
	}{
		{"PUSH", "PULL", func(o ...socket.SendOption) trier { return socket.NewPush(as[socket.PushOption](o)...) }},
		{"DEALER", "ROUTER", func(o ...socket.SendOption) trier { return socket.NewDealer(as[socket.DealerOption](o)...) }},
		{"PAIR", "PAIR", func(o ...socket.SendOption) trier { return socket.NewPair(as[socket.PairOption](o)...) }},
	} {
		// stuck returns a socket whose peer has taken a part of what was sent and takes nothing more.
		stuck := func(t *testing.T, o ...socket.SendOption) (s trier, peer *raw, sent int) {
			net := simnet.New(simnet.Config{Window: 1000})
			s = role.open(append(o, on(net, "srv"))...)
			t.Cleanup(func() { shut(t, s) })
			bindAt(t, s)
			r := rawSim(t, net, "cli")
			r.shake(role.peer, yodelProperty)
			synctest.Wait()
			for s.Stats().Queued.Messages == 0 {
				must(t, s.TrySend(numbered(sent, size)))
				sent++
				synctest.Wait()
			}
			return s, r, sent
		}
		run := func(name string, f func(t *testing.T)) {
			t.Run(role.name+"/"+name, func(t *testing.T) { bubble(t, f) })
		}

		run("counted, up to the high-water mark", func(t *testing.T) {
			s, _, sent := stuck(t, socket.WithSendHWM(hwm))
			for {
				before := s.Stats()
				err := s.TrySend(numbered(sent, size))
				after := s.Stats()
				must(t, after.Check())
				if errors.Is(err, socket.ErrWouldBlock) {
					break
				}
				must(t, err)
				sent++
				if after.Queued.Messages != before.Queued.Messages+1 || after.Queued.Bytes != before.Queued.Bytes+size ||
					after.Accepted.Messages != uint64(sent) {
					t.Fatalf("after message %d: queued %v, accepted %v", sent, after.Queued, after.Accepted)
				}
			}
			if n := s.Stats().Queued.Messages; n != hwm {
				t.Errorf("%d messages queued, want %d", n, hwm)
			}
		})
		run("up to the mark in bytes", func(t *testing.T) {
			s, _, sent := stuck(t, socket.WithSendHWMBytes(2000))
			for s.TrySend(numbered(sent, size)) == nil {
				sent++
			}
			if n := s.Stats().Queued.Bytes; n != 2000 {
				t.Errorf("%d bytes queued, want 2000", n)
			}
		})
		run("refused once the socket shuts down", func(t *testing.T) {
			s, peer, sent := stuck(t, socket.WithSendHWM(hwm))
			must(t, s.TrySend(numbered(sent, size)))
			over := make(chan error, 1)
			go func() { over <- s.Shutdown(aDay(t)) }()
			synctest.Wait()
			if err := s.TrySend(numbered(sent+1, size)); !errors.Is(err, socket.ErrClosed) {
				t.Errorf("a message is taken: %v, want ErrClosed", err)
			}
			for i := range sent + 1 {
				if got := peer.message(); got[0] != string(numbered(i, size).Frames[0]) {
					t.Fatalf("message %d is % x…", i, got[0][:4])
				}
			}
			peer.Close()
			must(t, <-over)
		})
		run("only the newest is kept", func(t *testing.T) {
			s, _, sent := stuck(t, socket.WithOverflow(socket.Conflate))
			leaving := s.Stats().Queued.Messages
			for range 20 {
				must(t, s.TrySend(numbered(sent, size)))
				sent++
			}
			if n := s.Stats().Queued.Messages; n > leaving+1 {
				t.Errorf("%d messages are queued beside the %d that were leaving", n-leaving, leaving)
			}
		})
	}
}
