package socket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A raw is a peer made by hand: it writes whatever bytes a test wants, over tcp or over a simulated network.
type raw struct {
	net.Conn
	t   testing.TB
	buf []byte // read and not yet taken
}

func newRaw(t testing.TB, conn net.Conn) *raw {
	t.Cleanup(func() { conn.Close() })
	return &raw{Conn: conn, t: t}
}

// rawDial connects to a bound tcp endpoint.
func rawDial(t testing.TB, endpoint string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "tcp://"))
	must(t, err)
	return newRaw(t, conn)
}

// A rawServer is a tcp listener that sockets connect to.
type rawServer struct {
	net.Listener
	t testing.TB
}

func rawListen(t testing.TB) rawServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	return rawServer{ln, t}
}

func (s rawServer) endpoint() string { return "tcp://" + s.Addr().String() }

func (s rawServer) accept() *raw {
	s.t.Helper()
	must(s.t, s.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)))
	conn, err := s.Accept()
	must(s.t, err)
	return newRaw(s.t, conn)
}

// name is how the socket at the other end calls this peer in its events.
func (r *raw) name() string { return r.LocalAddr().String() }

// send writes all parts at once. A peer that has hung up already is not an error: that is what most tests provoke.
func (r *raw) send(parts ...[]byte) {
	r.t.Helper()
	_ = r.SetWriteDeadline(time.Now().Add(patience))
	_, err := r.Write(bytes.Join(parts, nil))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("raw peer: the socket does not read: %v", err)
	}
}

// take reads exactly n bytes.
func (r *raw) take(n int) []byte {
	r.t.Helper()
	b, err := r.tryTake(n)
	if err != nil {
		r.t.Fatalf("raw peer: %v", err)
	}
	return b
}

func (r *raw) tryTake(n int) ([]byte, error) {
	_ = r.SetReadDeadline(time.Now().Add(patience))
	return r.read(n)
}

// read is tryTake without a deadline, for tests that set their own.
func (r *raw) read(n int) ([]byte, error) {
	for len(r.buf) < n {
		piece := make([]byte, 4096)
		k, err := r.Read(piece)
		r.buf = append(r.buf, piece[:k]...)
		if k == 0 && err != nil {
			return nil, fmt.Errorf("%d of %d bytes came: %w", len(r.buf), n, err)
		}
	}
	b := slices.Clone(r.buf[:n])
	r.buf = r.buf[n:]
	return b, nil
}

// A wireFrame is one frame as it was on the wire.
type wireFrame struct {
	flags byte
	body  []byte
}

func (f wireFrame) command() string {
	if f.flags&zmtp.FlagCommand == 0 {
		return ""
	}
	name, _, _ := zmtp.ParseCommand(f.body)
	return name
}

func (r *raw) frame() wireFrame {
	r.t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(patience))
	f, err := r.readFrame()
	if err != nil {
		r.t.Fatalf("raw peer: frame: %v", err)
	}
	return f
}

func (r *raw) readFrame() (wireFrame, error) {
	head, err := r.read(2)
	if err != nil {
		return wireFrame{}, err
	}
	size := uint64(head[1])
	if head[0]&zmtp.FlagLong != 0 {
		rest, err := r.read(7)
		if err != nil {
			return wireFrame{}, err
		}
		size = binary.BigEndian.Uint64(append([]byte{head[1]}, rest...))
	}
	if size > 1<<30 {
		return wireFrame{}, fmt.Errorf("a frame of %d bytes", size)
	}
	body, err := r.read(int(size))
	return wireFrame{head[0], body}, err
}

// message reads frames up to the end of a message; commands in between are left out.
func (r *raw) message() []string {
	r.t.Helper()
	var frames []string
	for {
		f := r.frame()
		if f.flags&zmtp.FlagCommand != 0 {
			continue
		}
		frames = append(frames, string(f.body))
		if f.flags&zmtp.FlagMore == 0 {
			return frames
		}
	}
}

// ended reads until the socket hangs up.
func (r *raw) ended() {
	r.t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, r.Conn); errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatal("raw peer: the socket did not hang up")
	}
}

// shake is the good handshake of a ZMTP 3.1 peer of the given type. The socket's own greeting and READY are read.
func (r *raw) shake(typ string, more ...zmtp.Property) { r.shakeAs(3, 1, typ, more...) }

func (r *raw) shakeAs(major, minor byte, typ string, more ...zmtp.Property) {
	r.t.Helper()
	r.send(greeting(major, minor), readyOf(typ, more...))
	r.take(zmtp.GreetingSize)
	if f := r.frame(); f.command() != zmtp.CommandReady {
		r.t.Fatalf("raw peer: the socket sent %x %q, want READY", f.flags, f.body)
	}
}

func greeting(major, minor byte) []byte {
	b := zmtp.AppendGreeting(nil, zmtp.Greeting{})
	b[10], b[11] = major, minor
	return b
}

func greetingOf(mechanism string) []byte {
	b := greeting(3, 1)
	copy(b[12:32], make([]byte, 20))
	copy(b[12:32], mechanism)
	return b
}

func readyOf(typ string, more ...zmtp.Property) []byte {
	m := append(zmtp.Metadata{{Name: "Socket-Type", Value: []byte(typ)}}, more...)
	return zmtp.AppendReady(nil, m)
}

// yodelProperty makes a raw peer pass for a Yodel that bears 15 s of silence.
var yodelProperty = zmtp.Property{
	Name: "X-Yodel", Value: append(append([]byte{1, 0, 0, 0, 0}, make([]byte, 16)...), 0, 0, 15_000>>8, 15_000&0xff),
}

// claim is a frame header in the long form, which may lie.
func claim(flags byte, size uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{flags | zmtp.FlagLong}, size)
}

// frameOf is a whole frame in the shortest form.
func frameOf(flags byte, body string) []byte {
	return append(zmtp.AppendHeader(nil, flags, len(body)), body...)
}

func messageOf(frames ...string) (b []byte) {
	for i, f := range frames {
		flags := byte(zmtp.FlagMore)
		if i == len(frames)-1 {
			flags = 0
		}
		b = append(b, frameOf(flags, f)...)
	}
	return b
}

// A refusal is how an event should tell that a peer was turned away.
type refusal struct {
	kind socket.EventKind
	err  error
	text string // in the reason
}

// wantRefusal waits for the event that ends the connection of the peer with the given address, and checks it.
func wantRefusal(t testing.TB, s anyRole, address string, want refusal) socket.Event {
	t.Helper()
	ev := eventWhere(t, s, fmt.Sprintf("%v from %s", want.kind, address), func(ev socket.Event) bool {
		return isEnd(ev, address)
	})
	wantEnd(t, ev, want)
	balanced(t, s)
	return ev
}

func isEnd(ev socket.Event, address string) bool {
	from := ev.Address
	if ev.Peer != nil {
		from = ev.Peer.Address
	}
	if from != address {
		return false
	}
	switch ev.Kind {
	case socket.HandshakeFailed, socket.ProtocolError, socket.LimitHit, socket.PeerDown:
		return true
	}
	return false
}

func wantEnd(t testing.TB, ev socket.Event, want refusal) {
	t.Helper()
	switch {
	case ev.Kind != want.kind:
		t.Errorf("event %q, want a %q", ev, want.kind)
	case ev.Err == nil || ev.Err.Error() == "":
		t.Errorf("event %q gives no reason", ev)
	case want.err != nil && !errors.Is(ev.Err, want.err):
		t.Errorf("event %q, want its error to match %q", ev, want.err)
	case !strings.Contains(ev.Err.Error(), want.text):
		t.Errorf("event %q, want its reason to say %q", ev, want.text)
	}
}

// shut closes a socket now, which must take less than a second, or five with the race detector, which makes all of it
// that much slower, and checks its ledger.
func shut(t testing.TB, s socket.Socket) {
	t.Helper()
	most := time.Second
	if socket.RaceEnabled {
		most *= 5
	}
	balanced(t, s)
	start := time.Now()
	must(t, s.Close())
	if d := time.Since(start); d > most {
		t.Errorf("%s: Close took %v, want at most %v", s.Type(), d, most)
	}
	balanced(t, s)
	if st := s.Stats(); st.Queued.Messages+st.Unread.Messages != 0 || len(st.Peers) != 0 {
		t.Errorf("%s: after Close %d messages are queued, %d unread, %d peers there",
			s.Type(), st.Queued.Messages, st.Unread.Messages, len(st.Peers))
	}
}

// quietContext has ended already: with it, Send and Recv do what can be done at once.
func quietContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
