package zmqcompat_test

import (
	"fmt"
	"net"
	"testing"

	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
)

// Programs write fmt.Sprintf("tcp://[%s]:%s", host, port), to be right for IPv6 too; the original takes that for any
// host.
func TestBracketsAroundAnyHost(t *testing.T) {
	for _, tc := range []struct{ listen, dial string }{
		{"[127.0.0.1]:0", "[127.0.0.1]"},
		{"[0.0.0.0]:*", "[0.0.0.0]"},
		{"[localhost]:*", "[localhost]"},
		{"[*]:*", "[*]"},
		{"[*]:", "[127.0.0.1]"},
	} {
		t.Run(tc.listen, func(t *testing.T) {
			for name, push := range map[string]maker{"ours": ours(zmq4.Push), "the original": theirs(zmq4.Push)} {
				pull := ours(zmq4.Pull)(t)
				if err := pull.Listen("tcp://" + tc.listen); err != nil {
					t.Fatal(err)
				}
				s := push(t)
				if err := s.Dial(fmt.Sprintf("tcp://%s:%d", tc.dial, pull.Addr().(*net.TCPAddr).Port)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if err := s.Send(zmq4.NewMsgString("hello")); err != nil {
					t.Fatal(err)
				}
				if m, err := pull.Recv(); err != nil || string(m.Bytes()) != "hello" {
					t.Fatalf("%s: received %v, %v", name, m, err)
				}
			}
		})
	}
}
