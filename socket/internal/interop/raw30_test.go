//go:build unix

package interop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A raw30 is a peer that announces ZMTP 3.0 and shows every frame, as libzmq up to 4.3.2 and go-zeromq would get it.
type raw30 struct {
	t    *testing.T
	conn net.Conn
}

// A frame is what a raw30 sees.
type frame struct {
	flags byte
	body  string
}

// String names the flags, which a test may have wrong by one bit.
func (f frame) String() string {
	var flags []string
	for bit, name := range map[byte]string{zmtp.FlagMore: "more", zmtp.FlagLong: "long", zmtp.FlagCommand: "command"} {
		if f.flags&bit != 0 {
			flags = append(flags, name)
		}
	}
	return fmt.Sprintf("[%s] %.40q (%d bytes)", strings.Join(flags, " "), f.body, len(f.body))
}

// dialRaw30 connects to a socket of ours and greets it.
func dialRaw30(t *testing.T, endpoint string, typ zmtp.SocketType) *raw30 {
	t.Helper()
	scheme, address, _ := strings.Cut(endpoint, "://")
	conn, err := net.Dial(network(scheme), address)
	if err != nil {
		t.Fatal(err)
	}
	return greetRaw30(t, conn, typ)
}

// listenRaw30 listens for a socket of ours. accept takes in the first that connects and greets it.
func listenRaw30(t *testing.T, transport string, typ zmtp.SocketType) (endpoint string, accept func() *raw30) {
	t.Helper()
	address := "127.0.0.1:0"
	if transport == "ipc" {
		address = strings.TrimPrefix(fresh(t, transport), "ipc://")
	}
	l, err := net.Listen(network(transport), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return transport + "://" + l.Addr().String(), func() *raw30 {
		t.Helper()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return greetRaw30(t, conn, typ)
	}
}

func network(scheme string) string {
	if scheme == "ipc" {
		return "unix"
	}
	return scheme
}

func greetRaw30(t *testing.T, conn net.Conn, typ zmtp.SocketType) *raw30 {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	r := &raw30{t, conn}
	r.write(zmtp.AppendGreeting(nil, zmtp.Greeting{Version: zmtp.Version{Major: 3}, Mechanism: "NULL"}))
	theirs := r.read(zmtp.GreetingSize)
	if _, err := zmtp.ParseGreeting(theirs); err != nil {
		t.Fatal(err)
	}
	r.write(zmtp.AppendReady(nil, zmtp.Metadata{{Name: "Socket-Type", Value: []byte(typ)}}))
	if f := r.next(); f.flags&zmtp.FlagCommand == 0 || !strings.HasPrefix(f.body, "\x05READY") {
		t.Fatalf("the first frame is %v; want READY", f)
	}
	return r
}

func (r *raw30) write(b []byte) {
	r.t.Helper()
	r.deadline(patience)
	if _, err := r.conn.Write(b); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw30) deadline(d time.Duration) {
	r.t.Helper()
	if err := r.conn.SetDeadline(time.Now().Add(d)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw30) read(n int) []byte {
	r.t.Helper()
	r.deadline(patience)
	b := make([]byte, n)
	if _, err := io.ReadFull(r.conn, b); err != nil {
		r.t.Fatal(err)
	}
	return b
}

// next reads one frame.
func (r *raw30) next() frame {
	r.t.Helper()
	head := r.read(2)
	if head[0]&zmtp.FlagLong != 0 {
		head = append(head, r.read(7)...)
	}
	h, n, err := zmtp.ParseHeader(head)
	if err != nil || n != len(head) {
		r.t.Fatalf("header % x: %d bytes of it used, %v", head, n, err)
	}
	return frame{head[0], string(r.read(int(h.Size)))}
}

// send writes one message of one frame.
func (r *raw30) send(body string) {
	r.t.Helper()
	r.write(append(zmtp.AppendHeader(nil, 0, len(body)), body...))
}

// silent fails the test if anything comes within d.
func (r *raw30) silent(d time.Duration) {
	r.t.Helper()
	r.deadline(d)
	b := make([]byte, 64)
	switch n, err := r.conn.Read(b); {
	case n > 0:
		r.t.Errorf("got % x; want nothing", b[:n])
	case !errors.Is(err, os.ErrDeadlineExceeded):
		r.t.Errorf("the connection ended: %v", err)
	}
}
