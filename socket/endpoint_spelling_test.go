package socket_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// shortTemp is a directory whose name leaves room for a socket's path.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "y")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	dir, err = filepath.EvalSymlinks(dir)
	must(t, err)
	return dir
}

func TestUnbindByTheNameUsed(t *testing.T) {
	for _, tc := range []struct {
		name, bind string
		unbind     []string // PORT is the actual port
	}{
		{"host and any port", "tcp://localhost:*", []string{
			"tcp://localhost:*", "tcp://localhost:PORT", "TCP://LocalHost:PORT", "tcp://[localhost]:PORT",
			"tcp://127.0.0.1:PORT",
		}},
		{"every address", "tcp://*:*", []string{
			"tcp://*:PORT", "tcp://[::]:PORT", "tcp://0.0.0.0:PORT", "tcp://:PORT", "TCP://*:PORT", "tcp://[*]:PORT",
			"tcp://127.0.0.1:PORT", "tcp://localhost:PORT", "tcp://*:0",
		}},
		{
			"every IPv4 address", "TCP://0.0.0.0:0",
			[]string{"TCP://0.0.0.0:0", "tcp://0.0.0.0:*", "tcp://0.0.0.0:PORT", "tcp://*:PORT"},
		},
		{"range", "tcp://127.0.0.1:20000-31999", []string{
			"tcp://127.0.0.1:20000-31999", "tcp://[127.0.0.1]:20000-31999", "tcp://127.0.0.1:PORT", "tcp://localhost:PORT",
		}},
		{"inproc", "inproc://" + t.Name(), []string{"INPROC://" + t.Name(), "inproc://" + t.Name()}},
	} {
		for _, name := range tc.unbind {
			t.Run(tc.name+", "+name, func(t *testing.T) {
				pull := closing(t, socket.NewPull())
				at := bind(t, pull, tc.bind)
				must(t, pull.Unbind(strings.ReplaceAll(name, "PORT", at[strings.LastIndex(at, ":")+1:])))
				if left := pull.Endpoints(); len(left) != 0 {
					t.Errorf("still bound to %v", left)
				}
			})
		}
	}
	t.Run("interface", func(t *testing.T) {
		all, err := net.Interfaces()
		must(t, err)
		for _, ifi := range all {
			if ifi.Flags&net.FlagLoopback == 0 {
				continue
			}
			for _, bound := range []string{ifi.Name, "127.0.0.1", "*"} {
				pull := closing(t, socket.NewPull())
				at := bind(t, pull, "tcp://"+bound+":*")
				must(t, pull.Unbind(strings.Replace(at, "127.0.0.1", ifi.Name, 1)))
			}
		}
	})
	t.Run("what was meant goes before what is alike", func(t *testing.T) {
		pull := closing(t, socket.NewPull())
		first := bind(t, pull, "tcp://127.0.0.1:*")
		second := bind(t, pull, "tcp://localhost:*") // whose address is that of the first
		must(t, pull.Unbind(strings.Replace(second, "127.0.0.1", "localhost", 1)))
		if left := pull.Endpoints(); len(left) != 1 || left[0] != first {
			t.Errorf("bound to %v, want %s", left, first)
		}
	})
	t.Run("what it is not", func(t *testing.T) {
		pull := closing(t, socket.NewPull())
		at := bind(t, pull, "tcp://127.0.0.1:*")
		port := at[strings.LastIndex(at, ":")+1:]
		for _, name := range []string{
			"tcp://127.0.0.2:" + port, "tcp://*:" + port, "tcp://127.0.0.1:1", "ipc://127.0.0.1:" + port, "x", "", "tcp://",
		} {
			if err := pull.Unbind(name); !errors.Is(err, socket.ErrNoEndpoint) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("ipc", func(t *testing.T) {
		t.Chdir(shortTemp(t))
		for _, name := range []string{"ipc://app.sock", "ipc://./app.sock", "IPC://app.sock"} {
			pull := closing(t, socket.NewPull())
			bind(t, pull, "ipc://app.sock")
			must(t, pull.Unbind(name))
		}
	})
}

func TestDisconnectByAnotherSpelling(t *testing.T) {
	t.Chdir(shortTemp(t))
	wd, err := os.Getwd()
	must(t, err)
	for _, tc := range []struct{ connect, disconnect string }{
		{"TCP://127.0.0.1:1", "tcp://127.0.0.1:1"},
		{"tcp://127.0.0.1:1", "TCP://[127.0.0.1]:01"},
		{"tcp://Host.Invalid:1", "tcp://host.invalid:1"},
		{"tcp://[::1]:1", "tcp://[0:0:0:0:0:0:0:1]:1"},
		{"tcp://127.0.0.1:0;127.0.0.1:1", "tcp://[127.0.0.1]:*;127.0.0.1:1"},
		{"ipc://app.sock", "ipc://" + wd + "/app.sock"},
		{"Inproc://nobody", "inproc://nobody"},
	} {
		t.Run(tc.connect, func(t *testing.T) {
			push := closing(t, socket.NewPush())
			connect(t, push, tc.connect)
			connect(t, push, tc.disconnect) // nothing new
			must(t, push.WaitDisconnected(within(t), tc.disconnect))
			must(t, push.Disconnect(tc.disconnect))
			for _, name := range []string{tc.connect, tc.disconnect} {
				if err := push.Disconnect(name); !errors.Is(err, socket.ErrNoEndpoint) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	t.Run("one connection", func(t *testing.T) {
		pull, push := closing(t, socket.NewPull()), closing(t, socket.NewPush())
		at := link(t, pull, push, "tcp://127.0.0.1:*")
		other := strings.Replace(at, "tcp://127.0.0.1", "TCP://[127.0.0.1]", 1)
		connect(t, push, other)
		must(t, push.WaitConnected(within(t), other))
		must(t, push.Disconnect(other))
		event(t, pull, socket.PeerDown)
	})
	t.Run("a name is taken under every spelling", func(t *testing.T) {
		router := closing(t, socket.NewRouter())
		must(t, router.ConnectAs("tcp://127.0.0.1:1", "a"))
		must(t, router.ConnectAs("TCP://[127.0.0.1]:1", "a"))
		if err := router.ConnectAs("TCP://127.0.0.1:1", "b"); !errors.Is(err, socket.ErrState) {
			t.Errorf("got %v", err)
		}
	})
}

// What a relative path means is settled by Connect: a daemon changes its directory later.
func TestRelativePathAfterAChangeOfDirectory(t *testing.T) {
	dir, elsewhere := shortTemp(t), shortTemp(t)
	t.Chdir(dir)
	pull, push := closing(t, socket.NewPull()), closing(t, socket.NewPush())
	at := bind(t, pull, "ipc://app.sock")
	connect(t, push, "ipc://app.sock")
	waitPeers(t, push, 1)
	t.Chdir(elsewhere)
	must(t, pull.Close())
	again := closing(t, socket.NewPull())
	bind(t, again, at)
	waitPeers(t, again, 1)
	must(t, push.WaitConnected(within(t), "ipc://app.sock")) // by the name it had
	send(t, push, "hello")
	expect(t, again, "hello")

	// The same name means another path now, and so another endpoint.
	other := closing(t, socket.NewPull())
	bind(t, other, "ipc://app.sock")
	connect(t, push, "ipc://app.sock")
	waitPeers(t, other, 1)
	waitPeers(t, push, 2)
	must(t, push.Disconnect("ipc://app.sock"))
	must(t, push.Disconnect("ipc://app.sock"))
	if err := push.Disconnect("ipc://app.sock"); !errors.Is(err, socket.ErrNoEndpoint) {
		t.Errorf("got %v", err)
	}
}

// A living socket whose file somebody removes is not deaf for long, and says what happened.
func TestRemovedSocketFileIsAnEvent(t *testing.T) {
	path := filepath.Join(shortTemp(t), "s")
	pull, push := closing(t, socket.NewPull()), closing(t, socket.NewPush())
	bind(t, pull, "ipc://"+path)
	must(t, os.Remove(path))
	ev := event(t, pull, socket.AcceptFailed)
	if ev.Endpoint != "ipc://"+path || ev.Err == nil ||
		!strings.Contains(ev.Err.Error(), "somebody removed the socket file; it was made again") {
		t.Errorf("got %v", ev)
	}
	connect(t, push, "ipc://"+path)
	send(t, push, "hello")
	expect(t, pull, "hello")
	if _, err := closing(t, socket.NewPull()).Bind(within(t), "ipc://"+path); !errors.Is(err, transport.ErrAddressInUse) {
		t.Errorf("a second one may bind: %v", err)
	}
}
