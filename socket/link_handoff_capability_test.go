package socket

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// The wire package may not import transport, so each has an interface of its own for a read into two buffers. That
// these lines compile shows that they are the same.
var (
	_ = func(r transport.TwoReader) zmtp.TwoReader { return r }
	_ = func(r zmtp.TwoReader) transport.TwoReader { return r }
)

// lesser is a transport whose accepted connections can do less than they could.
type lesser struct {
	transport.Transport
	wrap func(net.Conn) net.Conn
}

type lesserListener struct {
	transport.Listener
	wrap func(net.Conn) net.Conn
}

func (l lesser) Listen(ctx context.Context, address string) (transport.Listener, error) {
	ln, err := l.Transport.Listen(ctx, address)
	return lesserListener{ln, l.wrap}, err
}

func (l lesserListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(conn), nil
}

// TestHandoffCapability: whether receivers read a connection depends on whether a read of it can be ended, and not on
// how it is written.
func TestHandoffCapability(t *testing.T) {
	for _, tt := range []struct {
		name string
		wrap func(net.Conn) net.Conn
		want bool
	}{
		{"all", func(c net.Conn) net.Conn { return c }, true},
		{"reads can be ended", func(c net.Conn) net.Conn {
			return struct {
				net.Conn
				transport.ReadCanceler
			}{c, c.(transport.ReadCanceler)}
		}, true},
		{"writes can be tried", func(c net.Conn) net.Conn {
			return struct {
				net.Conn
				transport.TryWriter
			}{c, c.(transport.TryWriter)}
		}, false},
		{"neither", func(c net.Conn) net.Conn { return struct{ net.Conn }{c} }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			handingOff(t, nil, func(d *duo) {
				pull := NewPull(WithTransport(lesser{d.net.Host("other"), tt.wrap}))
				pull.in.onHandoff = d.follow
				_, err := pull.Bind(d.t.Context(), "sim://other")
				must(d.t, err)
				push := d.another("cli2")
				must(d.t, errors.Join(push.Connect("sim://other"), push.WaitPeers(d.t.Context(), 1)))
				before := d.handoffs()
				for range 5 {
					d.send(push, "x")
					_, err := pull.Recv(d.t.Context())
					must(d.t, err)
				}
				if got := d.handoffs() > before; got != tt.want {
					t.Errorf("receivers read: %t, want %t", got, tt.want)
				}
				must(d.t, errors.Join(push.Close(), pull.Close()))
			})
		})
	}
}
