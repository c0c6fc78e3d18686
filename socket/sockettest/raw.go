package sockettest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A raw is a peer that the suite plays itself, byte by byte. It connects to a bound local socket.
type raw struct {
	net.Conn
	p   *pairing
	buf []byte // read and not yet taken
}

var (
	zmtp30 = zmtp.Version{Major: 3, Minor: 0}
	zmtp31 = zmtp.Version{Major: 3, Minor: 1}
)

// dial connects without a word.
func (p *pairing) dial(endpoint string) *raw {
	p.Helper()
	conn, err := p.f.Dial(p.soon(), endpoint)
	if err != nil {
		p.Fatalf("raw peer: dial %s: %v", endpoint, err)
	}
	p.Cleanup(func() { conn.Close() })
	return &raw{Conn: conn, p: p}
}

// greeted connects and completes the handshake as a socket of the given type.
func (p *pairing) greeted(endpoint, role string, v zmtp.Version, more ...zmtp.Property) *raw {
	p.Helper()
	r := p.dial(endpoint)
	r.write(greeting(v), ready(role, more...))
	if _, err := zmtp.ParseGreeting(r.take(zmtp.GreetingSize)); err != nil {
		p.Fatalf("raw peer: %v", err)
	}
	if name, _ := r.command(); name != zmtp.CommandReady {
		p.Fatalf("raw peer: the first command is %s, want READY", name)
	}
	return r
}

func greeting(v zmtp.Version) []byte { return zmtp.AppendGreeting(nil, zmtp.Greeting{Version: v}) }

func ready(role string, more ...zmtp.Property) []byte {
	return zmtp.AppendReady(nil, append(zmtp.Metadata{{Name: zmtp.PropertySocketType, Value: []byte(role)}}, more...))
}

// frames encodes one message.
func frames(ff ...string) (b []byte) {
	for i, f := range ff {
		flags := byte(zmtp.FlagMore)
		if i == len(ff)-1 {
			flags = 0
		}
		b = append(zmtp.AppendHeader(b, flags, len(f)), f...)
	}
	return b
}

// more encodes frames of a message that goes on.
func more(ff ...string) (b []byte) {
	for _, f := range ff {
		b = append(zmtp.AppendHeader(b, zmtp.FlagMore, len(f)), f...)
	}
	return b
}

// write sends bytes. That the socket may have hung up already is for the test to find out.
func (r *raw) write(parts ...[]byte) {
	r.p.Helper()
	_ = r.SetWriteDeadline(time.Now().Add(r.p.patience))
	if _, err := r.Write(bytes.Join(parts, nil)); errors.Is(err, errTimeout) {
		r.p.Fatalf("raw peer: the socket does not read: %v", err)
	}
}

// take reads exactly n bytes.
func (r *raw) take(n int) []byte {
	r.p.Helper()
	_ = r.SetReadDeadline(time.Now().Add(r.p.patience))
	for len(r.buf) < n {
		b := make([]byte, 4096)
		k, err := r.Read(b)
		r.buf = append(r.buf, b[:k]...)
		if err != nil && len(r.buf) < n {
			r.p.Fatalf("raw peer: read: %v; got %d bytes: % x", err, len(r.buf), r.buf[:min(64, len(r.buf))])
		}
	}
	b := r.buf[:n]
	r.buf = r.buf[n:]
	return b
}

// frame reads one frame.
func (r *raw) frame() (h zmtp.Header, body []byte) {
	r.p.Helper()
	head := r.take(2)
	if head[0]&zmtp.FlagLong != 0 {
		head = append(bytes.Clone(head), r.take(zmtp.MaxHeaderSize-2)...)
	}
	h, n, err := zmtp.ParseHeader(head)
	if err != nil || n != len(head) {
		r.p.Fatalf("raw peer: header % x: %v", head, err)
	}
	return h, r.take(int(h.Size))
}

// command reads one frame, which must be a command.
func (r *raw) command() (name string, data []byte) {
	r.p.Helper()
	h, body := r.frame()
	if !h.Command() {
		r.p.Fatalf("raw peer: got the message frame %.40q, want a command", body)
	}
	name, data, err := zmtp.ParseCommand(body)
	if err != nil {
		r.p.Fatalf("raw peer: %v", err)
	}
	return name, data
}

// awaitCommand reads on to the next command of a given name. A PING on the way is answered.
func (r *raw) awaitCommand(name string) (data []byte) {
	r.p.Helper()
	for {
		h, body := r.frame()
		if !h.Command() {
			continue
		}
		n, data, err := zmtp.ParseCommand(body)
		if err != nil {
			r.p.Fatalf("raw peer: %v", err)
		}
		if n == name {
			return data
		}
		if n == zmtp.CommandPing {
			r.write(zmtp.AppendPong(nil, nil))
		}
	}
}

// message reads one message frame, past commands.
func (r *raw) message() (body string) {
	r.p.Helper()
	for {
		h, b := r.frame()
		if !h.Command() {
			return string(b)
		}
	}
}

// refused reads until the socket has hung up.
func (r *raw) refused(why string) {
	r.p.Helper()
	_ = r.SetReadDeadline(time.Now().Add(r.p.patience))
	if _, err := io.Copy(io.Discard, r); errors.Is(err, errTimeout) {
		r.p.Fatalf("%s: the socket does not hang up", why)
	}
}

// bye closes the connection.
func (r *raw) bye() { r.Close() }
