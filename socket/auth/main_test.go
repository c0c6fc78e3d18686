package auth_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is longer than anything takes unless it hangs.
const patience = 30 * time.Second

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write puts a text in place of a file at once, as careful programs do.
func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path+".new", []byte(text), 0o600))
	must(t, os.Rename(path+".new", path))
}

func newFile(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "list")
	write(t, path, text)
	return path
}

// A server is a PULL with an authenticator.
func newServer(t testing.TB, m zmtp.Mechanism, a socket.Authenticator, endpoint string) (pull *socket.Pull, at string) {
	t.Helper()
	pull = socket.NewPull(socket.WithSecurity(m), socket.WithAuthenticator(a))
	t.Cleanup(func() { pull.Close() })
	at, err := pull.Bind(within(t), endpoint)
	must(t, err)
	return pull, at
}

// newClient connects once, as far as a test is concerned.
func newClient(t testing.TB, m zmtp.Mechanism, at string) *socket.Push {
	t.Helper()
	push := socket.NewPush(socket.WithSecurity(m), socket.WithReconnect(time.Hour, time.Hour))
	t.Cleanup(func() { push.Close() })
	must(t, push.Connect(at))
	return push
}

// event waits for an event that fits.
func event(t testing.TB, s socket.Socket, what string, fits func(socket.Event) bool) (found socket.Event) {
	t.Helper()
	for ev := range s.Events(within(t)) {
		if fits(ev) {
			return ev
		}
	}
	t.Fatalf("no event: %s", what)
	return socket.Event{}
}

// wantUser waits until a user has come in.
func wantUser(t testing.TB, pull *socket.Pull, user string) {
	t.Helper()
	event(t, pull, "up "+user, func(ev socket.Event) bool { return ev.Kind == socket.PeerUp && ev.Peer.User == user })
}

// wantDenied waits until somebody was refused for a reason.
func wantDenied(t testing.TB, pull *socket.Pull, why error) {
	t.Helper()
	event(t, pull, "refused: "+why.Error(), func(ev socket.Event) bool {
		return ev.Kind == socket.HandshakeFailed && errors.Is(ev.Err, socket.ErrDenied) && errors.Is(ev.Err, why)
	})
}

// wantRevoked waits until a user has had to go.
func wantRevoked(t testing.TB, pull *socket.Pull, user string) {
	t.Helper()
	event(t, pull, "revoked "+user, func(ev socket.Event) bool {
		return ev.Kind == socket.PeerDown && ev.Peer.User == user && errors.Is(ev.Err, socket.ErrRevoked)
	})
}

// users are those who are there.
func users(pull *socket.Pull) (names []string) {
	for _, p := range pull.Stats().Peers {
		names = append(names, p.Peer.User)
	}
	return names
}

// ask asks an authenticator.
func ask(t testing.TB, a socket.Authenticator, c socket.Claim) (socket.User, error) {
	t.Helper()
	return a.Authenticate(within(t), c)
}

func plain(user, password string) socket.Claim {
	return socket.Claim{Mechanism: "PLAIN", Credentials: [][]byte{[]byte(user), []byte(password)}}
}
