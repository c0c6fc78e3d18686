package socket_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A hostile is one way to misbehave: bytes instead of a greeting, after the greeting, or after READY.
type hostile struct {
	name  string
	stage stage
	bytes []byte
	want  refusal
}

type stage int

const (
	first stage = iota // instead of the greeting
	greeted
	ready
)

var (
	failed    = socket.HandshakeFailed
	malformed = refusal{failed, zmtp.ErrMalformed, ""}
)

func (r refusal) saying(text string) refusal {
	r.text = text
	return r
}

// hostiles are the cases that mean the same to every role. peer is a type that the role accepts.
func hostiles(own, peer string) (all []hostile) {
	add := func(at stage, name string, b []byte, want refusal) {
		all = append(all, hostile{name, at, b, want})
	}
	stranger := refusal{failed, zmtp.ErrNotZMTP, ""}
	version := refusal{failed, zmtp.ErrVersion, ""}
	add(first, "HTTP", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), stranger.saying("HTTP"))
	add(first, "HTTP answer", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), stranger.saying("HTTP"))
	add(first, "TLS hello", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), stranger.saying("TLS"))
	add(first, "SSH banner", []byte("SSH-2.0-OpenSSH_9.9\r\n"), stranger.saying("SSH"))
	add(first, "zeros", make([]byte, 64), stranger)
	add(first, "signature that ends wrong", append([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1}, 0x7e), stranger)
	add(first, "ZMTP 1, anonymous", []byte{0x01, 0x00}, version.saying("ZMTP 1"))
	add(first, "ZMTP 1, with an identity", []byte("\x04\x00abc"), version.saying("ZMTP 1"))
	add(first, "ZMTP 2, PULL", []byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 7, 0, 0}, version.saying("ZMTP 2"))
	add(first, "signature alone, then the end", []byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f},
		refusal{failed, nil, "greeting"})
	for _, m := range []string{"PLAIN", "CURVE", "GSSAPI", "NULLX"} {
		add(first, "mechanism "+m, greetingOf(m), refusal{failed, zmtp.ErrMechanism, m})
	}
	add(first, "mechanism in small letters", greetingOf("null"), malformed.saying("mechanism"))
	add(first, "no mechanism", greetingOf(""), malformed.saying("mechanism"))

	// Lengths that lie, before READY: refused by the header alone.
	command, message := byte(zmtp.FlagCommand), byte(0)
	large := refusal{failed, zmtp.ErrTooLarge, "limit is 4096"}
	for _, size := range liesBig {
		add(greeted, "command of "+size.name+" before READY", claim(command, size.n), large)
		add(greeted, "message of "+size.name+" before READY", claim(message, size.n), malformed.saying("message came first"))
	}
	for _, flags := range []byte{command, message} {
		add(greeted, "size of 2^64-1 before READY", claim(flags, 1<<64-1), malformed.saying("2^63-1"))
		add(greeted, "size of 2^63 before READY", claim(flags, 1<<63), malformed.saying("2^63-1"))
	}
	add(greeted, "command of 4097 bytes", claim(command, 4097), large)
	add(greeted, "short message before READY", []byte("\x00\xff"), malformed.saying("message came first"))
	add(greeted, "short READY that ends early", []byte("\x04\xff\x05READY"), refusal{failed, nil, "READY"})
	add(greeted, "READY over the metadata limit", readyOf(peer, zmtp.Property{Name: "X-Long", Value: make([]byte, 5000)}),
		large)

	// READY and what may be wrong with it.
	kind := refusal{failed, zmtp.ErrSocketType, ""}
	for _, typ := range []string{
		"STREAM", "CLIENT", "SERVER", "DISH", "RADIO", "PEER", "CHANNEL", "pull", strings.Repeat("A", 255), "\x00",
		peer + "\x00", own, "PAIR",
	} {
		if zmtp.SocketType(own).Accepts(zmtp.SocketType(typ)) {
			continue
		}
		add(greeted, "Socket-Type "+shorten(typ), readyOf(typ), kind.saying(own))
	}
	add(greeted, "Socket-Type empty", readyOf(""), kind.saying("gave none"))
	add(greeted, "Socket-Type missing", zmtp.AppendReady(nil, zmtp.Metadata{{Name: "X-Other", Value: []byte(peer)}}),
		kind.saying("gave none"))
	add(greeted, "READY without properties", zmtp.AppendReady(nil, nil), kind.saying("gave none"))
	whole := zmtp.AppendMetadata(nil, zmtp.Metadata{{Name: "Socket-Type", Value: []byte(peer)}})
	for n := 1; n < len(whole); n++ {
		add(greeted, "property cut short", zmtp.AppendCommand(nil, "READY", whole[:n]), malformed.saying("metadata"))
	}
	for _, tail := range []string{
		"\x00", "\x01", "\x01A\x00\x00\x00", "\x01A\xff\xff\xff\xff", "\x01A\x80\x00\x00\x00", "\x01A\x00\x00\x00\x02B",
		"\xffA",
	} {
		add(greeted, "second property cut short", zmtp.AppendCommand(nil, "READY", whole, []byte(tail)),
			malformed.saying("metadata"))
	}
	add(greeted, "identity of 256 bytes", readyOf(peer, zmtp.Property{Name: "Identity", Value: make([]byte, 256)}),
		malformed.saying("identity"))
	add(greeted, "another command first", zmtp.AppendPing(nil, 0, nil), malformed.saying("PING"))
	add(greeted, "command without a name", frameOf(command, "\x00"), malformed)
	add(greeted, "command without a body", frameOf(command, ""), malformed)
	add(greeted, "ERROR", zmtp.AppendError(nil, "go\naway"), refusal{failed, zmtp.ErrRefused, `go\naway`})
	add(greeted, "ERROR cut short", frameOf(command, "\x05ERROR\x09go"), malformed)

	// After READY.
	broken := refusal{socket.ProtocolError, zmtp.ErrMalformed, ""}
	limit := refusal{socket.LimitHit, zmtp.ErrTooLarge, "limit"}
	for _, flags := range []byte{command, message, zmtp.FlagMore, zmtp.FlagMore | command} {
		add(ready, "size of 2^64-1", claim(flags, 1<<64-1), broken.saying("2^63-1"))
		add(ready, "size of 2^63", claim(flags, 1<<63), broken.saying("2^63-1"))
		for _, size := range liesBig {
			add(ready, "size of "+size.name, claim(flags, size.n), limit)
		}
	}
	add(ready, "message one byte over the limit", claim(message, 64<<20+1), limit.saying("67108864"))
	add(ready, "second frame over the limit", append(messageOf("", "")[:2], claim(message, 64<<20+1)...), limit)
	add(ready, "sum of frames over the limit", append(frameOf(zmtp.FlagMore, "x"), claim(message, 64<<20)...), limit)
	add(ready, "sum of frames that would wrap", append(frameOf(zmtp.FlagMore, "x"), claim(message, 1<<63-1)...), limit)
	add(ready, "command one byte over the limit", claim(command, 4097), limit.saying("4096"))
	add(ready, "endless multipart of empty frames", bytes.Repeat([]byte{zmtp.FlagMore, 0}, 1025),
		limit.saying("1024 frames"))
	add(ready, "two READYs", readyOf(peer), refusal{socket.ProtocolError, socket.ErrProtocol, "second READY"})
	add(ready, "ERROR after READY", zmtp.AppendError(nil, "bad\x1b[2J"),
		refusal{socket.ProtocolError, socket.ErrProtocol, `bad\x1b[2J`})
	add(ready, "malformed ERROR after READY", frameOf(command, "\x05ERROR\x09go"), broken)
	add(ready, "command with an empty name", frameOf(command, "\x00PING"), broken)
	add(ready, "command whose name is cut short", frameOf(command, "\x09PING"), broken)
	// A PING whose body has every length below the seven it needs. No body at all is read as the long header that
	// libzmq 4.3.4 forgets to flag, so that more must follow to tell.
	for n := 1; n < 7; n++ {
		add(ready, "short PING", frameOf(command, "\x04PING\x00\x00"[:n]), broken)
	}
	add(ready, "PING without a body, then zeros", append(frameOf(command, ""), make([]byte, 7)...), broken)
	add(ready, "PING without a body, then a message", append(frameOf(command, ""), messageOf("hello", "")...), broken)
	add(ready, "PING without a body, then the end", frameOf(command, ""), refusal{socket.PeerDown, nil, "closed"})
	return all
}

// liesBig are sizes over every limit that fit 63 bits.
var liesBig = []struct {
	name string
	n    uint64
}{
	{"2^63-1", 1<<63 - 1},
	{"2^62", 1 << 62},
	{"2^50", 1 << 50},
	{"2^32", 1 << 32},
	{"2^32-1", 1<<32 - 1},
	{"2^31", 1 << 31},
	{"2^30", 1 << 30},
}

func shorten(s string) string { return s[:min(len(s), 16)] }

// play sends the bytes of a case at its stage; after bytes that leave something open the peer's half is closed.
func (h hostile) play(r *raw, peer string) {
	r.t.Helper()
	switch h.stage {
	case first:
		r.send(h.bytes)
	case greeted:
		r.send(greeting(3, 1), h.bytes)
	case ready:
		r.shake(peer)
		r.send(h.bytes)
	}
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // fails if the socket has hung up already
	}
	r.ended()
}

// TestHostileBound plays every case against one bound socket of each role, on which a good peer then still talks.
func TestHostileBound(t *testing.T) {
	for _, role := range roles {
		t.Run(role.name, func(t *testing.T) {
			t.Parallel()
			s := role.open()
			defer shut(t, s)
			at, err := s.Bind(t.Context(), "tcp://127.0.0.1:0")
			must(t, err)
			good := role.good()
			defer shut(t, good)
			if role.name != "PAIR" { // which has room for one peer
				must(t, good.Connect(at))
				must(t, s.WaitPeers(within(t), 1))
			}
			for _, h := range hostiles(role.name, role.peer) {
				t.Run(h.name, func(t *testing.T) {
					r := rawDial(t, at)
					h.play(r, role.peer)
					wantRefusal(t, s, r.name(), h.want)
				})
			}
			must(t, good.Connect(at)) // changes nothing where it was done before
			must(t, s.WaitPeers(within(t), 1))
			st := s.Stats()
			if role.name == "XPUB" {
				st.Received.Messages-- // the subscription, which it shows
			}
			if len(st.Peers) != 1 || st.Received.Messages != 0 {
				t.Errorf("%d peers and %d messages are left, want the good peer alone", len(st.Peers), st.Received.Messages)
			}
			role.talk(t, s, good)
		})
	}
}

// TestHostileConnecting plays the same cases from a server that the socket connects to. It comes back after each.
func TestHostileConnecting(t *testing.T) {
	for _, role := range roles {
		t.Run(role.name, func(t *testing.T) {
			t.Parallel()
			s := role.open(socket.WithReconnect(time.Millisecond, 2*time.Millisecond))
			defer shut(t, s)
			server := rawListen(t)
			must(t, s.Connect(server.endpoint()))
			ends := endings(t, s)
			for _, h := range hostiles(role.name, role.peer) {
				t.Run(h.name, func(t *testing.T) {
					r := server.accept()
					defer r.Close()
					r.t = t
					h.play(r, role.peer)
					select {
					case ev := <-ends:
						wantEnd(t, ev, h.want)
					case <-within(t).Done():
						t.Fatal("no event")
					}
					balanced(t, s)
				})
			}
			server.Close()
			good := role.good()
			defer shut(t, good)
			at, err := good.Bind(t.Context(), "tcp://127.0.0.1:0")
			must(t, err)
			must(t, s.Connect(at))
			must(t, s.WaitPeers(within(t), 1))
			must(t, good.WaitPeers(within(t), 1))
			role.talk(t, s, good)
		})
	}
}

// endings gives the events that end connections, one after the other.
func endings(t *testing.T, s anyRole) <-chan socket.Event {
	ends := make(chan socket.Event, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ev := range s.Events(t.Context()) {
			switch ev.Kind {
			case socket.HandshakeFailed, socket.ProtocolError, socket.LimitHit, socket.PeerDown:
				select {
				case ends <- ev:
				default: // nobody looks any more
				}
			}
		}
	}()
	t.Cleanup(func() { <-done }) // the test's context has ended by then
	return ends
}
