package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

func TestCauses(t *testing.T) {
	dial := func(err error) error {
		return &transport.OpError{Op: "dial", Endpoint: "tcp://10.0.0.9:1", Err: &net.OpError{Op: "dial", Err: err}}
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, ""},
		{"refused", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), causeRefused},
		{"no route", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), causeUnreachable},
		{"no network", dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), causeUnreachable},
		{"timed out", dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), causeTimeout},
		{"too slow", fmt.Errorf("handshake: %w", socket.ErrTimeout), causeTimeout},
		{"deadline", context.DeadlineExceeded, causeTimeout},
		{"i/o timeout", os.ErrDeadlineExceeded, causeTimeout},
		{"silence", socket.ErrHeartbeat, causeTimeout},
		{"no such host", dial(&net.DNSError{Name: "nosuch.invalid", IsNotFound: true}), causeDNS},
		{"name server", dial(&net.DNSError{Name: "nosuch.invalid", IsTimeout: true}), causeDNS},
		{"another type", &zmtp.SocketTypeError{Ours: "SUB", Peer: "PULL"}, causeType},
		{"another program", zmtp.ErrNotZMTP, causeHandshake},
		{"an old ZeroMQ", zmtp.ErrVersion, causeHandshake},
		{"another node", socket.ErrWrongNode, causeHandshake},
		{"another mechanism", zmtp.ErrMechanism, causeSecurity},
		{"refused by the peer", &zmtp.RefusedError{}, causeSecurity},
		{"denied", socket.ErrDenied, causeSecurity},
		{"closed", io.EOF, causeOther},
		{"unknown", errors.New("x"), causeOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := causeOf(c.err); got != c.want {
				t.Errorf("%v is %q, want %q", c.err, got, c.want)
			}
		})
	}
}
