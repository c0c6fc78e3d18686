package socket_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// secure is a transport with which both ends have the same certificate, and let in nobody else.
var secure = sync.OnceValue(func() transport.Transport {
	return mtls.New(mtls.WithCertificate(theCert()), mtls.WithPins(mtls.KeyHashOf(theCert().Leaf)))
})

var theCert = sync.OnceValue(func() tls.Certificate {
	cert, err := mtls.SelfSigned("test")
	if err != nil {
		panic(err)
	}
	return cert
})

func overTLS() socket.Option { return socket.WithTransport(secure()) }

const anyTLS = "tls://127.0.0.1:*"

// TestTLSMissing: a socket that was not given the transport says which one that is.
func TestTLSMissing(t *testing.T) {
	err := closing(t, socket.NewPush()).Connect("tls://127.0.0.1:5557")
	if !errors.Is(err, transport.ErrAddress) || !strings.Contains(err.Error(), "transport/mtls") {
		t.Errorf("got %v", err)
	}
}

// TestTLSSizes: messages of all sizes go there and come back.
func TestTLSSizes(t *testing.T) {
	req, rep := closing(t, socket.NewReq(overTLS())), closing(t, socket.NewRep(overTLS()))
	link(t, rep, req, anyTLS)
	go func() {
		for m, err := range rep.Messages(t.Context()) {
			if err != nil || rep.Send(t.Context(), m) != nil {
				return
			}
		}
	}()
	noise := make([]byte, 16<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	for _, size := range []int{0, 1, 255, 256, 8 << 10, 16<<10 - 9, 16 << 10, 100_000, 1 << 20, 16 << 20} {
		want := socket.Msg{Frames: [][]byte{noise[:size/3], {}, noise[size/3 : size]}}
		ours := socket.Msg{Frames: [][]byte{bytes.Clone(want.Frames[0]), {}, bytes.Clone(want.Frames[2])}}
		must(t, req.Send(within(t), ours))
		got := recv(t, req)
		if len(got.Frames) != 3 {
			t.Fatalf("%d bytes: %d frames", size, len(got.Frames))
		}
		for i := range want.Frames {
			if !bytes.Equal(got.Frames[i], want.Frames[i]) {
				t.Fatalf("%d bytes: frame %d differs", size, i)
			}
		}
	}
}

// TestTLSShutdown: all that was sent is read, though the peer takes its time, and then both ends close in good order.
func TestTLSShutdown(t *testing.T) {
	const messages = 3000
	push := socket.NewPush(overTLS(), socket.WithSendHWM(0))
	pull := closing(t, socket.NewPull(overTLS(), socket.WithRecvHWM(10)))
	link(t, pull, push, anyTLS)
	body := make([]byte, 10_000)
	for i := range messages {
		must(t, push.Send(within(t), socket.Msg{Frames: [][]byte{fmt.Append(nil, i), body}}))
	}
	done := make(chan error, 1)
	ctx := within(t)
	go func() { done <- push.Shutdown(ctx) }()
	for i := range messages {
		if m := recv(t, pull); string(m.Frames[0]) != fmt.Sprint(i) || len(m.Frames[1]) != len(body) {
			t.Fatalf("message %d is %.20q", i, m.Frames[0])
		}
	}
	must(t, <-done)
	ev := event(t, pull, socket.PeerDown)
	if !errors.Is(ev.Err, io.EOF) {
		t.Errorf("the end is %v", ev)
	}
}

// TestTLSSlowReader: a peer that reads nothing holds up the sender at its high-water mark; what it is sent arrives in
// order when it does.
func TestTLSSlowReader(t *testing.T) {
	push := closing(t, socket.NewPush(overTLS(), socket.WithSendHWM(10), socket.WithOverflow(socket.Reject)))
	pull := closing(t, socket.NewPull(overTLS(), socket.WithRecvHWM(10)))
	link(t, pull, push, anyTLS)
	n := 0
	for ; ; n++ {
		err := push.Send(within(t), socket.Msg{Frames: [][]byte{fmt.Append(nil, n), make([]byte, 100_000)}})
		if errors.Is(err, socket.ErrWouldBlock) {
			break
		}
		must(t, err)
	}
	for i := range n {
		if m := recv(t, pull); string(m.Frames[0]) != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Frames[0])
		}
	}
	waitUntil(t, "there is room", func() bool { return push.Stats().Queued.Messages == 0 })
	send(t, push, "more")
	expect(t, pull, "more")
}

// TestTLSDowngrade: between an endpoint with TLS and one without nothing comes about, both ends say why, and the right
// peer is served all the same.
func TestTLSDowngrade(t *testing.T) {
	for _, tt := range []struct {
		name              string
		binds, connects   string // schemes
		atBound, atDialer error
		says              string // to both
	}{
		{"without to with", "tls", "tcp", mtls.ErrNotTLS, zmtp.ErrNotZMTP, "tls://"},
		{"with to without", "tcp", "tls", zmtp.ErrNotZMTP, mtls.ErrNotTLS, "tls://"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pull := closing(t, socket.NewPull(quick(), overTLS()))
			push := closing(t, socket.NewPush(quick(), overTLS()))
			at := bind(t, pull, tt.binds+"://127.0.0.1:*")
			wrong := strings.Replace(at, tt.binds, tt.connects, 1)
			connect(t, push, wrong)
			for _, end := range []struct {
				s    eventer
				want error
			}{{pull, tt.atBound}, {push, tt.atDialer}} {
				ev := event(t, end.s, socket.HandshakeFailed)
				if !errors.Is(ev.Err, end.want) || !strings.Contains(ev.Err.Error(), tt.says) {
					t.Errorf("got %v", ev)
				}
			}
			must(t, push.Disconnect(wrong))
			connect(t, push, at)
			waitPeers(t, pull, 1)
			send(t, push, "secret")
			expect(t, pull, "secret")
		})
	}
}

// TestTLSRefused: a peer with another certificate, or none, is no peer, and nothing it sends is received.
func TestTLSRefused(t *testing.T) {
	stranger, err := mtls.SelfSigned("stranger")
	must(t, err)
	pull := closing(t, socket.NewPull(quick(), overTLS()))
	at := bind(t, pull, anyTLS)
	trusting := mtls.WithPins(mtls.KeyHashOf(theCert().Leaf))
	for name, opts := range map[string][]mtls.Option{
		"another":            {mtls.WithCertificate(stranger), trusting},
		"none":               {trusting},
		"with another trust": {mtls.WithCertificate(theCert()), mtls.WithPins(mtls.KeyHashOf(stranger.Leaf))},
	} {
		t.Run(name, func(t *testing.T) {
			push := closing(t, socket.NewPush(quick(), socket.WithTransport(mtls.New(opts...))))
			connect(t, push, at)
			ev := event(t, push, socket.HandshakeFailed)
			if !errors.Is(ev.Err, transport.ErrHandshake) {
				t.Errorf("got %v", ev)
			}
			ev = event(t, pull, socket.HandshakeFailed)
			if !errors.Is(ev.Err, transport.ErrHandshake) {
				t.Errorf("got %v", ev)
			}
			if len(pull.Stats().Peers) > 0 || len(push.Stats().Peers) > 0 {
				t.Error("it is a peer")
			}
		})
	}
}

// TestTLSSilentStrangers: connections on which nothing is said keep nobody from coming in, and end with the handshake's
// time.
func TestTLSSilentStrangers(t *testing.T) {
	pull := closing(t, socket.NewPull(overTLS(), socket.WithHandshakeTimeout(time.Second)))
	at := bind(t, pull, anyTLS)
	const strangers = 50
	ended := make(chan error, strangers)
	for range strangers {
		var d net.Dialer
		c, err := d.DialContext(within(t), "tcp", strings.TrimPrefix(at, "tls://"))
		must(t, err)
		defer c.Close()
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
	}
	push := closing(t, socket.NewPush(overTLS()))
	connect(t, push, at)
	send(t, push, "hello")
	expect(t, pull, "hello")
	for range strangers {
		select {
		case err := <-ended:
			if err == nil {
				t.Error("a stranger was told something")
			}
		case <-within(t).Done():
			t.Fatal("a stranger is still there")
		}
	}
	ev := eventWhere(t, pull, "a timeout", func(ev socket.Event) bool { return errors.Is(ev.Err, socket.ErrTimeout) })
	if ev.Kind != socket.HandshakeFailed {
		t.Errorf("got %v", ev)
	}
}

// TestTLSDisconnect: what was written before Disconnect is read, and the peer sees a stream that ended, not one that
// was cut.
func TestTLSDisconnect(t *testing.T) {
	push, pull := closing(t, socket.NewPush(quick(), overTLS())), closing(t, socket.NewPull(quick(), overTLS()))
	at := link(t, pull, push, anyTLS)
	for i := range 20 {
		send(t, push, fmt.Sprint(i))
		expect(t, pull, fmt.Sprint(i))
		must(t, push.Disconnect(at))
		ev := event(t, pull, socket.PeerDown)
		if !errors.Is(ev.Err, io.EOF) {
			t.Fatalf("the end is %v", ev)
		}
		connect(t, push, at)
		waitPeers(t, push, 1)
	}
}

// TestTLSAuthenticator: who may come in can be decided by the certificate, with any mechanism inside.
func TestTLSAuthenticator(t *testing.T) {
	friend, err := mtls.SelfSigned("friend")
	must(t, err)
	stranger, err := mtls.SelfSigned("stranger")
	must(t, err)
	trusting := mtls.WithPins(mtls.KeyHashOf(theCert().Leaf))
	known := mtls.KeyHashOf(friend.Leaf)
	pull := closing(t, socket.NewPull(quick(),
		socket.WithTransport(mtls.New(mtls.WithCertificate(theCert()), mtls.WithAnyClient())),
		authenticated(func(_ context.Context, c socket.Claim) (socket.User, error) {
			if c.Certificate == nil || c.Certificate.KeyHash != known {
				return socket.User{}, errStranger
			}
			return socket.User{ID: c.Certificate.Subject}, nil
		})))
	at := bind(t, pull, anyTLS)
	for name, opts := range map[string][]mtls.Option{
		"a stranger": {mtls.WithCertificate(stranger), trusting}, "nobody": {trusting},
	} {
		t.Run(name, func(t *testing.T) {
			push := closing(t, socket.NewPush(once, socket.WithTransport(mtls.New(opts...))))
			connect(t, push, at)
			event(t, push, socket.HandshakeFailed)
			eventWhere(t, pull, "refused", func(ev socket.Event) bool { return errors.Is(ev.Err, errStranger) })
		})
	}
	push := closing(t, socket.NewPush(quick(), socket.WithTransport(mtls.New(mtls.WithCertificate(friend), trusting))))
	connect(t, push, at)
	send(t, push, "hello")
	if m := recv(t, pull); m.From.User != "CN=friend" {
		t.Errorf("from %q", m.From.User)
	}
}
