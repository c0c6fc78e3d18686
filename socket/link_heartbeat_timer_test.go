package socket

import (
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestHeartbeatTimerDeadlines: through any sequence of calls each link has its place, the earliest deadline asked for
// stands, and the timer fires for the first.
func TestHeartbeatTimerDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h heartbeatTimer
		core := heartbeatLink(zmtp.Version{Major: 3, Minor: 1}, heartbeat{}).core
		links := make([]*link, 50)
		want := map[*link]time.Duration{} // of those that are to be looked after
		for i := range links {
			links[i] = &link{core: core}
			links[i].initOut(&core.out)
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 5000 {
			l := links[rnd.IntN(len(links))]
			if rnd.IntN(100) == 0 {
				h.stop(l)
				delete(want, l)
			} else {
				in := time.Hour + time.Duration(rnd.IntN(1000))*time.Second
				h.schedule(l, in)
				if due, ok := want[l]; !l.life.stopped && (!ok || core.now()+in < due) {
					want[l] = core.now() + in
				}
			}
			first := never
			for l, due := range want {
				first = min(first, due)
				if l.life.heapIndex == 0 || h.links[l.life.heapIndex-1] != l || l.life.deadline != due {
					t.Fatalf("a link is due after %v at place %d, want %v", l.life.deadline, l.life.heapIndex, due)
				}
			}
			if len(h.links) != len(want) || len(want) > 0 && h.fires > first {
				t.Fatalf("%d links of %d, the timer fires after %v, want %v", len(h.links), len(want), h.fires, first)
			}
			time.Sleep(time.Millisecond)
		}
		for _, l := range links {
			h.stop(l)
		}
		if len(h.links) != 0 || h.timer.Stop() {
			t.Errorf("%d links are left, or the timer still runs", len(h.links))
		}
	})
}

// TestHeartbeatTimerIsNotHeldUp: a connection that takes its time to close, as one of a foreign transport may, keeps
// no other from its check.
func TestHeartbeatTimerIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := heartbeatLink(zmtp.Version{Major: 3, Minor: 1}, heartbeat{time.Second, 3 * time.Second, 0}).core
		core.born = time.Now()
		core.out.closed = true // nothing is sent
		release := make(chan struct{})
		var links [2]*link
		for i := range links {
			here, there := net.Pipe()
			defer there.Close()
			links[i] = newWireLink(core, nil, &slowToClose{here, release},
				&zmtp.Session{Version: zmtp.Version{Major: 3, Minor: 1}}, &Peer{})
			links[i].startHeartbeat()
		}
		time.Sleep(3*time.Second + 1)
		synctest.Wait()
		for i, l := range links {
			select {
			case <-l.gone:
			default:
				t.Errorf("link %d is not given up", i)
			}
			core.heartbeats.stop(l)
		}
		close(release)
	})
}

type slowToClose struct {
	net.Conn
	release chan struct{}
}

func (c *slowToClose) Close() error {
	<-c.release
	return c.Conn.Close()
}

// TestHeartbeatTimerClose: no check outlives close, nor begins after it.
func TestHeartbeatTimerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := heartbeatLink(zmtp.Version{Major: 3, Minor: 1}, heartbeat{time.Second, 3 * time.Second, 0}).core
		core.born = time.Now()
		core.out.closed = true // nothing is sent
		here, there := net.Pipe()
		defer there.Close()
		release := make(chan struct{})
		l := newWireLink(core, nil, &slowToClose{here, release}, &zmtp.Session{Version: zmtp.Version{Major: 3, Minor: 1}},
			&Peer{})
		l.startHeartbeat()
		time.Sleep(3*time.Second + 1) // it is found dead, and its connection is being closed
		over := make(chan struct{})
		go func() {
			core.heartbeats.close()
			close(over)
		}()
		synctest.Wait()
		select {
		case <-over:
			t.Error("close did not wait for the end of a link")
		default:
		}
		close(release)
		<-over
		core.heartbeats.schedule(l, time.Second)
		if len(core.heartbeats.links) > 0 || core.heartbeats.timer.Stop() {
			t.Error("a link is looked after once all is over")
		}
	})
}
