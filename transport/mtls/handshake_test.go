package mtls

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestWhoComesIn: each end refuses whom it should, for the reason it should, and both fail.
func TestWhoComesIn(t *testing.T) {
	ca, roots := authority(t)
	_, otherRoots := authority(t)
	good, old := issue(t, &ca, valid), issue(t, &ca, expired)
	pinnedOld := issue(t, nil, expired)
	stranger := newIdentity(t, "stranger")
	for _, tt := range []struct {
		name           string
		server, client *Transport
		atServer       error // nil: whatever it is
		text           string
		up             bool
	}{
		{name: "pins", server: binding(), client: connecting(), up: true},
		{
			name: "an authority", up: true,
			server: New(WithCertificate(good.cert), WithRoots(roots)),
			client: New(WithCertificate(good.cert), WithRoots(roots)),
		},
		{
			name: "an authority and pins", up: true,
			server: New(WithCertificate(good.cert), WithRoots(roots), WithPins(good.key)),
			client: New(WithCertificate(good.cert), WithRoots(roots), WithPins(good.key)),
		},
		{name: "any client", server: binding(WithAnyClient()), client: New(WithPins(ours().key)), up: true},
		{
			name: "any client, with a certificate", up: true,
			server: binding(WithAnyClient()), client: New(WithCertificate(stranger.cert), WithPins(ours().key)),
		},
		{
			name: "a client that is not pinned", server: binding(),
			client:   New(WithCertificate(stranger.cert), WithPins(ours().key)),
			atServer: ErrNotPinned, text: stranger.key.String(),
		},
		{name: "nobody is pinned", server: binding(WithPins()), client: connecting(), atServer: ErrNotPinned},
		{name: "a client without a certificate", server: binding(), client: New(WithPins(ours().key)), text: "certificate"},
		{
			name: "a pinned certificate that has expired", server: binding(WithPins(pinnedOld.key)),
			client: New(WithCertificate(pinnedOld.cert), WithPins(ours().key)), atServer: ErrExpired,
		},
		{
			name: "an issued certificate that has expired", server: New(WithCertificate(good.cert), WithRoots(roots)),
			client: New(WithCertificate(old.cert), WithRoots(roots)), text: "expired",
		},
		{
			name: "another authority", server: New(WithCertificate(good.cert), WithRoots(otherRoots)),
			client: New(WithCertificate(good.cert), WithRoots(roots)), text: "unknown authority",
		},
		{
			name:   "an authority's, and not pinned",
			server: New(WithCertificate(good.cert), WithRoots(roots), WithPins(ours().key)),
			client: New(WithCertificate(good.cert), WithRoots(roots)), atServer: ErrNotPinned,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := join(t, tt.server, tt.client, "127.0.0.1:0")
			atServer, atClient := shake(t, s, c)
			if tt.up {
				must(t, atServer)
				must(t, atClient)
				return
			}
			if !errors.Is(atServer, transport.ErrHandshake) || tt.atServer != nil && !errors.Is(atServer, tt.atServer) ||
				!strings.Contains(atServer.Error(), tt.text) {
				t.Errorf("at the server: %v", atServer)
			}
			if atClient == nil { // it is done before the server has looked at its certificate
				must(t, c.SetReadDeadline(time.Now().Add(patience)))
				_, atClient = c.Read(make([]byte, 1))
			}
			if !errors.Is(atClient, ErrRefused) || !errors.Is(atClient, transport.ErrHandshake) {
				t.Errorf("at the client: %v", atClient)
			}
			if n, err := s.Write([]byte("secret")); n != 0 || err == nil {
				t.Errorf("%d bytes were written, %v", n, err)
			}
		})
	}
}

// TestWhoIsConnectedTo: a client refuses servers.
func TestWhoIsConnectedTo(t *testing.T) {
	ca, roots := authority(t)
	good, old := issue(t, &ca, valid), issue(t, &ca, expired)
	for _, tt := range []struct {
		name   string
		server identity
		client *Transport
		want   error
		text   string
	}{
		{name: "not pinned", server: newIdentity(t, "x"), client: connecting(), want: ErrNotPinned},
		{name: "expired", server: old, client: New(WithRoots(roots)), text: "expired"},
		{name: "expired and pinned", server: old, client: New(WithPins(old.key)), want: ErrExpired},
		{
			name: "for another host", server: good, client: New(WithRoots(roots), WithServerName("other.test")),
			text: "other.test",
		},
		{name: "unknown to the system", server: good, client: New(), text: "certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := join(t, New(WithCertificate(tt.server.cert), WithAnyClient()), tt.client, "127.0.0.1:0")
			atServer, atClient := shake(t, s, c)
			if !errors.Is(atClient, transport.ErrHandshake) || tt.want != nil && !errors.Is(atClient, tt.want) ||
				!strings.Contains(atClient.Error(), tt.text) {
				t.Errorf("at the client: %v", atClient)
			}
			if !errors.Is(atServer, transport.ErrHandshake) {
				t.Errorf("at the server: %v", atServer)
			}
		})
	}
}

// TestOtherProtocols: what is not ZMTP inside TLS 1.3 is refused, and says what it is.
func TestOtherProtocols(t *testing.T) {
	client := func(change func(*tls.Config)) func(t *testing.T, c net.Conn) {
		return func(t *testing.T, c net.Conn) {
			cfg := &tls.Config{
				InsecureSkipVerify: true, NextProtos: []string{Protocol}, Certificates: []tls.Certificate{theirs().cert},
			}
			change(cfg)
			end := tls.Client(c, cfg)
			if end.HandshakeContext(t.Context()) == nil {
				_, _ = end.Read(make([]byte, 1))
			}
		}
	}
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, c net.Conn)
		want error
		text string
	}{
		{"TLS 1.2", client(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), nil, "unsupported versions"},
		{"another ALPN", client(func(c *tls.Config) { c.NextProtos = []string{"h2"} }), nil, "application protocol"},
		{"no ALPN", client(func(c *tls.Config) { c.NextProtos = nil }), ErrProtocol, Protocol},
		{"ZMTP as it is", func(_ *testing.T, c net.Conn) {
			_, _ = c.Write(zmtp.AppendGreeting(nil, zmtp.Greeting{}))
		}, ErrNotTLS, "tls://"},
		{"HTTP", func(_ *testing.T, c net.Conn) { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n") }, ErrNotTLS, "GET"},
		{"nothing", func(_ *testing.T, c net.Conn) { c.Close() }, io.ErrUnexpectedEOF, "closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c := join(t, binding(), transport.NewTCP(), "127.0.0.1:0")
			go func() {
				tt.do(t, c)
			}()
			err := s.(transport.Handshaker).HandshakeContext(within(t))
			if !errors.Is(err, transport.ErrHandshake) || tt.want != nil && !errors.Is(err, tt.want) ||
				!strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestPlainServer: a client finds out that a server does not speak TLS.
func TestPlainServer(t *testing.T) {
	s, c := join(t, transport.NewTCP(), connecting(), "127.0.0.1:0")
	_, err := s.Write(zmtp.AppendGreeting(nil, zmtp.Greeting{}))
	must(t, err)
	err = c.(transport.Handshaker).HandshakeContext(within(t))
	if !errors.Is(err, ErrNotTLS) || !strings.Contains(err.Error(), "tcp://") {
		t.Errorf("got %v", err)
	}
}

// TestPlainClientIsTold: who speaks ZMTP to a tls:// endpoint gets an answer by which it knows.
func TestPlainClientIsTold(t *testing.T) {
	s, c := join(t, binding(), transport.NewTCP(), "127.0.0.1:0")
	go func() {
		_ = s.(transport.Handshaker).HandshakeContext(t.Context())
		s.Close()
	}()
	_, err := zmtp.Handshake(within(t), c, zmtp.Config{SocketType: zmtp.Push})
	if !errors.Is(err, zmtp.ErrNotZMTP) || !strings.Contains(err.Error(), "tls://") {
		t.Errorf("got %v", err)
	}
}

// TestSilentStrangers: accepting waits for nobody, and a handshake ends with its context.
func TestSilentStrangers(t *testing.T) {
	l := listen(t, binding(), "127.0.0.1:0")
	short, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	const strangers = 20
	for range strangers {
		raw, err := transport.NewTCP().Dial(within(t), l.Address())
		must(t, err)
		defer raw.Close()
		s, err := l.Accept()
		must(t, err)
		defer s.Close()
		go func() { done <- s.(transport.Handshaker).HandshakeContext(short) }()
	}
	c, err := connecting().Dial(within(t), l.Address())
	must(t, err)
	defer c.Close()
	s, err := l.Accept()
	must(t, err)
	defer s.Close()
	atServer, atClient := shake(t, s, c)
	must(t, atServer)
	must(t, atClient)
	cancel()
	for range strangers {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

// TestCertified: each end knows the other's certificate once the handshake is over.
func TestCertified(t *testing.T) {
	a, b := join(t, binding(), connecting(), "127.0.0.1:0")
	if got, ok := a.(transport.Certified).PeerCertificate(); ok {
		t.Errorf("before the handshake: %v", got)
	}
	atServer, atClient := shake(t, a, b)
	must(t, atServer)
	must(t, atClient)
	for _, end := range []struct {
		conn net.Conn
		peer identity
	}{{a, theirs()}, {b, ours()}} {
		got, ok := end.conn.(transport.Certified).PeerCertificate()
		want := end.peer.cert
		if !ok || got.KeyHash != end.peer.key || got.Subject != want.Leaf.Subject.String() || len(got.DER) != 1 ||
			!bytes.Equal(got.DER[0], want.Certificate[0]) {
			t.Errorf("got %v", got)
		}
		all := end.conn.(interface{ PeerCertificates() []*x509.Certificate }).PeerCertificates()
		if len(all) != 1 || !all[0].Equal(want.Leaf) {
			t.Errorf("got %v", all)
		}
	}
}

// TestNothingToBindWith: a listener says at once what it lacks.
func TestNothingToBindWith(t *testing.T) {
	for name, tr := range map[string]*Transport{
		"no certificate":     New(WithAnyClient()),
		"nobody may come in": New(WithCertificate(ours().cert)),
		"no such file":       New(WithCertificateFiles("/no/such/file", "/no/such/key"), WithAnyClient()),
		"no such list":       New(WithCertificate(ours().cert), WithPinsFile("/no/such/file")),
		"no such roots":      New(WithCertificate(ours().cert), WithRootsFile("/no/such/file")),
	} {
		t.Run(name, func(t *testing.T) {
			l, err := tr.Listen(t.Context(), "127.0.0.1:0")
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "tls://127.0.0.1:0") {
				t.Errorf("got %v, %v", l, err)
			}
		})
	}
}

// TestLazyHandshake: whoever does not know of handshakes just reads and writes.
func TestLazyHandshake(t *testing.T) {
	s, c := join(t, binding(), connecting(), "127.0.0.1:0")
	go func() { _, _ = s.Write([]byte("hello")) }()
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
}
