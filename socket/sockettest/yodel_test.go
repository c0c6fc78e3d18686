package sockettest_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/sockettest"
	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestYodel holds our sockets against each other over every transport.
func TestYodel(t *testing.T) {
	t.Parallel()
	kernel := map[sockettest.Capability]string{sockettest.ExactQueues: "the kernel has buffers"}
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		sockettest.Run(t, sockettest.Factory{
			Local: yodel(), Remote: yodel(),
			Endpoint: tcp, Dial: dial, Lacks: kernel,
		})
	})
	t.Run("ipc", func(t *testing.T) {
		t.Parallel()
		sockettest.Run(t, sockettest.Factory{
			Local: yodel(), Remote: yodel(),
			Endpoint: ipc, Dial: dial, Lacks: kernel,
		})
	})
	t.Run("tls", func(t *testing.T) {
		t.Parallel()
		cert, err := mtls.SelfSigned("test")
		if err != nil {
			t.Fatal(err)
		}
		link := mtls.New(mtls.WithCertificate(cert), mtls.WithPins(mtls.KeyHashOf(cert.Leaf)))
		side := sockettest.Yodel(socket.WithTransport(link))
		sockettest.Run(t, sockettest.Factory{
			Local: side, Remote: side,
			Endpoint: func(t testing.TB) string { return strings.Replace(tcp(t), "tcp://", "tls://", 1) },
			Dial: func(ctx context.Context, endpoint string) (net.Conn, error) {
				return link.Dial(ctx, strings.TrimPrefix(endpoint, "tls://"))
			},
			Lacks: kernel,
		})
	})
	t.Run("inproc", func(t *testing.T) {
		t.Parallel()
		sockettest.Run(t, sockettest.Factory{
			Local: sockettest.Yodel(), Remote: sockettest.Yodel(),
			Endpoint: inproc,
		})
	})
	for name, network := range map[string]simnet.Config{
		"simnet": {Latency: 50 * time.Microsecond, Jitter: 50 * time.Microsecond, Seed: 1},
		// Far away, and with little under way at a time: each write of some size is cut into pieces.
		"simnet-far": {Latency: time.Millisecond, Jitter: 2 * time.Millisecond, Window: 32 << 10, Seed: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := simnet.New(network)
			side := sockettest.Yodel(socket.WithTransport(sim))
			sockettest.Run(t, sockettest.Factory{
				Local: side, Remote: side,
				Endpoint: func(testing.TB) string { return fmt.Sprintf("sim://host-%d:0", endpoints.Add(1)) },
				Dial: func(ctx context.Context, endpoint string) (net.Conn, error) {
					return sim.Dial(ctx, strings.TrimPrefix(endpoint, "sim://"))
				},
				Lacks: map[sockettest.Capability]string{sockettest.ExactQueues: "the network has a window"},
			})
		})
	}
}

// yodel is our side with sockets that can be killed.
func yodel() sockettest.Side {
	s := sockettest.Yodel()
	here := s.New
	s.New = func(t testing.TB, role string, o sockettest.Options) sockettest.Socket {
		t.Helper()
		if o.Killable {
			return newKillable(t, "yodel", role, o)
		}
		return here(t, role, o)
	}
	delete(s.Lacks, sockettest.Killing)
	return s
}

var endpoints atomic.Int64

// tcp gives each run of the suite an address of its own where loopback has many: a socket of another run that still
// looks for its peer must not find it in whoever has the port now.
func tcp(t testing.TB) string {
	host := "127.0.0.1"
	if runtime.GOOS == "linux" {
		run := strings.Join(strings.SplitN(t.Name(), "/", 3)[:min(2, strings.Count(t.Name(), "/")+1)], "/")
		h := fnv.New32a()
		_, _ = h.Write([]byte(run))
		host = fmt.Sprintf("127.%d.%d.1", 1+h.Sum32()>>8&0x7f, h.Sum32()&0xff)
	}
	return "tcp://" + host + ":*"
}

func inproc(testing.TB) string { return fmt.Sprint("inproc://sockettest-", endpoints.Add(1)) }

func ipc(t testing.TB) string {
	dir, err := os.MkdirTemp("", "y") // t.TempDir may be too long for the address of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return "ipc://" + filepath.Join(dir, "s")
}

// dial connects to a tcp or ipc endpoint.
func dial(ctx context.Context, endpoint string) (net.Conn, error) {
	scheme, address, _ := strings.Cut(endpoint, "://")
	if scheme == "ipc" {
		scheme = "unix"
	}
	var d net.Dialer
	return d.DialContext(ctx, scheme, address)
}

func TestNilOptionsAreIgnored(t *testing.T) {
	side := sockettest.Yodel(nil, socket.WithIdentity("me"), nil)
	for _, role := range []string{"PUSH", "PULL", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PAIR", "XPUB", "XSUB"} {
		s := side.New(t, role, sockettest.Options{})
		if s == nil {
			t.Errorf("no %s", role)
			continue
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}
