package pyzmq_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket/internal/pyzmq"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// Mechanisms against libzmq, by handshake and frames alone: one end is a connection of this process, the other a DEALER
// of libzmq's.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is longer than anything takes unless it hangs.
const patience = 30 * time.Second

var (
	serverKey, clientKey, otherKey = curve.GenerateKey(), curve.GenerateKey(), curve.GenerateKey()

	errRefused = errors.New("another password")
)

// A peer is libzmq's end.
type peer struct {
	*pyzmq.Process
	t *testing.T
}

func start(t *testing.T) peer {
	p := peer{pyzmq.Start(t), t}
	clients := clientKey.Public()
	p.do("authenticate", 0, map[string]any{"users": map[string]any{"ann": "sesame"}, "keys": [][]byte{clients[:]}})
	return p
}

// do gives a command and waits for what it answers.
func (p peer) do(op string, sock int, args map[string]any) pyzmq.Reply {
	p.t.Helper()
	r, err := p.Send(op, sock, args).Wait(patience)
	if err != nil {
		p.t.Fatalf("%s: %v", op, err)
	}
	return r
}

func text(s string) map[string]any { return map[string]any{"b64": []byte(s)} }

// curveKeys are the options of a key pair.
func curveKeys(k *curve.SecretKey) map[string]any {
	return map[string]any{"CURVE_SECRETKEY": text(k.Z85()), "CURVE_PUBLICKEY": text(k.Public().String())}
}

func with(options map[string]any, name string, value any) map[string]any {
	options[name] = value
	return options
}

func checkPlain(_ context.Context, c zmtp.Claim) (zmtp.User, error) {
	if string(c.Credentials[0]) != "ann" || string(c.Credentials[1]) != "sesame" {
		return zmtp.User{}, errRefused
	}
	return zmtp.User{ID: "ann"}, nil
}

// listen opens an endpoint of ours, and says how libzmq and how net call it.
func listen(t *testing.T, network string) (l net.Listener, endpoint string) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = socketPath(t)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if network == "unix" {
		return l, "ipc://" + address
	}
	return l, "tcp://" + l.Addr().String()
}

func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "zmq")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// connect brings a connection to libzmq's socket, which has options: it listens or, if asServer, we do.
func (p peer) connect(sock int, network string, asServer bool, options map[string]any) net.Conn {
	p.t.Helper()
	p.do("socket", sock, map[string]any{"type": "DEALER", "options": options})
	p.t.Cleanup(func() { p.do("close", sock, nil) })
	p.do("monitor", sock, nil)
	var conn net.Conn
	var err error
	if asServer {
		l, endpoint := listen(p.t, network)
		p.do("connect", sock, map[string]any{"endpoint": endpoint})
		conn, err = l.Accept()
	} else {
		endpoint := "tcp://127.0.0.1:*"
		if network == "unix" {
			endpoint = "ipc://" + socketPath(p.t)
		}
		_, address, _ := strings.Cut(p.do("bind", sock, map[string]any{"endpoint": endpoint}).Endpoint, "://")
		conn, err = new(net.Dialer).DialContext(p.t.Context(), network, address)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	return conn
}

// TestMechanisms: good and bad credentials, either end the server, over tcp and ipc; messages go both ways whole.
func TestMechanisms(t *testing.T) {
	p := start(t)
	plainUser := func(password string) map[string]any {
		return map[string]any{"PLAIN_USERNAME": text("ann"), "PLAIN_PASSWORD": text(password)}
	}
	curveServer := with(curveKeys(serverKey), "CURVE_SERVER", 1)
	toServer := func(k *curve.SecretKey, server *curve.SecretKey) map[string]any {
		return with(curveKeys(k), "CURVE_SERVERKEY", text(server.Public().String()))
	}
	allow := curve.Allow(clientKey.Public())
	sock := 0
	for _, tt := range []struct {
		name    string
		cfg     zmtp.Config
		options map[string]any // libzmq's
		err     error
		event   string // what libzmq says of it
	}{
		{
			"CURVE client",
			zmtp.Config{Mechanism: curve.Client(clientKey, serverKey.Public())},
			curveServer,
			nil, "HANDSHAKE_SUCCEEDED",
		},
		{
			"CURVE client that is not allowed",
			zmtp.Config{Mechanism: curve.Client(otherKey, serverKey.Public())},
			curveServer,
			zmtp.ErrRefused, "HANDSHAKE_FAILED_AUTH",
		},
		{
			"CURVE client of another server",
			zmtp.Config{Mechanism: curve.Client(clientKey, otherKey.Public())},
			curveServer,
			io.ErrUnexpectedEOF, "HANDSHAKE_FAILED_PROTOCOL",
		},
		{
			"CURVE server",
			zmtp.Config{Mechanism: curve.Server(serverKey, allow)},
			toServer(clientKey, serverKey),
			nil, "HANDSHAKE_SUCCEEDED",
		},
		{
			"CURVE server of one it does not allow",
			zmtp.Config{Mechanism: curve.Server(serverKey, allow)},
			toServer(otherKey, serverKey), curve.ErrNotAllowed, "HANDSHAKE_FAILED_AUTH",
		},
		{
			"CURVE server of one that wants another",
			zmtp.Config{Mechanism: curve.Server(serverKey, allow)},
			toServer(clientKey, otherKey), zmtp.ErrMalformed, "HANDSHAKE_FAILED_NO_DETAIL",
		},
		// libzmq hangs up on another mechanism before it has said what its own is.
		{
			"CURVE server of a NULL client",
			zmtp.Config{Mechanism: curve.Server(serverKey, allow)},
			map[string]any{},
			io.ErrUnexpectedEOF, "HANDSHAKE_FAILED_PROTOCOL",
		},
		{
			"CURVE server of a PLAIN client",
			zmtp.Config{Mechanism: curve.Server(serverKey, allow)},
			plainUser("sesame"),
			io.ErrUnexpectedEOF, "HANDSHAKE_FAILED_PROTOCOL",
		},
		{
			"NULL client of a CURVE server",
			zmtp.Config{},
			curveServer,
			io.ErrUnexpectedEOF, "HANDSHAKE_FAILED_PROTOCOL",
		},
		{
			"PLAIN client",
			zmtp.Config{Mechanism: zmtp.PlainClient("ann", "sesame")},
			map[string]any{"PLAIN_SERVER": 1},
			nil, "HANDSHAKE_SUCCEEDED",
		},
		{
			"PLAIN client with another password",
			zmtp.Config{Mechanism: zmtp.PlainClient("ann", "guess")},
			map[string]any{"PLAIN_SERVER": 1},
			zmtp.ErrRefused, "HANDSHAKE_FAILED_AUTH",
		},
		{
			"PLAIN server",
			zmtp.Config{Mechanism: zmtp.PlainServer(), Authenticate: checkPlain},
			plainUser("sesame"),
			nil, "HANDSHAKE_SUCCEEDED",
		},
		{
			"PLAIN server of one with another password",
			zmtp.Config{Mechanism: zmtp.PlainServer(), Authenticate: checkPlain},
			plainUser("guess"), errRefused, "HANDSHAKE_FAILED_PROTOCOL", // libzmq spells ERROR otherwise
		},
	} {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(tt.name+", "+network, func(t *testing.T) {
				p := peer{p.Process, t}
				sock++
				tt.cfg.SocketType = zmtp.Dealer
				asServer := tt.cfg.Mechanism != nil && tt.cfg.Mechanism.AsServer()
				conn := p.connect(sock, network, asServer, tt.options)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				s, err := zmtp.Handshake(ctx, conn, tt.cfg)
				if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
					t.Fatalf("%v; want %v", err, tt.err)
				}
				if err != nil {
					conn.Close()
				}
				p.do("waitevent", sock, map[string]any{"name": tt.event, "count": 1})
				var refused *zmtp.RefusedError
				if errors.As(err, &refused) && refused.Reason != "400" {
					t.Errorf("refused for %q", refused.Reason)
				}
				if err == nil {
					p.exchange(sock, conn, s)
				}
			})
		}
	}
}

// seal adds the frame of a message, in whatever way the session has for it.
func seal(s *zmtp.Session, b []byte, flags byte, body []byte) []byte {
	if s.Sealer != nil {
		return s.Sealer.Seal(b, flags, body)
	}
	return append(zmtp.AppendHeader(b, flags, len(body)), body...)
}

// exchange sends messages of all kinds, which libzmq sends back, and a PING in their midst, which it answers.
func (p peer) exchange(sock int, conn net.Conn, s *zmtp.Session) {
	p.t.Helper()
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<20/16)
	messages := [][][]byte{
		{[]byte("one")},
		{{}},
		{{}, []byte("after an empty frame"), {}},
		{long[:31], long[:32], long[:33], long[:222], long[:223], long[:255], long[:256]},
		{long[:8191], long[:70_000]},
		{long},
		{[]byte("last")},
	}
	echo := p.Send("echo", sock, map[string]any{"count": len(messages)})
	var out []byte
	for i, m := range messages {
		for j, f := range m {
			flags := byte(zmtp.FlagMore)
			if j == len(m)-1 {
				flags = 0
			}
			out = seal(s, out, flags, f)
		}
		if i == 2 {
			out = seal(s, out, zmtp.FlagCommand, []byte("\x04PING\x00\x64pong?"))
		}
	}
	go func() { _, _ = conn.Write(out) }()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	r := zmtp.NewReader(conn, s.Rest, zmtp.Limits{})
	if s.Opener != nil {
		r.SetOpener(s.Opener)
	}
	var got [][][]byte
	var pongs []string
	for len(got) < len(messages) {
		batch, err := r.Next(zmtp.HandlerFunc(func(name string, data []byte, _ int) error {
			pongs = append(pongs, name+" "+string(data))
			return nil
		}))
		got = append(got, batch...)
		if err != nil {
			p.t.Fatalf("after %d messages: %v", len(got), err)
		}
	}
	for i, m := range messages {
		if !slices.EqualFunc(got[i], m, bytes.Equal) {
			p.t.Errorf("message %d came back otherwise", i)
		}
	}
	if !slices.Equal(pongs, []string{"PONG pong?"}) {
		p.t.Errorf("PING was answered by %q", pongs)
	}
	if _, err := echo.Wait(patience); err != nil {
		p.t.Error(err)
	}
}
