package socket_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// A halfTransport is tcp until it is armed. Then what is written goes nowhere, and what is read is the same messages
// over and over, so that a benchmark sees one side alone and no kernel.
type halfTransport struct {
	*transport.TCP
	armed atomic.Bool
	wire  []byte
}

func (h *halfTransport) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := h.TCP.Dial(ctx, address)
	return &halfConn{Conn: conn, h: h}, err
}

type halfConn struct {
	net.Conn
	h  *halfTransport
	at int
}

func (c *halfConn) Write(b []byte) (int, error) {
	if c.h.armed.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *halfConn) Read(b []byte) (int, error) {
	if !c.h.armed.Load() || c.h.wire == nil {
		return c.Conn.Read(b)
	}
	n := 0
	if err := c.SetReadDeadline(time.Time{}); err != nil { // it is closed
		return 0, err
	}
	for n < len(b) {
		k := copy(b[n:], c.h.wire[c.at:])
		n += k
		c.at = (c.at + k) % len(c.h.wire)
	}
	return n, nil
}

// BenchmarkSend is what a Push spends on a message, and its writer, up to the kernel.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{16, 100, 1024, 65536} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			h := &halfTransport{TCP: transport.NewTCP()}
			push, pull := socket.NewPush(socket.WithTransport(h)), socket.NewPull()
			defer push.Close()
			defer pull.Close()
			link(b, pull, push, "tcp://127.0.0.1:*")
			h.armed.Store(true)
			ctx, m := b.Context(), socket.NewMsg(make([]byte, size))
			b.ReportAllocs()
			for b.Loop() {
				if err := push.Send(ctx, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRecv is what a Pull spends on a message, from the kernel on.
func BenchmarkRecv(b *testing.B) {
	for _, size := range []int{16, 100, 1024, 65536} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchRecv(b, size, false) })
	}
	b.Run("65536/released", func(b *testing.B) { benchRecv(b, 65536, true) })
}

func benchRecv(b *testing.B, size int, release bool) {
	frame := append(zmtp.AppendHeader(nil, 0, size), make([]byte, size)...)
	h := &halfTransport{TCP: transport.NewTCP(), wire: bytes.Repeat(frame, 1+(64<<10)/size)}
	pull, push := socket.NewPull(socket.WithTransport(h)), socket.NewPush()
	defer push.Close()
	defer pull.Close()
	link(b, push, pull, "tcp://127.0.0.1:*")
	h.armed.Store(true)
	must(b, push.TrySend(socket.Text("go"))) // ends the read that waits
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		m, err := pull.Recv(ctx)
		must(b, err)
		if release {
			m.Release()
		}
	}
}
