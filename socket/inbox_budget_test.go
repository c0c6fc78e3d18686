package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// simPull is a PULL at host "srv" of a network on which raw peers can be had.
func simPull(t *testing.T, o ...socket.Option) (pull *socket.Pull, come func(i int) *raw) {
	net := simnet.New(simnet.Config{Window: 16 << 20})
	pull = socket.NewPull(as[socket.PullOption](append(o, on(net, "srv")))...)
	t.Cleanup(func() { shut(t, pull) })
	bindAt(t, pull)
	return pull, func(i int) *raw {
		r := rawSim(t, net, fmt.Sprintf("cli%d", i))
		r.shakeAs(3, 0, "PUSH") // it gets no PINGs and is not dropped for silence
		return r
	}
}

// limitHits is how many connections the socket has ended because of a limit, by the history of its events.
func limitHits(t *testing.T, s eventer, words string) (n int) {
	t.Helper()
	for ev := range s.Events(quietContext()) {
		if ev.Kind == socket.LimitHit {
			n++
			if !errors.Is(ev.Err, socket.ErrLimit) || !strings.Contains(ev.Err.Error(), words) {
				t.Errorf("%v; want %q in it", ev, words)
			}
		}
	}
	return n
}

// TestMessageUnderWayThatCrawls: a large message that has come in part and hardly goes on ends its connection by
// name; one that is slow, or that this side does not read, does not.
func TestMessageUnderWayThatCrawls(t *testing.T) {
	const size = 1 << 20
	t.Run("a byte a second", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t)
			r := come(1)
			r.send(claim(0, size), make([]byte, size/2))
			synctest.Wait()
			if s := pull.Stats(); s.UnderWay < size/2 || s.Peers[0].UnderWay != s.UnderWay {
				t.Errorf("%d bytes under way, of the peer %d; want at least %d", s.UnderWay, s.Peers[0].UnderWay, size/2)
			}
			begin := time.Now()
			for limitHits(t, pull, "128 a second") == 0 {
				if time.Since(begin) > 2*time.Minute {
					t.Fatal("it is there still")
				}
				time.Sleep(time.Second)
				r.send([]byte{0})
			}
			if s := pull.Stats(); s.UnderWay != 0 {
				t.Errorf("%d bytes under way when the peer has gone", s.UnderWay)
			}
		})
	})
	t.Run("200 bytes a second", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t)
			r := come(1)
			r.send(claim(0, size), make([]byte, size-200*200))
			for range 200 {
				time.Sleep(time.Second)
				r.send(make([]byte, 200))
			}
			if n := recv(t, pull).Size(); n != size {
				t.Errorf("%d bytes came, want %d", n, size)
			}
			if n := limitHits(t, pull, ""); n != 0 {
				t.Errorf("%d connections were ended", n)
			}
		})
	})
	t.Run("a lower limit", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t, socket.WithLimits(socket.Limits{MinRate: -1}))
			r := come(1)
			r.send(claim(0, size), make([]byte, size-200))
			for range 200 {
				time.Sleep(time.Second)
				r.send([]byte{0})
			}
			if n := recv(t, pull).Size(); n != size {
				t.Errorf("%d bytes came, want %d", n, size)
			}
		})
	})
	t.Run("not read", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t, socket.WithRecvHWM(1))
			r := come(1)
			r.send(messageOf("first"), messageOf("second"), claim(0, size), make([]byte, size))
			time.Sleep(10 * time.Minute)
			expect(t, pull, "first")
			expect(t, pull, "second")
			if n := recv(t, pull).Size(); n != size {
				t.Errorf("%d bytes came, want %d", n, size)
			}
		})
	})
}

// TestBudget: what all peers together make a socket hold stays within its budget, and all of it arrives in the end.
func TestBudget(t *testing.T) {
	const (
		budget = 4 << 20
		size   = 1 << 20
		peers  = 20
	)
	small := socket.WithLimits(socket.Limits{MaxBuffered: budget})
	t.Run("unread", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t, small)
			for i := range peers {
				r := come(i)
				go r.send(bytes.Repeat(messageOf(strings.Repeat("x", 10_000)), 200)) // 40 MB altogether
			}
			time.Sleep(time.Minute)
			most := uint64(0)
			for range peers * 200 {
				s := pull.Stats()
				must(t, s.Check())
				most = max(most, s.Unread.Bytes)
				recv(t, pull)
				synctest.Wait()
			}
			if most < budget*3/4 || most > budget+peers*(256<<10) { // each may bring what one read does
				t.Errorf("%d bytes unread, the budget is %d", most, budget)
			}
			nothing(t, pull)
		})
	})
	t.Run("under way, and small ones beside", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t, small)
			var all []*raw
			for i := range peers {
				r := come(i)
				all = append(all, r)
				r.send(claim(0, size), make([]byte, size*3/5))
			}
			synctest.Wait()
			if n := pull.Stats().UnderWay; n < budget/2 || n > budget*3/4+size {
				t.Errorf("%d bytes under way, the budget is %d", n, budget)
			}
			good := come(peers)
			for i := range 100 {
				good.send(messageOf(fmt.Sprint(i)))
				expect(t, pull, fmt.Sprint(i))
			}
			for _, r := range all {
				r.send(make([]byte, size-size*3/5))
			}
			for range peers {
				if n := recv(t, pull).Size(); n != size {
					t.Errorf("%d bytes came, want %d", n, size)
				}
			}
			if n := limitHits(t, pull, ""); n != 0 {
				t.Errorf("%d connections were ended", n)
			}
		})
	})
	t.Run("those that stand still give way", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t, small)
			for i := range peers {
				come(i).send(claim(0, size), make([]byte, size*3/5))
			}
			synctest.Wait()
			good := come(peers)
			begin := time.Now()
			good.send(claim(0, size), make([]byte, size))
			m, err := pull.Recv(aDay(t))
			if err != nil || m.Size() != size {
				t.Errorf("%d bytes came, want %d: %v", m.Size(), size, err)
			}
			if took := time.Since(begin); took > (peers+1)*10*time.Second { // each may have its time, one after the other
				t.Errorf("it took %v", took)
			}
			if limitHits(t, pull, "gives way") == 0 {
				t.Error("none gave way")
			}
		})
	})
	t.Run("one larger than all of it", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			pull, come := simPull(t, small)
			come(1).send(claim(0, 2*budget), make([]byte, 2*budget))
			if n := recv(t, pull).Size(); n != 2*budget {
				t.Errorf("%d bytes came, want %d", n, 2*budget)
			}
		})
	})
	t.Run("none waits for another that waits for it", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			const size = budget * 7 / 8
			pull, come := simPull(t, small)
			var all []*raw
			for i := range peers {
				r := come(i)
				all = append(all, r)
				r.send(claim(0, size), make([]byte, budget/4))
			}
			synctest.Wait()
			if n := pull.Stats().UnderWay; n > budget*3/4+size {
				t.Errorf("%d bytes under way, the budget is %d", n, budget)
			}
			for _, r := range all {
				r.send(make([]byte, size-budget/4))
			}
			for range peers {
				m, err := pull.Recv(aDay(t))
				if err != nil || m.Size() != size {
					t.Fatalf("%d bytes came, want %d: %v", m.Size(), size, err)
				}
			}
			if n := limitHits(t, pull, ""); n != 0 {
				t.Errorf("%d connections were ended", n)
			}
		})
	})
}
