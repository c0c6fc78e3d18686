package socket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

var (
	serverKey, annKey, eveKey = curve.GenerateKey(), curve.GenerateKey(), curve.GenerateKey()

	errStranger = errors.New("a stranger, which stays between us")
)

// authenticated is WithAuthenticator of a function.
func authenticated(f func(context.Context, socket.Claim) (socket.User, error)) socket.Option {
	return socket.WithAuthenticator(socket.AuthenticatorFunc(f))
}

// once connects for one attempt, as far as a test is concerned.
var once = socket.WithReconnect(time.Hour, time.Hour)

// A way in is a mechanism, with what a good peer and a stranger show.
type wayIn struct {
	name             string
	server           zmtp.Mechanism
	friend, stranger zmtp.Mechanism
	good             func(socket.Claim) bool // what the friend shows
}

func waysIn() []wayIn {
	ann := annKey.Public()
	return []wayIn{
		{
			"PLAIN", zmtp.PlainServer(), zmtp.PlainClient("ann", "sesame"), zmtp.PlainClient("ann", "guess"),
			func(c socket.Claim) bool {
				return len(c.Credentials) == 2 && string(c.Credentials[0]) == "ann" && string(c.Credentials[1]) == "sesame"
			},
		},
		{
			"CURVE", curve.Server(serverKey, nil),
			curve.Client(annKey, serverKey.Public()), curve.Client(eveKey, serverKey.Public()),
			func(c socket.Claim) bool {
				return len(c.Credentials) == 1 && bytes.Equal(c.Credentials[0], ann[:]) && c.Type == "PUSH" &&
					c.Metadata["X-Color"] == "green"
			},
		},
		{"NULL", nil, nil, nil, func(c socket.Claim) bool { return len(c.Credentials) == 0 && c.Type == "" }},
	}
}

// TestAuthenticator: over each transport and by each mechanism, inproc and NULL too, who the authenticator lets in is
// known as the user that it names, and of who it refuses nothing is taken; only this side learns why.
func TestAuthenticator(t *testing.T) {
	for _, way := range waysIn() {
		eachTransport(t, func(t *testing.T, endpoint string) {
			var closed atomic.Bool // to everybody
			proven := map[string]string{"role": "admin"}
			pull := closing(t, socket.NewPull(socket.WithSecurity(way.server),
				authenticated(func(_ context.Context, c socket.Claim) (socket.User, error) {
					name := way.name
					switch {
					case c.Mechanism != name || c.Endpoint == "" || c.Address == "":
						return socket.User{}, fmt.Errorf("an unexpected claim: %v", c)
					case c.Process != nil && (c.Process.PID != os.Getpid() || int(c.Process.UID) != os.Geteuid()):
						return socket.User{}, fmt.Errorf("an unexpected process: %+v", c.Process)
					case c.Process == nil && !strings.HasPrefix(endpoint, "tcp://"):
						return socket.User{}, errors.New("no process")
					case closed.Load() || !way.good(c):
						return socket.User{}, errStranger
					}
					return socket.User{ID: "ann", Metadata: proven}, nil
				})))
			at := bind(t, pull, endpoint)

			ann := closing(t, socket.NewPush(once, socket.WithSecurity(way.friend), socket.WithMetadata("X-Color", "green")))
			connect(t, ann, at)
			send(t, ann, "let me in")
			m := recv(t, pull)
			if m.From.User != "ann" || !maps.Equal(m.From.Proven, proven) || m.From.Mechanism != way.name {
				t.Errorf("a message from %v, %+v", m.From, m.From)
			}
			if up := event(t, pull, socket.PeerUp); up.Peer != m.From || !strings.HasSuffix(up.Peer.String(), `of user "ann"`) {
				t.Errorf("event %v", up)
			}
			if up := event(t, ann, socket.PeerUp); up.Peer.User != "" || up.Peer.Mechanism != way.name {
				t.Errorf("the other side has %v, %+v", up, up.Peer)
			}

			closed.Store(way.friend == nil)
			eve := socket.NewPush(once, socket.WithSecurity(way.stranger), socket.WithLinger(0))
			defer eve.Close()
			connect(t, eve, at)
			must(t, eve.TrySend(socket.Text("never")))
			ours := event(t, pull, socket.HandshakeFailed)
			if !errors.Is(ours.Err, socket.ErrDenied) || !errors.Is(ours.Err, errStranger) {
				t.Errorf("our event is %v", ours)
			}
			theirs := event(t, eve, socket.HandshakeFailed)
			if !errors.Is(theirs.Err, zmtp.ErrRefused) || !strings.Contains(theirs.Err.Error(), `"400"`) ||
				strings.Contains(theirs.Err.Error(), errStranger.Error()) {
				t.Errorf("their event is %v", theirs)
			}
			nothing(t, pull)
			if got := pull.Stats().Received.Messages; got != 1 {
				t.Errorf("%d messages were received", got)
			}
		})
	}
}

// TestAuthenticatorStatus: what a peer is told depends on the error, by the status codes of RFC 27.
func TestAuthenticatorStatus(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func() error
		told   string // empty for the end of the connection
	}{
		{"refused", func() error { return errStranger }, "400"},
		{"broken", func() error { return &zmtp.Denial{Status: zmtp.StatusFailed, Err: errStranger} }, "500"},
		{"not now", func() error { return &zmtp.Denial{Status: zmtp.StatusTemporary, Err: errStranger} }, ""},
		{"its time was up", func() error { return context.DeadlineExceeded }, ""},
		{"a panic", func() error { panic("out of order") }, "500"},
	} {
		for _, way := range waysIn() {
			t.Run(tt.name+", "+way.name, func(t *testing.T) {
				pull := closing(t, socket.NewPull(socket.WithSecurity(way.server),
					authenticated(func(context.Context, socket.Claim) (socket.User, error) { return socket.User{}, tt.answer() })))
				eve := closing(t, socket.NewPush(once, socket.WithSecurity(way.stranger)))
				connect(t, eve, bind(t, pull, "tcp://127.0.0.1:*"))
				if ev := event(t, pull, socket.HandshakeFailed); !errors.Is(ev.Err, socket.ErrDenied) {
					t.Errorf("our event is %v", ev)
				}
				ev := event(t, eve, socket.HandshakeFailed)
				if refused := errors.Is(ev.Err, zmtp.ErrRefused); refused != (tt.told != "") ||
					refused && !strings.Contains(ev.Err.Error(), tt.told) {
					t.Errorf("their event is %v, want %q", ev, tt.told)
				}
			})
		}
	}
}

// TestStrangersMessage: what somebody sends along with its READY, without waiting to be let in, is taken if it is let
// in, and never if it is not, however long the authenticator takes.
func TestStrangersMessage(t *testing.T) {
	for _, good := range []bool{true, false} {
		t.Run(fmt.Sprintf("let in=%t", good), func(t *testing.T) {
			verdict := make(chan error)
			pull := closing(t, socket.NewPull(authenticated(func(context.Context, socket.Claim) (socket.User, error) {
				return socket.User{}, <-verdict
			})))
			r := rawDial(t, bind(t, pull, "tcp://127.0.0.1:*"))
			r.send(greeting(3, 1), readyOf("PUSH"), messageOf("sent at once"))
			r.take(zmtp.GreetingSize)
			if good {
				verdict <- nil
				if f := r.frame(); f.command() != "READY" {
					t.Errorf("got %q", f.command())
				}
				expect(t, pull, "sent at once")
				return
			}
			nothing(t, pull)
			verdict <- errStranger
			if f := r.frame(); f.command() != "ERROR" {
				t.Errorf("got %q", f.command())
			}
			r.ended()
			event(t, pull, socket.HandshakeFailed)
			nothing(t, pull)
		})
	}
}

// TestSlowAuthenticator: who waits for a slow authenticator waits alone: others are let in meanwhile as long as there
// is room, traffic flows, and a peer about which nobody decides in time is turned away and may come again. An
// authenticator that does not care for its time keeps its place until it returns.
func TestSlowAuthenticator(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		slow, stays, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var asked atomic.Int32
		pull := socket.NewPull(on(net, "srv"), socket.WithSecurity(zmtp.PlainServer()),
			socket.WithLimits(socket.Limits{MaxAuthentications: 2}),
			socket.WithAuthenticationTimeout(3*time.Second),
			authenticated(func(ctx context.Context, c socket.Claim) (socket.User, error) {
				switch asked.Add(1); string(c.Credentials[0]) {
				case "slow":
					close(slow)
					<-ctx.Done()
					return socket.User{}, context.Cause(ctx)
				case "stuck":
					close(stays)
					<-release
				}
				return socket.User{ID: string(c.Credentials[0])}, nil
			}))
		defer pull.Close()
		seen := record(pull, nil)
		bindAt(t, pull)
		join := func(name string) *socket.Push {
			push := socket.NewPush(on(net, name), once, socket.WithSecurity(zmtp.PlainClient(name, "")))
			must(t, push.Connect(server))
			return push
		}
		early := join("early")
		defer early.Close()
		must(t, early.WaitPeers(aDay(t), 1))
		begin := time.Now()
		stranger := join("slow")
		defer stranger.Close()
		<-slow

		send(t, early, "as ever")
		expect(t, pull, "as ever")
		late := join("late")
		defer late.Close()
		must(t, late.WaitPeers(aDay(t), 1))
		if d := time.Since(begin); d > time.Second {
			t.Errorf("another peer was let in after %v", d)
		}

		stuck := join("stuck")
		defer stuck.Close()
		<-stays
		next := join("next") // for whom there is no room until the time of the first is up
		defer next.Close()
		must(t, next.WaitPeers(aDay(t), 1))
		if d := time.Since(begin); d < 3*time.Second || d > 4*time.Second {
			t.Errorf("the next one was let in after %v", d)
		}
		time.Sleep(10 * time.Second)
		failed := seen.of(socket.HandshakeFailed)
		if len(failed) != 2 {
			t.Fatalf("refused: %v", failed)
		}
		for _, ev := range failed {
			if !errors.Is(ev.Err, socket.ErrDenied) || !errors.Is(ev.Err, socket.ErrTimeout) {
				t.Errorf("refused: %v", ev)
			}
		}
		// Of the two places one is taken still.
		before := asked.Load()
		again := join("again")
		defer again.Close()
		must(t, again.WaitPeers(aDay(t), 1))
		if asked.Load() != before+1 {
			t.Errorf("asked %d times, want %d", asked.Load(), before+1)
		}
		close(release)
	})
}

// TestAuthenticatorGivesWay: a handshake that waits for the authenticator gives way to newer ones as any other does,
// and the authenticator is told that nobody waits any more; so is it by Close.
func TestAuthenticatorGivesWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := simnet.New(simnet.Config{})
		asked, over := make(chan struct{}, 8), make(chan struct{}, 8)
		pull := socket.NewPull(on(net, "srv"), socket.WithLimits(socket.Limits{MaxHandshakes: 2, MaxAuthentications: 1}),
			socket.WithAuthenticationTimeout(time.Hour), socket.WithHandshakeTimeout(time.Hour),
			authenticated(func(ctx context.Context, _ socket.Claim) (socket.User, error) {
				asked <- struct{}{}
				<-ctx.Done()
				over <- struct{}{}
				return socket.User{}, ctx.Err()
			}))
		defer pull.Close()
		seen := record(pull, nil)
		bindAt(t, pull)
		for _, host := range []string{"a", "b", "c", "d"} { // a is being asked about, b waits for its turn
			rawSim(t, net, host).send(greeting(3, 1))
			time.Sleep(time.Second)
		}
		<-asked
		<-over // a has given way to c
		<-asked
		failed := seen.of(socket.HandshakeFailed)
		if len(failed) != 2 || !errors.Is(failed[0].Err, socket.ErrEvicted) || !errors.Is(failed[1].Err, socket.ErrEvicted) {
			t.Errorf("gave way: %v", failed)
		}
		begin := time.Now()
		must(t, pull.Close())
		<-over
		if d := time.Since(begin); d > time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

// TestAuthenticatorAsksServers: a socket asks about whom it connects to only where it is the server; and who is asked
// about, and who looks at its peer before it shows itself, do not wait for each other.
func TestAuthenticatorAsksServers(t *testing.T) {
	var asked atomic.Int32
	counts := authenticated(func(context.Context, socket.Claim) (socket.User, error) {
		asked.Add(1)
		return socket.User{ID: "ann"}, nil
	})
	for _, tt := range []struct {
		name           string
		binds, connect []socket.PushOption
		binder         zmtp.Mechanism
		connector      zmtp.Mechanism
		want           int32
	}{
		{name: "NULL", connect: []socket.PushOption{counts}, want: 0},
		{
			name: "a client", connect: []socket.PushOption{counts},
			binder: curve.Server(serverKey, curve.Anyone), connector: curve.Client(annKey, serverKey.Public()), want: 0,
		},
		{
			name: "a server", connect: []socket.PushOption{counts},
			binder: curve.Client(annKey, serverKey.Public()), connector: curve.Server(serverKey, nil), want: 1,
		},
		{
			name: "a client that is bound", binds: []socket.PushOption{counts},
			binder: curve.Client(annKey, serverKey.Public()), connector: curve.Server(serverKey, curve.Anyone), want: 1,
		},
		{name: "NULL on both sides", binds: []socket.PushOption{counts}, connect: []socket.PushOption{counts}, want: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				asked.Store(0)
				binds := closing(t, socket.NewPush(append(tt.binds, socket.WithSecurity(tt.binder))...))
				pull := socket.NewPull(socket.WithSecurity(tt.connector))
				if tt.connect != nil {
					pull = socket.NewPull(socket.WithSecurity(tt.connector), counts)
				}
				closing(t, pull)
				at := bind(t, binds, endpoint)
				must(t, pull.ConnectNode(at, func(node [16]byte) error {
					if socket.NodeID(node) != socket.ThisNode() {
						return errStranger
					}
					return nil
				}))
				send(t, binds, "in")
				expect(t, pull, "in")
				if asked.Load() != tt.want {
					t.Errorf("asked %d times, want %d", asked.Load(), tt.want)
				}
			})
		})
	}
}

// TestCredentialsAreWiped: what an authenticator was given is not there any more when it has answered, also if it has
// kept hold of it.
func TestCredentialsAreWiped(t *testing.T) {
	kept := make(chan [][]byte, 1)
	pull := closing(t, socket.NewPull(socket.WithSecurity(zmtp.PlainServer()),
		authenticated(func(_ context.Context, c socket.Claim) (socket.User, error) {
			kept <- c.Credentials
			return socket.User{}, nil
		})))
	push := closing(t, socket.NewPush(socket.WithSecurity(zmtp.PlainClient("ann", "sesame"))))
	link(t, pull, push, "tcp://127.0.0.1:*")
	for _, secret := range <-kept {
		if len(secret) == 0 || !bytes.Equal(secret, make([]byte, len(secret))) {
			t.Errorf("%q is there still", secret)
		}
	}
}
