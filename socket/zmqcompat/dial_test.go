package zmqcompat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	zmqtransport "github.com/go-zeromq/zmq4/transport"

	"github.com/yodel-mq/yodel/socket"
	zmq4 "github.com/yodel-mq/yodel/socket/zmqcompat"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// compatible is one wrong and one right peer for each type.
var compatible = []struct{ listener, wrong, right zmq4.SocketType }{
	{zmq4.Pair, zmq4.Sub, zmq4.Pair},
	{zmq4.Pub, zmq4.Pair, zmq4.Sub},
	{zmq4.Sub, zmq4.Pair, zmq4.Pub},
	{zmq4.Req, zmq4.Pair, zmq4.Rep},
	{zmq4.Rep, zmq4.Pair, zmq4.Req},
	{zmq4.Dealer, zmq4.Pair, zmq4.Router},
	{zmq4.Router, zmq4.Pair, zmq4.Dealer},
	{zmq4.Pull, zmq4.Pair, zmq4.Push},
	{zmq4.Push, zmq4.Pair, zmq4.Pull},
	{zmq4.XPub, zmq4.Pair, zmq4.XSub},
	{zmq4.XSub, zmq4.Pair, zmq4.XPub},
}

// TestConnPairs: every type refuses a wrong peer, whose Dial says so without trying again, and then takes a right one.
func TestConnPairs(t *testing.T) {
	for _, tc := range compatible {
		t.Run(string(tc.listener), func(t *testing.T) {
			for scheme, endpoint := range endpoints(t) {
				t.Run(scheme, func(t *testing.T) {
					srv := ours(tc.listener)(t)
					ep := listenAt(t, srv, endpoint)
					begin := time.Now()
					wantErr(t, ours(tc.wrong)(t).Dial(ep), zmtp.ErrSocketType)
					if d := time.Since(begin); d > 240*time.Millisecond {
						t.Errorf("Dial to a wrong peer took %v: it has tried again", d)
					}
					cli := ours(tc.right)(t)
					dial(t, cli, ep)
					if cli.Addr() != nil || srv.Addr() == nil {
						t.Errorf("addresses: %v of the one that dialled, %v of the other", cli.Addr(), srv.Addr())
					}
					check(t, zmq4.Engine(srv).WaitPeers(t.Context(), 1))
				})
			}
		})
	}
}

// flaky is a transport for the original that counts attempts to dial and fails them until told otherwise.
type flaky struct {
	dials atomic.Int64
	up    atomic.Bool
}

// newFlaky registers one. There is no way to take it back, so that each has its own name.
func newFlaky(t *testing.T) (tr *flaky, scheme string) {
	t.Helper()
	tr, scheme = new(flaky), fmt.Sprintf("flaky%d", names.Add(1))
	check(t, zmq4.RegisterTransport(scheme, tr))
	return tr, scheme
}

var errFlaky = errors.New("flaky")

func (f *flaky) Dial(ctx context.Context, d zmqtransport.Dialer, addr string) (net.Conn, error) {
	f.dials.Add(1)
	if !f.up.Load() {
		return nil, errFlaky
	}
	return d.DialContext(ctx, "tcp", addr)
}

func (f *flaky) Listen(_ context.Context, addr string) (net.Listener, error) {
	return net.Listen("tcp", addr)
}

func (f *flaky) Addr(ep string) (string, error) { return ep, nil }

func TestConnMaxRetries(t *testing.T) {
	tr, scheme := newFlaky(t)
	s := ours(zmq4.Sub, zmq4.WithDialerRetry(time.Microsecond), zmq4.WithDialerMaxRetries(123))(t)
	for range 2 { // having given up it stays so; another Dial has the whole budget again
		before := tr.dials.Load()
		err := s.Dial(scheme + "://x")
		wantErr(t, err, errFlaky)
		// One more may have begun when the last of them has failed.
		if n := tr.dials.Load() - before; n < 124 || !strings.Contains(err.Error(), "124 attempts") {
			t.Errorf("%d attempts, want 124; error %v", n, err)
		}
	}
	wantErr(t, zmq4.Engine(s).Disconnect(scheme+"://x"), socket.ErrNoEndpoint)
}

func TestConnMaxRetriesInfinite(t *testing.T) {
	tr, scheme := newFlaky(t)
	pull := ours(zmq4.Pull)(t)
	check(t, pull.Listen(scheme+"://127.0.0.1:0"))
	push := ours(zmq4.Push, zmq4.WithDialerRetry(time.Microsecond), zmq4.WithDialerMaxRetries(-1))(t)
	dial(t, push, scheme+"://"+pull.Addr().String()) // at once, though nothing can be dialled
	send(t, push, "early")
	eventually(t, func() bool { return tr.dials.Load() > 200 })
	tr.up.Store(true)
	wantFrames(t, pull, "early")
}

func TestRegisterTransport(t *testing.T) {
	tests := []struct{ name, scheme, inList string }{
		{"built in", "tcp", "tcp"},
		{"not a scheme", "no scheme", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if err := zmq4.RegisterTransport(tc.scheme, new(flaky)); err == nil {
				t.Error("registered")
			}
		})
	}
	_, scheme := newFlaky(t)
	if err := zmq4.RegisterTransport(strings.ToUpper(scheme), new(flaky)); err == nil {
		t.Error("registered twice")
	}
	have := zmq4.Transports()
	for i, want := range []string{"inproc", "ipc", "tcp"} {
		found := false
		for _, name := range have {
			found = found || name == want
		}
		if !found || i > 0 && have[i] < have[i-1] {
			t.Errorf("transports %v lack %s or are not sorted", have, want)
		}
	}
}

func TestDialWaitsForAListener(t *testing.T) {
	for scheme, endpoint := range map[string]string{"tcp": freePort(t), "inproc": endpoints(t)["inproc"]} {
		t.Run(scheme, func(t *testing.T) {
			push := ours(zmq4.Push)(t)
			dialled := make(chan error, 1)
			go func() { dialled <- push.Dial(endpoint) }()
			for ev := range zmq4.Engine(push).Events(t.Context()) {
				if ev.Kind == socket.Connecting {
					break
				}
			}
			pull := ours(zmq4.Pull)(t)
			check(t, pull.Listen(endpoint))
			check(t, <-dialled)
			send(t, push, "x")
			wantFrames(t, pull, "x")
			dial(t, push, endpoint) // once more changes nothing
			send(t, push, "y")
			wantFrames(t, pull, "y")
		})
	}
}

func TestDialFails(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer garbage.Close()
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()

	impatient := []zmq4.Option{zmq4.WithDialerRetry(time.Millisecond)}
	longID := []zmq4.Option{zmq4.WithID(make([]byte, 256))}
	var unknown zmq4.UnknownTransportError
	tests := []struct {
		name     string
		endpoint string
		ended    bool // the context has
		opts     []zmq4.Option
		is       error
		as       any
	}{
		{name: "no listener", endpoint: freePort(t), opts: append(impatient, zmq4.WithDialerMaxRetries(2))},
		{name: "nobody in the process", endpoint: "inproc://nobody", opts: append(impatient, zmq4.WithDialerMaxRetries(0))},
		{name: "not ZMTP", endpoint: "tcp://" + garbage.Addr().String(), is: zmtp.ErrNotZMTP},
		{name: "no scheme", endpoint: "127.0.0.1:1"},
		{name: "unknown scheme", endpoint: "udp://127.0.0.1:1", as: &unknown},
		{name: "no port", endpoint: "tcp://127.0.0.1"},
		{name: "context has ended", endpoint: freePort(t), ended: true, is: context.Canceled},
		{name: "identity out of range", endpoint: freePort(t), opts: longID, is: socket.ErrInvalidOption},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			ctx := t.Context()
			if tc.ended {
				ctx = ended
			}
			s := closing(t, zmq4.NewDealer(ctx, tc.opts...))
			err := s.Dial(tc.endpoint)
			switch {
			case err == nil:
				t.Fatal("no error")
			case tc.is != nil:
				wantErr(t, err, tc.is)
			case tc.as != nil && !errors.As(err, tc.as):
				t.Fatalf("error %v", err)
			}
		})
	}
	if unknown.Name != "udp" {
		t.Errorf("unknown transport %q", unknown.Name)
	}
}

func TestContextEndsDial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := closing(t, zmq4.NewDealer(ctx, zmq4.WithDialerMaxRetries(1<<30)))
	e := zmq4.Engine(s)
	dialled := make(chan error, 1)
	go func() { dialled <- s.Dial(freePort(t)) }()
	for ev := range e.Events(t.Context()) {
		if ev.Kind == socket.Retrying {
			break
		}
	}
	cancel()
	wantErr(t, <-dialled, context.Canceled, zmq4.ErrClosedConn)
}

// TestDialWildcard: the original dials a wildcard host and reaches this machine.
func TestDialWildcard(t *testing.T) {
	for _, host := range []string{"*", "", "0.0.0.0"} {
		t.Run("host "+host, func(t *testing.T) {
			pull, push := ours(zmq4.Pull)(t), ours(zmq4.Push)(t)
			check(t, pull.Listen("tcp://127.0.0.1:"))
			_, port, err := net.SplitHostPort(pull.Addr().String())
			check(t, err)
			dial(t, push, "tcp://"+host+":"+port)
			send(t, push, "x")
			wantFrames(t, pull, "x")
		})
	}
}

// TestReconnect: the publisher goes and another comes at the same place. Recv knows nothing of it; every endpoint is
// dialled again, not only the last.
func TestReconnect(t *testing.T) {
	options := map[string][]zmq4.Option{
		"default": nil,
		"on":      {zmq4.WithAutomaticReconnect(true)},
	}
	for name, opts := range options {
		t.Run(name, func(t *testing.T) {
			sub := ours(zmq4.Sub, append(opts, zmq4.WithDialerRetry(time.Millisecond))...)(t)
			check(t, sub.SetOption(zmq4.OptionSubscribe, "test"))
			var eps []string
			for range 2 {
				first := zmq4.NewPub(t.Context())
				ep := listen(t, first)
				eps = append(eps, ep)
				dial(t, sub, ep)
				subscribed(t, first, "test", 1)
				send(t, first, "test", "before")
				wantFrames(t, sub, "test", "before")
				check(t, first.Close())
			}
			for _, ep := range eps {
				second := ours(zmq4.Pub)(t)
				check(t, second.Listen(ep))
				subscribed(t, second, "test", 1)
				send(t, second, "test", "after")
				wantFrames(t, sub, "test", "after")
			}
		})
	}
}

// TestSubscriptionOnConnect: a SUB that listens tells a PUB that dials what it has subscribed to before.
func TestSubscriptionOnConnect(t *testing.T) {
	for scheme, endpoint := range endpoints(t) {
		t.Run(scheme, func(t *testing.T) {
			sub, pub := ours(zmq4.Sub)(t), ours(zmq4.Pub)(t)
			check(t, sub.SetOption(zmq4.OptionSubscribe, "test"))
			dial(t, pub, listenAt(t, sub, endpoint))
			subscribed(t, pub, "test", 1)
			send(t, pub, "other")
			send(t, pub, "test", "x")
			wantFrames(t, sub, "test", "x")
		})
	}
}
