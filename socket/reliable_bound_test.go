package socket

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A pipeListener accepts connections that have no system behind them.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipes"} }

// TestStrangersLeaveNoSessions: whoever comes under a new name each time, takes part or not, and takes nothing, leaves
// nothing behind, though lost peers are waited for without an end.
func TestStrangersLeaveNoSessions(t *testing.T) {
	const strangers = 10_000
	for _, tt := range []struct {
		name  string
		s     Socket
		core  func(Socket) *core
		typ   zmtp.SocketType
		joins bool
		left  int // sessions
	}{
		{
			"a Push, joining", NewPush(WithReliable(), WithReassign(-1)),
			func(s Socket) *core { return s.(*Push).core }, zmtp.Pull, true, 0,
		},
		{
			"a Pub, joining", NewPub(WithReliable(), WithReassign(-1)),
			func(s Socket) *core { return s.(*Pub).core }, zmtp.Sub, true, 0,
		},
		{
			"a Dealer, not joining", NewDealer(WithReliable(), WithReassign(-1)),
			func(s Socket) *core { return s.(*Dealer).core }, zmtp.Dealer, false, 0,
		},
		{
			"a Router, joining", NewRouter(WithReliable(), WithReassign(-1)),
			func(s Socket) *core { return s.(*Router).core }, zmtp.Dealer, true, strangers,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.core(tt.s)
			defer tt.s.Close()
			ln := newPipeListener()
			if _, err := c.BindListener(ln); err != nil {
				t.Fatal(err)
			}
			for n := range strangers {
				visit(t, ln.dial(), tt.typ, uint64(n), tt.joins)
			}
			deadline := time.Now().Add(20 * time.Second)
			for len(c.snapshot()) > 0 || c.shaking() > 0 || c.out.sessionCount() != tt.left {
				if time.Now().After(deadline) {
					t.Fatalf("%d links and %d sessions are left, want 0 and %d", len(c.snapshot()), c.out.sessionCount(),
						tt.left)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

func (o *outbox) sessionCount() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sessions)
}

func (c *core) shaking() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.handshakes)
}

// visit is a stranger's whole life.
func visit(t *testing.T, conn net.Conn, typ zmtp.SocketType, number uint64, joins bool) {
	t.Helper()
	defer conn.Close()
	yodel := zmtp.Yodel{Features: zmtp.FeatureReliable, Node: [16]byte{1}}
	binary.BigEndian.PutUint64(yodel.Receiver[:], number+1)
	sess, err := zmtp.Handshake(t.Context(), conn, zmtp.Config{
		SocketType: typ,
		Properties: zmtp.Metadata{{Name: zmtp.PropertyYodel, Value: zmtp.AppendYodel(nil, &yodel)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var open commandCatcher
	if _, err := zmtp.NewReader(conn, sess.Rest, zmtp.Limits{MaxCommand: 4096}).Next(&open); open != zmtp.CommandOpen {
		t.Fatalf("%q came, %v", open, err)
	}
	answer := zmtp.AppendCommand(nil, "ODD", nil)
	if joins {
		o := zmtp.Opened{Receiver: yodel.Receiver, Next: 1, Floor: 1}
		c := o.Commands()[0]
		answer = zmtp.AppendCommand(nil, c.Name, c.Data)
	}
	if _, err := conn.Write(answer); err != nil {
		t.Fatal(err)
	}
}

type commandCatcher string

func (c *commandCatcher) Command(name string, _ []byte, _ int) error {
	*c = commandCatcher(name)
	return zmtp.ErrPause
}

// TestLostSessionsAreBounded: where a lost peer is waited for though it is owed nothing, as many are as there may be;
// the same goes for those that are owed something, and what they were owed is in the ledger.
func TestLostSessionsAreBounded(t *testing.T) {
	const more = 10
	o := newOutbox(t, outBehaviour{addressed: true}, func(c *config) { c.reliable, c.grace = true, -1 })
	ep := &endpointState{bound: true}
	lose := func(n int, owed bool) {
		l := &link{ep: ep, peer: new(Peer)}
		binary.BigEndian.PutUint64(l.peer.end[:], uint64(n))
		o.mu.Lock()
		defer o.mu.Unlock()
		s := o.sessionFor(l)
		l.out.session, s.opened = s, l
		if owed && !o.hold(l, &outgoing{frames: [][]byte{{1}}, size: 1}) {
			t.Fatal("a message found no room")
		}
		o.loseOpened(l)
	}
	for n := range maxLostSessions + more {
		lose(n, false)
	}
	if len(o.sessions) != maxLostSessions {
		t.Errorf("%d peers that are owed nothing are waited for, want %d", len(o.sessions), maxLostSessions)
	}
	for n := range maxLostSessions + more {
		lose(-1-n, true)
	}
	if len(o.sessions) != 2*maxLostSessions {
		t.Errorf("%d peers are waited for, want %d", len(o.sessions), 2*maxLostSessions)
	}
	if n := o.counts.dropped[PeerGone].Messages; n != more {
		t.Errorf("%d messages were dropped for peers that are gone, want %d", n, more)
	}
}
