package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

func TestOpError(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}
	refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
	for _, tc := range []struct {
		name, endpoint     string
		cause              error
		want               string
		timeout, temporary bool
	}{
		{"plain", "inproc://a", errors.New("no"), "transport: dial inproc://a: no", false, false},
		{
			"address said already", "tcp://192.0.2.1:5", &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: refused},
			"transport: dial tcp://192.0.2.1:5: " + refused.Error(), false, false,
		},
		{
			"address behind a name", "tcp://host:5", &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: refused},
			"transport: dial tcp://host:5: 192.0.2.1:5: " + refused.Error(), false, false,
		},
		{
			"no address", "tcp://host:5", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no such host")},
			"transport: dial tcp://host:5: no such host", false, false,
		},
		{
			"timeout", "inproc://a", context.DeadlineExceeded, "transport: dial inproc://a: context deadline exceeded", true,
			true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := &OpError{Op: "dial", Endpoint: tc.endpoint, Err: tc.cause}
			if err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if err.Timeout() != tc.timeout || err.Temporary() != tc.temporary {
				t.Errorf("timeout %t, temporary %t", err.Timeout(), err.Temporary())
			}
			if !errors.Is(err, tc.cause) {
				t.Error("the cause is lost")
			}
		})
	}
	var _ net.Error = (*OpError)(nil)
}
