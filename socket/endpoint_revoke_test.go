package socket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestRevoke: an authenticator that changes its mind ends the connection, at once or later; what came before that is
// received, and it learns when there is nothing left to end.
func TestRevoke(t *testing.T) {
	eachTransport(t, func(t *testing.T, endpoint string) {
		var mu sync.Mutex
		var revoke func(error)
		watching := 0
		count := func() int {
			mu.Lock()
			defer mu.Unlock()
			return watching
		}
		errDismissed := errors.New("has left the company")
		pull := closing(t, socket.NewPull(authenticated(func(context.Context, socket.Claim) (socket.User, error) {
			return socket.User{ID: "ann", OnRevoke: func(f func(error)) func() {
				mu.Lock()
				defer mu.Unlock()
				revoke = f
				watching++
				return func() {
					mu.Lock()
					defer mu.Unlock()
					watching--
				}
			}}, nil
		})))
		push := closing(t, socket.NewPush())
		at := bind(t, pull, endpoint)
		connect(t, push, at)
		send(t, push, "sent in time")
		waitPeers(t, pull, 1)
		waitUntil(t, "the message", func() bool { return pull.Stats().Received.Messages == 1 })
		revoke(errDismissed)
		down := event(t, pull, socket.PeerDown)
		if !errors.Is(down.Err, socket.ErrRevoked) || !errors.Is(down.Err, errDismissed) || down.Peer.User != "ann" {
			t.Errorf("event %v", down)
		}
		expect(t, pull, "sent in time")
		waitUntil(t, "it comes again, and the first one is not watched any more", func() bool {
			return len(pull.Stats().Peers) == 1 && count() == 1
		})
		must(t, push.Close())
		waitUntil(t, "nobody is watched", func() bool { return count() == 0 })
	})
	t.Run("at once", func(t *testing.T) {
		pull := closing(t, socket.NewPull(authenticated(func(context.Context, socket.Claim) (socket.User, error) {
			return socket.User{OnRevoke: func(f func(error)) func() {
				f(errStranger)
				return nil
			}}, nil
		})))
		push := closing(t, socket.NewPush(once))
		connect(t, push, bind(t, pull, "tcp://127.0.0.1:*"))
		if down := event(t, pull, socket.PeerDown); !errors.Is(down.Err, errStranger) {
			t.Errorf("event %v", down)
		}
	})
}

// TestIdentityBinding: a Router may ask that an identity belong to the user; who has none is given one as ever, and a
// name that this side gives is its own affair.
func TestIdentityBinding(t *testing.T) {
	byName := authenticated(func(_ context.Context, c socket.Claim) (socket.User, error) {
		return socket.User{ID: string(c.Credentials[0])}, nil
	})
	slash := func(user, identity string) bool { return strings.HasPrefix(identity, user+"/") }
	for _, tt := range []struct {
		name           string
		belongs        func(user, identity string) bool
		user, identity string
		refused        bool
	}{
		{"the same", nil, "ann", "ann", false},
		{"another's", nil, "eve", "ann", true},
		{"none", nil, "eve", "", false},
		{"by a rule", slash, "ann", "ann/1", false},
		{"not by the rule", slash, "eve", "ann/1", true},
	} {
		eachTransport(t, func(t *testing.T, endpoint string) {
			router := closing(t, socket.NewRouter(byName, socket.WithSecurity(zmtp.PlainServer()),
				socket.WithIdentityBinding(tt.belongs)))
			dealer := closing(t, socket.NewDealer(once, socket.WithSecurity(zmtp.PlainClient(tt.user, "")),
				socket.WithIdentity(tt.identity)))
			connect(t, dealer, bind(t, router, endpoint))
			if tt.refused {
				ev := event(t, router, socket.HandshakeFailed)
				if !errors.Is(ev.Err, socket.ErrDenied) || !strings.Contains(ev.Err.Error(), tt.user) {
					t.Errorf("%s: event %v", tt.name, ev)
				}
				if ev := event(t, dealer, socket.HandshakeFailed); !errors.Is(ev.Err, zmtp.ErrRefused) {
					t.Errorf("%s: event %v", tt.name, ev)
				}
				return
			}
			send(t, dealer, "hello")
			m := recv(t, router)
			if tt.identity != "" && string(m.Frames[0]) != tt.identity || m.From.User != tt.user {
				t.Errorf("%s: received %v from %v", tt.name, m, m.From)
			}
		})
	}
	t.Run("where nobody is asked", func(t *testing.T) {
		bound := closing(t, socket.NewDealer(socket.WithIdentity("ann")))
		at := bind(t, bound, "tcp://127.0.0.1:*")
		router := closing(t, socket.NewRouter(once, socket.WithIdentityBinding(nil)))
		connect(t, router, at)
		if ev := event(t, router, socket.HandshakeFailed); !errors.Is(ev.Err, socket.ErrDenied) {
			t.Errorf("event %v", ev)
		}
		must(t, router.Disconnect(at))
		must(t, router.ConnectAs(at, "printer"))
		waitPeers(t, router, 1)
		send(t, router, "printer", "hello")
		expect(t, bound, "hello")
	})
}

// TestClaimHidesCredentials: neither printing nor logging a claim shows a password.
func TestClaimHidesCredentials(t *testing.T) {
	c := socket.Claim{Mechanism: "PLAIN", Credentials: [][]byte{[]byte("ann"), []byte("sesame")}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(format, c) + fmt.Sprintf(format, &c)
		for _, secret := range []string{"sesame", "736573616d65", "115 101 115"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows it: %s", format, text)
			}
		}
	}
	if text := c.LogValue().String(); strings.Contains(text, "sesame") {
		t.Errorf("the log shows it: %s", text)
	}
}
