package socket

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// inspected is a connection of which the operating system knows how much the peer's host has not acknowledged; nothing
// if that is below 0.
type inspected struct {
	net.Conn
	unacknowledged int
	unread         int
	ended          bool
	farClosed      bool
}

func (c inspected) Inspect() (transport.ConnState, bool) {
	return transport.ConnState{Unacknowledged: c.unacknowledged, Unread: c.unread}, c.unacknowledged >= 0
}
func (c inspected) Ended() (ended, reset bool)  { return c.ended, false }
func (inspected) ProbeWithin(int)               {}
func (c inspected) FarOpen() (open, known bool) { return !c.farClosed, true }
func (c inspected) Harmless() bool              { return false }

// What the end of a peer's stream says of what the peer was sent, whether it comes before our own end or behind it: a
// Shutdown may begin while a peer closes by itself.
func TestEndOfReading(t *testing.T) {
	late := errors.New("something else")
	for name, c := range map[string]struct {
		unacknowledged int
		ours           error // why our way out is over; nil if it is not
		err, want      error
		read           bool // the peer has read to the end
	}{
		"we ended first, and it has all":          {endOfStream, ErrDisconnected, io.EOF, ErrDisconnected, true},
		"we ended first, nothing is known":        {-1, ErrDisconnected, io.EOF, ErrDisconnected, true},
		"we ended first, it has not all":          {endOfStream + 1, ErrDisconnected, io.EOF, errClosedEarly, false},
		"it ended first, and has all":             {0, nil, io.EOF, errPeerClosed, true},
		"it ended first, nothing is known":        {-1, nil, io.EOF, errPeerClosed, true},
		"it ended first, and has not all":         {5, nil, io.EOF, errClosedEarly, false},
		"it ended in a message, and has not all":  {5, nil, io.ErrUnexpectedEOF, errClosedEarly, false},
		"it has all, our way out had ended badly": {0, late, io.EOF, errPeerClosed, true},
		"a reset":         {0, ErrDisconnected, errPeerReset, errPeerReset, false},
		"another failure": {0, nil, late, late, false},
		"we cut it off, and it ended before we left it": {endOfStream, ErrTakenOver, io.EOF, ErrTakenOver, false},
		"we cut it off, and it has reset":               {0, ErrHeartbeat, errPeerReset, ErrHeartbeat, false},
	} {
		t.Run(name, func(t *testing.T) {
			core := heartbeatLink(zmtp.Version{Major: 3, Minor: 1}, heartbeat{}).core
			core.out.closed = true // nothing is sent
			here, there := net.Pipe()
			defer there.Close()
			defer here.Close()
			l := newWireLink(core, nil, inspected{Conn: here, unacknowledged: c.unacknowledged}, &zmtp.Session{}, &Peer{})
			l.out.cause = c.ours
			l.cut.Store(errors.Is(c.ours, ErrTakenOver) || errors.Is(c.ours, ErrHeartbeat))
			cause := l.endOfReading(c.err)
			if !errors.Is(cause, c.want) {
				t.Errorf("the link ends because: %v; want %v", cause, c.want)
			}
			l.fail(cause)
			if read := core.waitRead(t.Context(), l); read != c.read {
				t.Errorf("the peer has read to the end: %v, want %v", read, c.read)
			}
		})
	}
}

// Before a write the peer's end is looked for where reading would not meet it in time.
func TestWritable(t *testing.T) {
	for name, c := range map[string]struct {
		wrote  time.Duration // before
		paused bool
		unread int
		ended  bool // as can be seen here
		closed bool // there
		want   error
	}{
		"a stream":                           {0, false, 0, false, false, nil},
		"a stream, and the reader will tell": {0, false, 0, true, true, nil},
		"not being read":                     {0, true, 9, false, false, nil},
		"not being read, and ended":          {0, true, 9, true, true, errPeerClosed},
		"after a stop":                       {2 * sinceWritten, false, 9, false, false, nil},
		"ended during a stop":                {2 * sinceWritten, false, 0, true, true, errPeerClosed},
		"closed behind what was not read":    {2 * sinceWritten, false, 9, false, true, errPeerClosed},
		"closed while it is not being read":  {2 * sinceWritten, true, 9, false, true, errPeerClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := heartbeatLink(zmtp.Version{Major: 3, Minor: 1}, heartbeat{})
				l.out.box.env.born = time.Now().Add(-time.Hour)
				l.conn = inspected{unread: c.unread, ended: c.ended, farClosed: c.closed}
				l.life.paused.Store(c.paused)
				l.life.wrote.Store(int64(l.out.box.env.now() - c.wrote))
				if err := l.writable(); !errors.Is(err, c.want) {
					t.Errorf("nothing is to be written, for: %v; want %v", err, c.want)
				}
			})
		})
	}
}

// No PING goes to a peer of which something has come that was not read yet: it has given its sign of life, and may have
// closed.
func TestNoPingWhileSomethingIsUnread(t *testing.T) {
	for name, c := range map[string]struct {
		unread int
		want   int64
	}{"nothing": {0, 1}, "something": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := heartbeatLink(zmtp.Version{Major: 3, Minor: 1}, heartbeat{time.Second, time.Minute, time.Minute})
				l.core.born, l.core.out.closed = time.Now(), true // nothing is sent
				l.core.heartbeats.closed = true
				l.conn = inspected{unread: c.unread}
				time.Sleep(2 * time.Second)
				l.check(0)
				if pings := l.life.pings.Load(); pings != c.want {
					t.Errorf("%d PINGs were sent, want %d", pings, c.want)
				}
			})
		})
	}
}
