package transport

import (
	"net"
	"syscall"
	"testing"
	"time"
)

func TestTCPSocketOptions(t *testing.T) {
	for _, tc := range []struct {
		name                         string
		tr                           *TCP
		on, idle, interval, unanswer int
	}{
		{"default", NewTCP(), 1, 15, 15, 9},
		{"set", &TCP{KeepAliveIdle: 40 * time.Second, KeepAliveInterval: 5 * time.Second, KeepAliveCount: 3}, 1, 40, 5, 3},
		{"off", &TCP{KeepAliveIdle: -1}, 0, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, server := pair(t, tc.tr, "127.0.0.1:0")
			for end, c := range map[string]net.Conn{"client": client, "server": server} {
				check := func(what string, level, option, want int) {
					t.Helper()
					raw, err := c.(syscall.Conn).SyscallConn()
					if err != nil {
						t.Fatal(err)
					}
					var got int
					if cerr := raw.Control(func(fd uintptr) {
						got, err = syscall.GetsockoptInt(int(fd), level, option)
					}); cerr != nil || err != nil {
						t.Fatal(cerr, err)
					}
					if got != want {
						t.Errorf("%s: %s is %d, want %d", end, what, got, want)
					}
				}
				check("no delay", syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
				check("keep-alive", syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, tc.on)
				check("protocol (not MPTCP)", syscall.SOL_SOCKET, syscall.SO_PROTOCOL, syscall.IPPROTO_TCP)
				if tc.on == 1 {
					check("idle", syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, tc.idle)
					check("interval", syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, tc.interval)
					check("count", syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, tc.unanswer)
				}
			}
		})
	}
}
