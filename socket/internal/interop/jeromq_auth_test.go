//go:build unix

package interop

import (
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

// TestJeroMQAuthenticated: of JeroMQ's clients who may come in does, and is who our server says; of one who may not,
// nothing is received, also not what it had sent before it was refused, while a friend's is.
func TestJeroMQAuthenticated(t *testing.T) {
	z := jeroPeer(t)
	keys := opened[*auth.Keys](t)(auth.OpenKeys(authFile(t, clientKey.Public().String()+" ann\n")))
	curveServing := []socket.Option{socket.WithSecurity(curve.Server(serverKey, nil)), socket.WithAuthenticator(keys)}
	wrongServer := curveClient(clientKey)
	wrongServer["CURVE_SERVERKEY"] = []byte(strangerKey.Public().String())
	// What the event on our side says, and what JeroMQ does. JeroMQ hangs up on a greeting with another mechanism before
	// it has sent one byte of its own, so that we cannot tell which it wants; where it is quicker, we can.
	denied, malformed := []error{socket.ErrDenied}, []error{zmtp.ErrMalformed}
	differs := []error{zmtp.ErrMechanism, io.ErrUnexpectedEOF, syscall.ECONNRESET}
	const told, hungUp = "HANDSHAKE_FAILED_AUTH", "DISCONNECTED"
	byKey, byPassword := curveClient(clientKey), plainClient("ann", "sesame")
	for _, tt := range []struct {
		name   string
		ours   []socket.Option
		jeroMQ opts
		in     bool
		friend opts
		errs   []error
		event  string
	}{
		{"CURVE", curveServing, byKey, true, nil, nil, ""},
		{"CURVE, unknown key", curveServing, curveClient(strangerKey), false, byKey, denied, told},
		{"CURVE, wrong server key", curveServing, wrongServer, false, byKey, malformed, hungUp},
		{"CURVE, NULL", curveServing, nil, false, byKey, differs, hungUp},
		{"CURVE, PLAIN", curveServing, byPassword, false, byKey, differs, hungUp},
		{"PLAIN", plainServing(), byPassword, true, nil, nil, ""},
		{"PLAIN, wrong password", plainServing(), plainClient("ann", "guess"), false, byPassword, denied, told},
		{"PLAIN, unknown user", plainServing(), plainClient("eve", "sesame"), false, byPassword, denied, told},
		{"PLAIN, NULL", plainServing(), nil, false, byPassword, differs, hungUp},
		{"PLAIN, CURVE", plainServing(), byKey, false, byPassword, differs, hungUp},
		{"NULL, PLAIN", nil, byPassword, false, nil, differs, hungUp},
		{"NULL, CURVE", nil, byKey, false, nil, differs, hungUp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pull := closing(t, socket.NewPull(append(each[socket.PullOption](tt.ours), unhurried)...))
			at := bind(t, pull, "tcp://127.0.0.1:*")
			push := z.socket(t, "PUSH", tt.jeroMQ)
			push.monitor()
			push.connect(at)
			// It is queued before there is a handshake, but if JeroMQ has been refused already it has no peer any more.
			sending := push.start("send", map[string]any{"frames": asBytes([]string{"sent at once"}), "timeout": 500})
			if tt.in {
				if m := recv(t, pull); m.From.User != "ann" || m.String() != `["sent at once"]` {
					t.Errorf("received %v from %+v", m, m.From)
				}
				return
			}
			for ev := range pull.Events(within(t)) {
				if ev.Kind == socket.PeerUp {
					t.Fatal("it came in")
				}
				if ev.Kind == socket.HandshakeFailed {
					if !slices.ContainsFunc(tt.errs, func(err error) bool { return errors.Is(ev.Err, err) }) {
						t.Errorf("event %v; want one of %v", ev, tt.errs)
					}
					break
				}
			}
			push.waitEvent(tt.event, 1)
			_, _ = sending.result()
			friend := z.socket(t, "PUSH", tt.friend)
			friend.connect(at)
			friend.send("of a friend")
			wantFrames(t, asStrings(recv(t, pull).Frames), "of a friend")
			if got := checked(t, pull).Received; got.Messages != 1 {
				t.Errorf("received %v", got)
			}
		})
	}
}

// TestJeroMQRefusesUs: where JeroMQ and its authenticator (ZAP) decide, ours come in or are refused; of one who is
// refused nothing arrives, while a friend's does.
//
// JeroMQ tells a status of 300, too, where libzmq says nothing and the client comes again; and it says ERROR without a
// reason where the HELLO of CURVE is for another server's key.
func TestJeroMQRefusesUs(t *testing.T) {
	z := jeroPeer(t)
	_, curveServer := curveEnds(false)
	plainServer := opts{"PLAIN_SERVER": 1}
	curveFriend, plainFriend := curve.Client(clientKey, serverKey.Public()), zmtp.PlainClient("ann", "sesame")
	for _, tt := range []struct {
		name         string
		jeroMQ       opts
		ours, friend zmtp.Mechanism
		in           bool
		told         string // the reason of its ERROR
	}{
		{"CURVE", curveServer, curveFriend, nil, true, ""},
		{"CURVE, unknown key", curveServer, curve.Client(strangerKey, serverKey.Public()), curveFriend, false, "400"},
		{"CURVE, wrong server key", curveServer, curve.Client(clientKey, strangerKey.Public()), curveFriend, false, `""`},
		{"CURVE, NULL", curveServer, nil, curveFriend, false, ""},
		{"CURVE, PLAIN", curveServer, plainFriend, curveFriend, false, ""},
		{"PLAIN", plainServer, plainFriend, nil, true, ""},
		{"PLAIN, wrong password", plainServer, zmtp.PlainClient("ann", "guess"), plainFriend, false, "400"},
		{"PLAIN, unknown user", plainServer, zmtp.PlainClient("eve", "sesame"), plainFriend, false, "400"},
		{"PLAIN, broken", plainServer, zmtp.PlainClient("broken", ""), plainFriend, false, "500"},
		{"PLAIN, later", plainServer, zmtp.PlainClient("later", ""), plainFriend, false, "300"},
		{"PLAIN, NULL", plainServer, nil, plainFriend, false, ""},
		{"PLAIN, CURVE", plainServer, curveFriend, plainFriend, false, ""},
		{"NULL, PLAIN", nil, plainFriend, nil, false, ""},
		{"NULL, CURVE", nil, curveFriend, nil, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pull := z.socket(t, "PULL", tt.jeroMQ)
			at := pull.bind("tcp://127.0.0.1:*")
			push := socket.NewPush(socket.WithSecurity(tt.ours), socket.WithReconnect(time.Hour, time.Hour),
				socket.WithLinger(0), unhurried)
			defer push.Close()
			connect(t, push, at)
			if err := push.TrySend(socket.Text("sent at once")); err != nil {
				t.Fatal(err)
			}
			if tt.in {
				wantFrames(t, pull.recv(), "sent at once")
				return
			}
			for ev := range push.Events(within(t)) {
				if ev.Kind == socket.PeerUp {
					t.Fatal("let in")
				}
				if ev.Kind == socket.HandshakeFailed {
					refused := errors.Is(ev.Err, zmtp.ErrRefused)
					if refused != (tt.told != "") || !strings.Contains(ev.Err.Error(), tt.told) {
						t.Errorf("event %v", ev)
					}
					break
				}
			}
			friend := closing(t, socket.NewPush(socket.WithSecurity(tt.friend), unhurried))
			connect(t, friend, at)
			send(t, friend, socket.Text("of a friend"))
			wantFrames(t, pull.recv(), "of a friend")
		})
	}
}
