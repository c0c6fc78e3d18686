package socket

import (
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

func TestMark(t *testing.T) {
	for _, c := range []struct {
		name             string
		m                mark
		c                Count
		reached, cleared bool
	}{
		{"no limit", mark{}, Count{1 << 60, 1 << 60}, false, true},
		{"below in messages", mark{10, 0}, Count{9, 1 << 60}, false, false},
		{"at it", mark{10, 0}, Count{10, 0}, true, false},
		{"above it", mark{10, 0}, Count{11, 0}, true, false},
		{"at half", mark{10, 0}, Count{5, 0}, false, true},
		{"half of an odd one", mark{7, 0}, Count{3, 0}, false, true},
		{"above half of an odd one", mark{7, 0}, Count{4, 0}, false, false},
		{"one message: full with one", mark{1, 0}, Count{1, 0}, true, false},
		{"one message: open with none", mark{1, 0}, Count{}, false, true},
		{"at it in bytes", mark{0, 100}, Count{1, 100}, true, false},
		{"above it in bytes", mark{0, 100}, Count{1, 1000}, true, false},
		{"at half in bytes", mark{0, 100}, Count{1 << 60, 50}, false, true},
		{"messages reached, bytes not", mark{10, 100}, Count{10, 10}, true, false},
		{"bytes reached, messages not", mark{10, 100}, Count{1, 100}, true, false},
		{"only one of them at half", mark{10, 100}, Count{5, 51}, false, false},
		{"both at half", mark{10, 100}, Count{5, 50}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.m.reached(c.c); got != c.reached {
				t.Errorf("reached is %t, want %t", got, c.reached)
			}
			if got := c.m.cleared(c.c); got != c.cleared {
				t.Errorf("cleared is %t, want %t", got, c.cleared)
			}
		})
	}
}

func TestMarkPlus(t *testing.T) {
	for _, c := range []struct {
		name       string
		a, b, want mark
	}{
		{"both", mark{1, 10}, mark{2, 20}, mark{3, 30}},
		{"one without a limit in messages", mark{0, 10}, mark{2, 20}, mark{0, 30}},
		{"the other without a limit in bytes", mark{1, 10}, mark{2, 0}, mark{3, 0}},
		{"none", mark{}, mark{}, mark{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.a.plus(c.b); got != c.want {
				t.Errorf("the sum is %v, want %v", got, c.want)
			}
		})
	}
}

func TestRateDetector(t *testing.T) {
	p := new(rateDetector)
	p.wrote(time.Second)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true},
		{coalesceGap - 1, true},
		{coalesceGap, false},
		{time.Hour, false},
	} {
		if got := p.coalesce(time.Second + c.after); got != c.want {
			t.Errorf("a message %v after the last write waits for more: %t, want %t", c.after, got, c.want)
		}
	}
}

func TestLossKind(t *testing.T) {
	for _, c := range []struct {
		err  error
		want EventKind
	}{
		{errPeerClosed, PeerDown},
		{io.EOF, PeerDown},
		{ErrHeartbeat, PeerDown},
		{ErrDisconnected, PeerDown},
		{ErrSlow, PeerDown},
		{fmt.Errorf("x: %w", ErrProtocol), ProtocolError},
		{fmt.Errorf("x: %w", zmtp.ErrMalformed), ProtocolError},
		{fmt.Errorf("x: %w", zmtp.ErrTooLarge), LimitHit},
		{fmt.Errorf("x: %w", ErrLimit), LimitHit},
	} {
		if got := lossKind(c.err); got != c.want {
			t.Errorf("%v makes the event %q, want %q", c.err, got, c.want)
		}
	}
}

// heartbeatLink is a link with nothing but what heartbeats look at.
func heartbeatLink(version zmtp.Version, h heartbeat) *link {
	c := &core{cfg: config{heartbeat: h}}
	c.out.env = outEnv{cfg: &c.cfg, events: &c.events, schedule: c.heartbeats.schedule}
	l := &link{core: c, peer: &Peer{}}
	l.initOut(&c.out)
	l.carrier, l.life.pingable = &wire{l}, version.HasCommands()
	return l
}

func TestHeartbeatAllowed(t *testing.T) {
	v30, v31 := zmtp.Version{Major: 3}, zmtp.Version{Major: 3, Minor: 1}
	on := heartbeat{5 * time.Second, 15 * time.Second, 15 * time.Second}
	for _, c := range []struct {
		name    string
		version zmtp.Version
		h       heartbeat
		ttl     time.Duration // in the peer's PING
		want    time.Duration
	}{
		{"our timeout", v31, on, 0, 15 * time.Second},
		{"a shorter TTL of the peer", v31, on, time.Second, time.Second},
		{"a longer one", v31, on, time.Minute, 15 * time.Second},
		{"ours are off", v31, heartbeat{}, 0, 0},
		{"ours are off, the peer's are on", v31, heartbeat{}, time.Minute, time.Minute},
		{"a 3.0 peer may be silent", v30, on, 0, 0},
		{"a 3.0 peer that sends PING all the same", v30, on, time.Second, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := heartbeatLink(c.version, c.h)
			l.life.ttl.Store(int64(c.ttl))
			if got := l.allowed(); got != c.want {
				t.Errorf("a silence of %v is allowed, want %v", got, c.want)
			}
		})
	}
}

func TestHeartbeatVersions(t *testing.T) {
	for _, c := range []struct {
		name    string
		version zmtp.Version
		gap     time.Duration // between the peer's PINGs
		ping    bool
		sign    time.Duration
	}{
		{"3.1", zmtp.Version{Major: 3, Minor: 1}, 0, true, 0},
		{"3.1 that sends PING", zmtp.Version{Major: 3, Minor: 1}, time.Second, true, time.Second / 2},
		{"3.0", zmtp.Version{Major: 3}, 0, false, 0},
		{"3.0 that sends PING", zmtp.Version{Major: 3}, 100 * time.Millisecond, false, 50 * time.Millisecond},
		{"that sends PING too often", zmtp.Version{Major: 3}, 11 * time.Millisecond, false, minKeepaliveInterval},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := heartbeatLink(c.version, heartbeat{})
			l.life.peerInterval.Store(int64(c.gap))
			if l.pingable() != c.ping || l.keepaliveInterval() != c.sign {
				t.Errorf("PING may be sent: %t, a sign every %v; want %t, %v", l.pingable(), l.keepaliveInterval(), c.ping, c.sign)
			}
		})
	}
}

// TestHeartbeatLate: silence counts only while this process could have heard the peer and the peer could write.
func TestHeartbeatLate(t *testing.T) {
	const limit = 15 * time.Second
	for _, c := range []struct {
		name    string
		late    time.Duration // by how much the check comes late
		writing bool          // what the peer, which is not a Yodel, does not take
		want    bool          // alive
	}{
		{"in time", 0, false, false},
		{"a little late", limit / 10, false, false},
		{"the process stood still", limit / 2, false, true},
		{"a write is stuck", 0, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := heartbeatLink(zmtp.Version{Major: 3, Minor: 1}, heartbeat{limit / 3, limit, limit})
				l.core.born = time.Now().Add(-time.Hour)
				l.core.out.closed = true // nothing is sent
				l.conn, _ = net.Pipe()
				l.gone = make(chan struct{})
				defer l.core.heartbeats.stop(l)
				l.life.read.Store(int64(l.core.now() - 2*limit))
				l.out.writing = c.writing
				check := func(late time.Duration) bool {
					l.check(late)
					synctest.Wait()
					select {
					case <-l.gone:
						return false
					default:
						return true
					}
				}
				if got := check(c.late); got != c.want {
					t.Errorf("the peer counts as alive: %t, want %t", got, c.want)
				}
				l.out.writing = false
				if got := check(0); got != c.want {
					t.Errorf("right after it: %t, want %t, for it has not had its time yet", got, c.want)
				}
				l.life.graceUntil.Store(int64(l.core.now() - limit))
				if check(0) {
					t.Error("a peer that stays silent for the whole limit counts as alive")
				}
			})
		})
	}
}
