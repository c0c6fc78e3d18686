package curve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// An end is one peer in a test of whole connections.
type end struct {
	cfg  zmtp.Config
	send [][]byte // messages of one frame each

	s    *zmtp.Session
	err  error
	got  [][]byte
	read error // why it received no more
}

func clientEnd() *end {
	return &end{
		cfg:  zmtp.Config{SocketType: zmtp.Dealer, Mechanism: Client(clientKey, serverKey.Public())},
		send: [][]byte{[]byte("from the client, and long enough for two blocks of the cipher"), {}, []byte("2")},
	}
}

func serverEnd() *end {
	return &end{
		cfg:  zmtp.Config{SocketType: zmtp.Dealer, Mechanism: testServer},
		send: [][]byte{[]byte("from the server, and long enough for two blocks of the cipher"), {}, []byte("2")},
	}
}

// run shakes hands, sends, and receives until the connection ends.
func (e *end) run(ctx context.Context, conn net.Conn) {
	if e.s, e.err = zmtp.Handshake(ctx, conn, e.cfg); e.err != nil {
		conn.Close()
		return
	}
	var out []byte
	for _, m := range e.send {
		out = e.s.Sealer.Seal(out, 0, m)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = conn.Write(out)
	}()
	r := zmtp.NewReader(conn, e.s.Rest, zmtp.Limits{MaxMessage: 1 << 20, MaxFrames: 10, MaxCommand: 1 << 10})
	r.SetOpener(e.s.Opener)
	for e.read == nil {
		var msgs [][][]byte
		msgs, e.read = r.Next(nil)
		for _, m := range msgs {
			e.got = append(e.got, bytes.Join(m, []byte("|")))
		}
	}
	if errors.Is(e.read, zmtp.ErrMalformed) || errors.Is(e.read, zmtp.ErrTooLarge) {
		conn.Close()
	}
	<-written
}

// A middle is somebody in between, who sees and changes what one side says.
type middle struct {
	said  []byte // what came
	alter func(at int, b byte) byte
}

func (m *middle) carry(from, to net.Conn) {
	defer to.Close()
	defer from.Close()
	var buf [1024]byte
	for {
		n, err := from.Read(buf[:])
		for i := range buf[:n] {
			at := len(m.said)
			m.said = append(m.said, buf[i])
			if m.alter != nil {
				buf[i] = m.alter(at, buf[i])
			}
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// A carrier brings what one side says to the other, or something else.
type carrier interface{ carry(from, to net.Conn) }

// meet connects two ends by way of somebody in between, and returns when all is over: everything that waits does so for
// a virtual minute at most.
func meet(t *testing.T, client, server *end, toServer, toClient carrier) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a, b := net.Pipe()
		c, d := net.Pipe()
		stop := context.AfterFunc(ctx, func() {
			for _, conn := range []net.Conn{a, b, c, d} {
				conn.Close()
			}
		})
		defer stop()
		done := make(chan struct{})
		for _, f := range []func(){
			func() { client.run(ctx, a) },
			func() { server.run(ctx, d) },
			func() { toServer.carry(b, c) },
			func() { toClient.carry(c, b) },
		} {
			go func() {
				defer func() { done <- struct{}{} }()
				f()
			}()
		}
		for range 4 {
			<-done
		}
	})
}

// TestSession: two ends come together and exchange messages; what passes in between tells nothing of them.
func TestSession(t *testing.T) {
	client, server := clientEnd(), serverEnd()
	var toServer, toClient middle
	meet(t, client, server, &toServer, &toClient)
	for _, e := range []*end{client, server} {
		if e.err != nil || e.s.Mechanism != "CURVE" || e.s.Version.Minor != 1 || e.s.PeerType != zmtp.Dealer {
			t.Fatalf("%+v, %v", e.s, e.err)
		}
	}
	if !slices.EqualFunc(server.got, client.send, bytes.Equal) || !slices.EqualFunc(client.got, server.send, bytes.Equal) {
		t.Errorf("the server has %q, the client %q", server.got, client.got)
	}
	mine := clientKey.Public()
	for _, secret := range [][]byte{
		[]byte("from the"), []byte("DEALER"), []byte("Socket-Type"), mine[:], clientKey[:], serverKey[:],
	} {
		if bytes.Contains(toServer.said, secret) || bytes.Contains(toClient.said, secret) {
			t.Errorf("%q can be read in between", secret)
		}
	}
}

// TestBytesFlipped: whatever byte of a connection somebody in between changes, no side receives anything that the
// other has not sent, in its order, and nothing from that byte on. The bytes that no box protects are those of the
// greeting and of the frames' flags: of them some mean nothing, and the minor version can be made another.
func TestBytesFlipped(t *testing.T) {
	var toServer, toClient middle
	meet(t, clientEnd(), serverEnd(), &toServer, &toClient)
	for _, way := range []struct {
		name     string
		said     []byte
		byServer bool
	}{{"to the server", toServer.said, false}, {"to the client", toClient.said, true}} {
		free, frames := unprotected(t, way.said)
		for at := range way.said {
			if !frames[at] && at%16 > 0 && (!free[at] || 12 < at && at < zmtp.GreetingSize) {
				continue // TestCommandsTampered and TestMessageTampered change each byte of what is in a frame
			}
			client, server := clientEnd(), serverEnd()
			flip := &middle{alter: func(i int, b byte) byte {
				if i == at {
					b ^= 1 << (at % 8)
				}
				return b
			}}
			from, to := client, server
			if way.byServer {
				from, to = server, client
				meet(t, client, server, new(middle), flip)
			} else {
				meet(t, client, server, flip, new(middle))
			}
			what := fmt.Sprintf("%s, byte %d", way.name, at)
			if free[at] {
				if !isPrefix(to.got, from.send) || !isPrefix(from.got, to.send) {
					t.Errorf("%s: received %q and %q", what, to.got, from.got)
				}
				continue
			}
			if len(to.got) >= len(from.send) || !isPrefix(to.got, from.send) || !isPrefix(from.got, to.send) {
				t.Errorf("%s: received %q", what, to.got)
			}
			if to.err == nil && to.s == nil || to.err != nil && len(to.got) > 0 {
				t.Errorf("%s: %v, and received %q", what, to.err, to.got)
			}
		}
	}
}

func isPrefix(got, want [][]byte) bool {
	return len(got) <= len(want) && slices.EqualFunc(got, want[:len(got)], bytes.Equal)
}

// unprotected tells which bytes of what one side says are in no box: the greeting's, and the first of each frame; and
// which others are in a frame's header.
func unprotected(t *testing.T, said []byte) (free, frames map[int]bool) {
	free, frames = map[int]bool{}, map[int]bool{}
	for i := range zmtp.GreetingSize {
		free[i] = true
	}
	for at := zmtp.GreetingSize; at < len(said); {
		free[at] = true
		h, n, err := zmtp.ParseHeader(said[at:])
		if err != nil || n == 0 {
			t.Fatalf("no frame at %d", at)
		}
		for i := range n - 1 {
			frames[at+1+i] = true
		}
		at += n + int(h.Size)
	}
	return free, frames
}

// TestRecordedSession: what one side has said on a connection, said again byte for byte on another, brings nothing, and
// the peer it was played to takes the next good one.
func TestRecordedSession(t *testing.T) {
	var toServer, toClient middle
	meet(t, clientEnd(), serverEnd(), &toServer, &toClient)
	for _, tt := range []struct {
		name string
		said []byte
		to   *end
	}{
		{"client's to the server", toServer.said, serverEnd()},
		{"server's to a client", toClient.said, clientEnd()},
		{"server's to the server", toClient.said, serverEnd()},
		{"client's to a client", toServer.said, clientEnd()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				ours, theirs := net.Pipe()
				go func() {
					_, _ = theirs.Write(tt.said)
				}()
				go func() { // reads and does not answer
					var b [100]byte
					for {
						if _, err := theirs.Read(b[:]); err != nil {
							return
						}
					}
				}()
				tt.to.run(ctx, ours)
				theirs.Close()
				if tt.to.err == nil || len(tt.to.got) > 0 {
					t.Errorf("%v, received %q", tt.to.err, tt.to.got)
				}
			})
		})
	}
	client, server := clientEnd(), serverEnd()
	meet(t, client, server, new(middle), new(middle))
	if client.err != nil || server.err != nil || len(server.got) != 3 {
		t.Errorf("afterwards: %v, %v, received %q", client.err, server.err, server.got)
	}
}

// TestCVE_2014_7202: a peer of an old version, or of another mechanism, does not get past CURVE, whatever it sends
// behind that (CVE-2014-9721 is the same hole once more).
func TestCVE_2014_7202(t *testing.T) {
	null := zmtp.AppendReady(zmtp.AppendGreeting(nil, zmtp.Greeting{}), zmtp.Metadata{
		{Name: zmtp.PropertySocketType, Value: []byte("DEALER")},
	})
	old := func(revision byte) []byte {
		return append([]byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, revision, 5, 0, 0}, "\x00\x05money"...)
	}
	plain := zmtp.AppendGreeting(nil, zmtp.Greeting{Mechanism: "PLAIN"})
	for name, in := range map[string][]byte{
		"ZMTP 1.0, anonymous": []byte("\x01\x00\x06\x00money"),
		"ZMTP 1.0":            old(0),
		"ZMTP 2.0":            old(1),
		"ZMTP 2.1":            old(2),
		"NULL":                append(bytes.Clone(null), "\x00\x05money"...),
		"PLAIN":               zmtp.AppendCommand(plain, "HELLO", []byte{0, 0}),
		"READY at once": zmtp.AppendCommand(zmtp.AppendGreeting(nil, zmtp.Greeting{Mechanism: "CURVE"}), "READY",
			pushMetadata),
		"a message at once": append(zmtp.AppendGreeting(nil, zmtp.Greeting{Mechanism: "CURVE"}), "\x00\x05money"...),
	} {
		for _, e := range []*end{clientEnd(), serverEnd()} {
			rw := &script{}
			rw.in.Write(in)
			s, err := zmtp.Handshake(t.Context(), rw, e.cfg)
			if s != nil || !slices.ContainsFunc([]error{zmtp.ErrVersion, zmtp.ErrMechanism, zmtp.ErrMalformed},
				func(want error) bool { return errors.Is(err, want) }) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestCVE_2019_13132: metadata of any length, from a client that proves to have a key or from a server, is taken up to
// the limit on commands and refused above it, by its header alone; libzmq had 256 bytes for it.
func TestCVE_2019_13132(t *testing.T) {
	for _, tt := range []struct {
		size int // of all metadata
		ok   bool
	}{
		{200, true},
		{256, true},
		{257, true},
		{1000, true},
		{4096 - 8 - 1 - 248, true},
		{4096 - 8 - 1 - 247, false},
		{100_000, false},
	} {
		property := func(socketType string) zmtp.Metadata {
			return zmtp.Metadata{{Name: "X-Long", Value: make([]byte, tt.size-socketTypeSize(socketType)-11)}}
		}
		for _, byServer := range []bool{false, true} {
			client, server := clientEnd(), serverEnd()
			client.cfg.SocketType, server.cfg.SocketType = zmtp.Push, zmtp.Pull
			if byServer {
				server.cfg.Properties = property("PULL")
			} else {
				client.cfg.Properties = property("PUSH")
			}
			server.send = nil
			meet(t, client, server, new(middle), new(middle))
			from, to := client, server
			if byServer {
				from, to = server, client
			}
			limit := tt.ok || byServer && tt.size < 4096-5-1-24
			if limit && (to.err != nil || len(server.got) != 3) || !limit && !errors.Is(to.err, zmtp.ErrTooLarge) {
				t.Errorf("%d bytes by the server (%t): %v and %v", tt.size, byServer, to.err, from.err)
			}
		}
	}
}

func socketTypeSize(s string) int { return 1 + len("Socket-Type") + 4 + len(s) }

// TestManyClients: one mechanism serves many connections at once.
func TestManyClients(t *testing.T) {
	m := Server(serverKey, Anyone)
	done := make(chan error)
	const n = 16
	for range n {
		go func() {
			a, b := net.Pipe()
			client, server := clientEnd(), serverEnd()
			server.cfg.Mechanism = m
			other := make(chan struct{})
			go func() {
				defer close(other)
				server.run(context.Background(), b) //nolint:usetesting // the pipe ends it
			}()
			s, err := zmtp.Handshake(context.Background(), a, client.cfg) //nolint:usetesting // likewise
			if err == nil {
				_, err = a.Write(s.Sealer.Seal(nil, 0, []byte("here")))
			}
			a.Close()
			<-other
			if err == nil && !slices.EqualFunc(server.got, [][]byte{[]byte("here")}, bytes.Equal) {
				err = fmt.Errorf("received %q, %w", server.got, server.err)
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
