package main

import (
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestOverflow: what becomes of lines that there is no room for.
func TestOverflow(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("x", 1<<20) + "\n" // more than a kernel takes, all together
	for _, tc := range []struct{ policy, says string }{
		{"drop-newest", "(queue full)"},
		{"drop-oldest", "(queue full)"},
		{"conflate", "(queue full)"},
		{"reject", "every queue is full; not sent"},
	} {
		t.Run(tc.policy, func(t *testing.T) {
			pull := socket.NewPull(socket.WithRecvHWM(1)) // takes in little and reads nothing
			defer pull.Close()
			at, err := pull.Bind(t.Context(), ipcEndpoint(t))
			if err != nil {
				t.Fatal(err)
			}
			push := startInput(t, strings.Repeat(line, 100), "push", "--connect", at, "--hwm", "2", "--overflow", tc.policy,
				"--linger", "100ms")
			push.exit(1) // what is left is not delivered
			push.says(tc.says)
		})
	}
}

// stuckRequester is a client that asks for much more than it will ever read.
func stuckRequester(t *testing.T, endpoint string) {
	t.Helper()
	conn := rawPeer(t, endpoint, zmtp.Config{SocketType: zmtp.Dealer})
	const size = 64 << 10
	request := append(zmtp.AppendHeader(nil, zmtp.FlagMore, 0), zmtp.AppendHeader(nil, 0, size)...)
	request = append(request, make([]byte, size)...)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := conn.Write(request); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-over
	})
}

// TestClientThatDoesNotRead: it holds up nobody else, and is told.
func TestClientThatDoesNotRead(t *testing.T) {
	ask := func(t *testing.T, at string) {
		t.Helper()
		req := startInput(t, "a\nb\n", "req", "--connect", at)
		req.exit(0)
		req.prints("a\nb\n")
	}
	for _, tc := range []struct {
		name string
		args []string
		says string
	}{
		{"by default", nil, " is too slow, dropping (--overflow block waits for it)\n"},
		{"disconnect", []string{"--overflow", "disconnect"}, " is too slow, disconnecting it (--overflow block waits"},
		{"reject", []string{"--overflow", "reject"}, "rep: socket: send: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rep := startInput(t, "", append([]string{"rep", "--bind", anyPort, "--hwm", "2", "--linger", "0"}, tc.args...)...)
			stuckRequester(t, rep.endpoint())
			rep.says(tc.says)
			ask(t, rep.endpoint())
			rep.stop()
			rep.ends() // what is left for that client is not delivered
		})
	}
	t.Run("proxy", func(t *testing.T) {
		proxy := startInput(t, "", "proxy", "--frontend", "ROUTER", anyPort, "--backend", "DEALER", anyPort, "--hwm", "2",
			"--linger", "0")
		rep := startInput(t, "", "rep", "--connect", proxy.proxyEndpoint("backend"))
		stuckRequester(t, proxy.proxyEndpoint("frontend"))
		proxy.says("slow peer DEALER 127.0.0.1:")
		ask(t, proxy.proxyEndpoint("frontend"))
		proxy.stop()
		proxy.ends()
		rep.stop()
		rep.ends()
	})
	t.Run("block, but not for long", func(t *testing.T) {
		rep := startInput(t, "", "monitor", "rep", "--bind", anyPort, "--hwm", "2", "--linger", "0", "--overflow", "block",
			"--slow-limit", "50ms")
		stuckRequester(t, rep.endpoint())
		rep.stdout.waitFor(t, func(s string) bool { return strings.Contains(s, "peer down DEALER 127.0.0.1:") })
		ask(t, rep.endpoint())
		rep.stop()
		rep.ends()
	})
}

// TestOverflowOfAVerb: who takes the flag, and what it does by default.
func TestOverflowOfAVerb(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.name, func(t *testing.T) {
			help := startInput(t, "", v.name, "--help")
			help.exit(0)
			flag := strings.Contains(help.stdout.String(), "--overflow POLICY")
			dflt := "(default " + v.overflow() + ")"
			if flag != v.is(overflows) || flag && !strings.Contains(help.stdout.String(), dflt) {
				t.Errorf("flag %t, want %t, %s", flag, v.is(overflows), dflt)
			}
		})
	}
}
