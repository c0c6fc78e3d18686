package socket

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// A toy is a mechanism of two steps in the order that PLAIN has: HELLO with a password, WELCOME, INITIATE with the
// client's metadata, READY with the server's.
type toy struct {
	server   bool
	password string
}

func (toy) Name() string     { return "TOY" }
func (m toy) AsServer() bool { return m.server }

func (m toy) New(local zmtp.Local) (zmtp.Exchange, zmtp.Command, error) {
	if m.server {
		return toyExchange{m, local}, zmtp.Command{}, nil
	}
	return toyExchange{m, local}, zmtp.Command{Name: "HELLO", Data: []byte(m.password)}, nil
}

type toyExchange struct {
	toy
	local zmtp.Local
}

var (
	errToy = errors.New("the password is another")
	errAny = errors.New("any error")
)

func (e toyExchange) Step(ctx context.Context, c zmtp.Command) (send zmtp.Command, done bool, err error) {
	switch {
	case c.Name == "HELLO" && e.server && string(c.Data) != e.password:
		return zmtp.Command{Name: zmtp.CommandError, Data: []byte("\x03400")}, false, errToy
	case c.Name == "HELLO" && e.server:
		return zmtp.Command{Name: "WELCOME"}, false, e.local.Authenticate(ctx)
	case c.Name == "WELCOME" && !e.server:
		return zmtp.Command{Name: "INITIATE", Data: e.local.Metadata}, false, e.local.Authenticate(ctx)
	case c.Name == "INITIATE" && e.server:
		return zmtp.Command{Name: zmtp.CommandReady, Data: e.local.Metadata}, true, e.local.Peer(ctx, c.Data)
	case c.Name == zmtp.CommandReady && !e.server:
		return zmtp.Command{}, true, e.local.Peer(ctx, c.Data)
	}
	return zmtp.Command{}, false, zmtp.ErrMalformed
}

// soon bounds every wait in these tests.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// endpoints to bind, one for each transport.
func endpoints(t *testing.T) map[string]string {
	return map[string]string{"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://*", "inproc": "inproc://" + t.Name()}
}

// failure is the first handshake of a socket that failed, or nil if a peer comes up before that.
func failure(t *testing.T, c *core) error {
	t.Helper()
	for e := range c.Events(soon(t)) {
		switch e.Kind {
		case HandshakeFailed:
			return e.Err
		case PeerUp:
			return nil
		default:
		}
	}
	t.Fatal("no handshake")
	return nil
}

// TestMechanisms: a mechanism of several steps lets in and keeps out over every transport, in this process as well as
// over bytes, and sockets of different mechanisms exchange nothing.
func TestMechanisms(t *testing.T) {
	for _, tt := range []struct {
		name             string
		push, pull       zmtp.Mechanism
		pushErr, pullErr error
	}{
		{"the same", toy{password: "sesame"}, toy{password: "sesame", server: true}, nil, nil},
		{"NULL", nil, zmtp.Null, nil, nil},
		{"another password", toy{password: "guess"}, toy{password: "sesame", server: true}, zmtp.ErrRefused, errToy},
		{"NULL and another", nil, toy{password: "sesame", server: true}, zmtp.ErrMechanism, zmtp.ErrMechanism},
		{"another and NULL", toy{password: "sesame"}, nil, zmtp.ErrMechanism, zmtp.ErrMechanism},
		{"two servers", toy{server: true}, toy{server: true}, zmtp.ErrMechanism, zmtp.ErrMechanism},
		{"two clients", toy{password: "sesame"}, toy{password: "sesame"}, errAny, errAny}, // one of them is told by the end
	} {
		for name, endpoint := range endpoints(t) {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				push, pull := NewPush(WithReconnect(time.Hour, time.Hour)), NewPull()
				defer push.Close()
				defer pull.Close()
				push.cfg.mechanism, pull.cfg.mechanism = tt.push, tt.pull
				at, err := pull.Bind(t.Context(), endpoint)
				must(t, err)
				must(t, push.Connect(at))
				for _, side := range []struct {
					c    *core
					want error
				}{{push.core, tt.pushErr}, {pull.core, tt.pullErr}} {
					if err := failure(t, side.c); !errors.Is(err, side.want) && (err == nil || side.want != errAny) {
						t.Errorf("%s: %v, want %v", side.c.Type(), err, side.want)
					}
				}
				if tt.pushErr != nil {
					return
				}
				must(t, push.Send(soon(t), Text("in")))
				m, err := pull.Recv(soon(t))
				must(t, err)
				if string(m.Frames[0]) != "in" || m.From.Type != "PUSH" {
					t.Errorf("received %q from %v", m, m.From)
				}
			})
		}
	}
}

// TestDeniedIsExplained: a handshake that ended because this side refused the peer says nothing of what the peer can
// stand, so that the next one with it is not made in parts.
func TestDeniedIsExplained(t *testing.T) {
	for _, err := range []error{ErrDenied, curve.ErrNotAllowed} {
		if unexplained(fmt.Errorf("handshake: %w", err)) {
			t.Errorf("%v", err)
		}
	}
}
