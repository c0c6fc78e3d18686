//go:build unix

package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/socket/auth"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

var strangerKey = curve.GenerateKey()

// authFile puts a list of who may come in into a file.
func authFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// opened closes an authenticator at the end of the test.
func opened[A interface{ Close() error }](t *testing.T) func(A, error) A {
	return func(a A, err error) A {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		return a
	}
}

// curveClient are libzmq's options for a client of our server.
func curveClient(k *curve.SecretKey) opts {
	return opts{
		"CURVE_SECRETKEY": []byte(k.Z85()), "CURVE_PUBLICKEY": []byte(k.Public().String()),
		"CURVE_SERVERKEY": []byte(serverKey.Public().String()),
	}
}

func plainClient(user, password string) opts {
	return opts{"PLAIN_USERNAME": []byte(user), "PLAIN_PASSWORD": []byte(password)}
}

// TestLibzmqAuthenticated: libzmq's clients come in by the ready-made authenticators, and are who those say; what one
// that is refused had sent before is never received, and it learns that it was refused, as far as it can: with PLAIN
// libzmq spells the command otherwise.
func TestLibzmqAuthenticated(t *testing.T) {
	z := sharedPeer(t)
	keys := opened[*auth.Keys](t)(auth.OpenKeys(authFile(t, fmt.Sprintln(clientKey.Public(), "ann"))))
	passwords := opened[*auth.Passwords](t)(auth.OpenPasswords(authFile(t, "ann:"+auth.HashPassword("sesame"))))
	me := uint32(os.Geteuid())
	everyone := auth.AnyOf(keys, passwords, auth.UIDs(me))
	curveServer := curve.Server(serverKey, nil)
	for _, tt := range []struct {
		name      string
		mechanism zmtp.Mechanism
		a         socket.Authenticator
		network   string // empty for tcp and ipc
		libzmq    opts
		user      string // empty if it is refused
		event     string // what libzmq says of it
	}{
		{"CURVE", curveServer, keys, "", curveClient(clientKey), "ann", "HANDSHAKE_SUCCEEDED"},
		{"CURVE, stranger", curveServer, keys, "", curveClient(strangerKey), "", "HANDSHAKE_FAILED_AUTH"},
		{"PLAIN", zmtp.PlainServer(), passwords, "", plainClient("ann", "sesame"), "ann", "HANDSHAKE_SUCCEEDED"},
		{"PLAIN, guess", zmtp.PlainServer(), passwords, "", plainClient("ann", "guess"), "", "HANDSHAKE_FAILED_PROTOCOL"},
		{"PLAIN, nobody", zmtp.PlainServer(), passwords, "", plainClient("eve", "sesame"), "", "HANDSHAKE_FAILED_PROTOCOL"},
		{"NULL, uid", nil, auth.UIDs(me), "ipc", nil, fmt.Sprint("uid:", me), "HANDSHAKE_SUCCEEDED"},
		{"NULL, another uid", nil, auth.UIDs(me + 1), "", nil, "", "HANDSHAKE_FAILED_AUTH"},
		{"any of them, CURVE", curveServer, everyone, "", curveClient(clientKey), "ann", "HANDSHAKE_SUCCEEDED"},
		{"any of them, stranger", curveServer, everyone, "tcp", curveClient(strangerKey), "", "HANDSHAKE_FAILED_AUTH"},
		{
			"any of them, stranger of the same user", curveServer, everyone, "ipc", curveClient(strangerKey),
			fmt.Sprint("uid:", me), "HANDSHAKE_SUCCEEDED",
		},
	} {
		for _, network := range []string{"tcp", "ipc"} {
			if tt.network != "" && tt.network != network {
				continue
			}
			t.Run(tt.name+", "+network, func(t *testing.T) {
				pull := closing(t, socket.NewPull(socket.WithSecurity(tt.mechanism), socket.WithAuthenticator(tt.a)))
				at, err := pull.Bind(t.Context(), map[string]string{"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://*"}[network])
				if err != nil {
					t.Fatal(err)
				}
				push := z.socket(t, "PUSH", tt.libzmq)
				push.monitor()
				push.connect(at)
				// It is queued before there is a handshake, but if libzmq has been refused already it has no peer any more.
				sending := push.start("send", map[string]any{"frames": asBytes([]string{"sent at once"}), "timeout": 500})
				push.waitEvent(tt.event, 1)
				_, _ = sending.result()
				if tt.user != "" {
					m, err := pull.Recv(lasting(t, patience))
					if err != nil || m.From.User != tt.user {
						t.Fatalf("received %v from %+v, %v", m, m.From, err)
					}
					return
				}
				for ev := range pull.Events(lasting(t, patience)) {
					if ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, socket.ErrDenied) {
						break
					}
				}
				if got := checked(t, pull).Received; got.Messages > 0 {
					t.Errorf("received %v of a stranger", got)
				}
			})
		}
	}
}

// TestLibzmqStatus: a libzmq that is told 500 knows that it was refused; one about which nobody could decide comes
// again by itself, and is let in then.
func TestLibzmqStatus(t *testing.T) {
	z := sharedPeer(t)
	for _, status := range []int{zmtp.StatusFailed, zmtp.StatusTemporary} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var asked atomic.Int32
			pull := closing(t, socket.NewPull(socket.WithSecurity(curve.Server(serverKey, nil)), socket.WithAuthenticator(
				socket.AuthenticatorFunc(func(context.Context, socket.Claim) (socket.User, error) {
					if asked.Add(1) == 1 {
						return socket.User{}, &zmtp.Denial{Status: status, Err: errors.New("the database is away")}
					}
					return socket.User{ID: "ann"}, nil
				}))))
			at, err := pull.Bind(t.Context(), "tcp://127.0.0.1:*")
			if err != nil {
				t.Fatal(err)
			}
			o := curveClient(clientKey)
			o["RECONNECT_IVL"] = 10
			push := z.socket(t, "PUSH", o)
			push.monitor()
			push.connect(at)
			if status == zmtp.StatusFailed {
				push.waitEvent("HANDSHAKE_FAILED_AUTH", 1)
				return
			}
			push.send("hello")
			push.waitEvent("HANDSHAKE_SUCCEEDED", 1)
			if m, err := pull.Recv(lasting(t, patience)); err != nil || m.From.User != "ann" {
				t.Errorf("received %v, %v", m, err)
			}
			if events := push.events(); slices.Contains(events, "HANDSHAKE_FAILED_AUTH") {
				t.Errorf("libzmq saw %q", events)
			}
		})
	}
}

// TestLibzmqRefusesUs: where libzmq's own authenticator (ZAP) decides, ours come in or are told the status; of one who
// is refused nothing arrives.
func TestLibzmqRefusesUs(t *testing.T) {
	z := startPeer(t) // whose servers all ask that authenticator
	clients := clientKey.Public()
	(&zsock{t, z, 0}).do("authenticate", map[string]any{
		"users": map[string]any{"ann": "sesame"}, "keys": [][]byte{clients[:]},
		"statuses": map[string]any{"broken": "500", "later": "300"},
	})
	curveServer := opts{
		"CURVE_SECRETKEY": []byte(serverKey.Z85()), "CURVE_PUBLICKEY": []byte(serverKey.Public().String()), "CURVE_SERVER": 1,
	}
	plainServer := opts{"PLAIN_SERVER": 1}
	for _, tt := range []struct {
		name   string
		libzmq opts
		ours   zmtp.Mechanism
		told   string // the status; empty if we are let in
	}{
		{"CURVE", curveServer, curve.Client(clientKey, serverKey.Public()), ""},
		{"CURVE, stranger", curveServer, curve.Client(strangerKey, serverKey.Public()), "400"},
		{"PLAIN", plainServer, zmtp.PlainClient("ann", "sesame"), ""},
		{"PLAIN, guess", plainServer, zmtp.PlainClient("ann", "guess"), "400"},
		{"PLAIN, broken", plainServer, zmtp.PlainClient("broken", ""), "500"},
		{"PLAIN, later", plainServer, zmtp.PlainClient("later", ""), "300"}, // of which libzmq says nothing, and may hang up
	} {
		for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://*"} {
			t.Run(tt.name+", "+endpoint[:3], func(t *testing.T) {
				pull := z.socket(t, "PULL", tt.libzmq)
				push := socket.NewPush(socket.WithSecurity(tt.ours), socket.WithReconnect(time.Hour, time.Hour),
					socket.WithHandshakeTimeout(time.Second), socket.WithLinger(0))
				defer push.Close()
				if err := push.Connect(pull.bind(endpoint)); err != nil {
					t.Fatal(err)
				}
				if err := push.TrySend(socket.Text("sent at once")); err != nil {
					t.Fatal(err)
				}
				if tt.told == "" {
					if got := pull.recv(); len(got) != 1 || got[0] != "sent at once" {
						t.Errorf("libzmq received %q", got)
					}
					return
				}
				for ev := range push.Events(lasting(t, patience)) {
					if ev.Kind == socket.PeerUp {
						t.Fatal("let in")
					}
					if ev.Kind != socket.HandshakeFailed {
						continue
					}
					refused := errors.Is(ev.Err, zmtp.ErrRefused)
					if refused != (tt.told != "300") || refused && !strings.Contains(ev.Err.Error(), tt.told) {
						t.Errorf("event %v", ev)
					}
					break
				}
				if pull.readable(0) {
					t.Error("libzmq received it")
				}
			})
		}
	}
}
