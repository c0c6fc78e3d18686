//go:build unix

package interop

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
)

// jeroSizes are messages of one frame and of several, around the step from short frames to long ones. Those of
// largeJeroSizes are beyond the buffers of both sides as well.
var (
	jeroSizes      = sizes{{0}, {1}, {255}, {256}, {64 << 10}, {0, 1, 255, 256, 0}, {0, 0}, {1, 64 << 10, 1}}
	largeJeroSizes = append(slices.Clip(jeroSizes), []int{1 << 20}, []int{0, 1 << 20, 1})
)

// TestJeroMQRoles moves every shape and size of message between each of our roles and its counterpart in JeroMQ, by
// each mechanism, whoever is its server and whoever binds.
func TestJeroMQRoles(t *testing.T) {
	z := jeroPeer(t)
	for _, role := range []struct {
		name string
		test func(t *testing.T, z *peer, l jeroLink, s side)
	}{
		{"push", jeroPush},
		{"pull", jeroPull},
		{"pub", jeroPub},
		{"sub", jeroSub},
		{"req", jeroReq},
		{"rep", jeroRep},
		{"dealer", jeroDealer},
		{"router", jeroRouter},
	} {
		t.Run(role.name, func(t *testing.T) {
			eachJeroLink(t, func(t *testing.T, l jeroLink) {
				for _, s := range []side{{"tcp", true}, {"tcp", false}} {
					t.Run(s.String(), func(t *testing.T) {
						t.Parallel()
						role.test(t, z, l, s)
					})
				}
			})
		})
	}
}

func jeroPush(t *testing.T, z *peer, l jeroLink, s side) {
	push, pull := closing(t, socket.NewPush(each[socket.PushOption](l.ours)...)), z.socket(t, "PULL", l.jero)
	link(t, push, pull, s)
	got := pull.recvMany(len(largeJeroSizes))
	sent := sendAll(t, push, largeJeroSizes, len(largeJeroSizes))
	received := got.wait(t).stream()
	sameStream(t, sent, received)
	steady(t, push)
	sameCount(t, "delivered", delivered(t, push).Delivered, received)
}

func jeroPull(t *testing.T, z *peer, l jeroLink, s side) {
	pull, push := closing(t, socket.NewPull(each[socket.PullOption](l.ours)...)), z.socket(t, "PUSH", l.jero)
	link(t, pull, push, s)
	sending := push.sendMany(largeJeroSizes, len(largeJeroSizes))
	received := recvAll(t, pull, len(largeJeroSizes))
	sent := sending.wait(t).stream()
	sameStream(t, sent, received)
	steady(t, pull)
	sameCount(t, "received", checked(t, pull).Received, sent)
}

func jeroPub(t *testing.T, z *peer, l jeroLink, s side) {
	pub := closing(t, socket.NewPub(append(each[socket.PubOption](l.ours), socket.WithOverflow(socket.Block))...))
	sub := z.socket(t, "SUB", l.jero)
	sub.subscribe("")
	link(t, pub, sub, s)
	got := sub.recvMany(len(jeroSizes)) // before waiting: a bound SUB subscribes only while its application is in a call
	waitSubscribers(t, pub, "", 1)
	sent := sendAll(t, pub, jeroSizes, len(jeroSizes))
	sameStream(t, sent, got.wait(t).stream())
	steady(t, pub)
}

func jeroSub(t *testing.T, z *peer, l jeroLink, s side) {
	sub := closing(t, socket.NewSub(append(each[socket.SubOption](l.ours), socket.WithSubscription(""))...))
	pub := z.socket(t, "PUB", l.jero)
	link(t, sub, pub, s)
	syncSub(t, sub, pub)
	sending := pub.sendMany(jeroSizes, len(jeroSizes))
	received := recvAll(t, sub, len(jeroSizes))
	sameStream(t, sending.wait(t).stream(), received)
	steady(t, sub)
}

func jeroReq(t *testing.T, z *peer, l jeroLink, s side) {
	req, rep := closing(t, socket.NewReq(each[socket.ReqOption](l.ours)...)), z.socket(t, "REP", l.jero)
	link(t, req, rep, s)
	ask(t, req, rep, jeroSizes, len(jeroSizes))
	steady(t, req)
}

// jeroRep asks one thing less of a REQ of JeroMQ that is the server: such a one, and be it of JeroMQ, gets no reply.
// JeroMQ's engine puts the user's name that its authenticator gave in front of the first message; its REQ takes that
// for a malformed reply and hangs up.
func jeroRep(t *testing.T, z *peer, l jeroLink, s side) {
	rep, req := closing(t, socket.NewRep(each[socket.RepOption](l.ours)...)), z.socket(t, "REQ", l.jero)
	link(t, rep, req, s)
	if strings.HasSuffix(l.name, "/jeromq-serves") {
		req.send("a", "", "request")
		m := recv(t, rep)
		wantFrames(t, asStrings(m.Frames), "a", "", "request")
		send(t, rep, m)
		waitEvent(t, rep, socket.PeerDown, 1)
		if req.readable(0) {
			t.Error("JeroMQ has a reply; this is no longer its fault, and the rest is to be asked of it too")
		}
		return
	}
	asking := req.askMany(jeroSizes, len(jeroSizes))
	received := answerAll(t, rep, len(jeroSizes))
	sameStream(t, asking.wait(t).stream(), received)
	steady(t, rep)
}

// jeroDealer has a ROUTER, whose first frame says whom it answers, send everything back.
func jeroDealer(t *testing.T, z *peer, l jeroLink, s side) {
	dealer := closing(t, socket.NewDealer(append(each[socket.DealerOption](l.ours), socket.WithIdentity("it's me"))...))
	router := z.socket(t, "ROUTER", l.jero)
	link(t, dealer, router, s)
	echo := router.echo(len(jeroSizes))
	sent := sendAll(t, dealer, jeroSizes, len(jeroSizes))
	received := recvAll(t, dealer, len(jeroSizes))
	sameStream(t, sent, received)
	there := echo.wait(t).stream()
	if want := received.Bytes + len("it's me")*len(jeroSizes); there.Bytes != want {
		t.Errorf("JeroMQ's ROUTER had %d bytes, want %d, with our name in front of each message", there.Bytes, want)
	}
	steady(t, dealer)
}

func jeroRouter(t *testing.T, z *peer, l jeroLink, s side) {
	router := closing(t, socket.NewRouter(each[socket.RouterOption](l.ours)...))
	dealer := z.socket(t, "DEALER", l.with(opts{"ROUTING_ID": "jero"}).jero)
	link(t, router, dealer, s)
	asking := dealer.askMany(jeroSizes, len(jeroSizes))
	var received stream
	for range jeroSizes {
		m := recv(t, router)
		if string(m.Frames[0]) != "jero" {
			t.Fatalf("the identity is %q", m.Frames[0])
		}
		received.add(m.Frames[1:])
		send(t, router, m)
	}
	sameStream(t, asking.wait(t).stream(), received)
	steady(t, router)
}

// TestJeroMQRestarts: a bound socket goes and another comes at the same place, ours or JeroMQ's, whoever is the server.
func TestJeroMQRestarts(t *testing.T) {
	z := jeroPeer(t)
	small := sizes{{0}, {1}, {255}, {256}, {3, 0, 1000}}
	const rounds = 2
	t.Run("jeromq-restarts", func(t *testing.T) {
		eachJeroLink(t, func(t *testing.T, l jeroLink) {
			t.Parallel()
			push := closing(t, socket.NewPush(each[socket.PushOption](l.with(nil, quick()).ours)...))
			endpoint := fresh(t, "tcp")
			for round := range rounds {
				pull := z.socket(t, "PULL", l.jero)
				endpoint = bindAgain(t, pull, endpoint)
				if round == 0 {
					connect(t, push, endpoint)
				}
				waitEvent(t, push, socket.PeerUp, round+1)
				got := pull.recvMany(len(small))
				sent := sendAll(t, push, small, len(small))
				sameStream(t, sent, got.wait(t).stream())
				pull.do("close", nil)
				waitEvent(t, push, socket.PeerDown, round+1)
			}
		})
	})
	t.Run("yodel-restarts", func(t *testing.T) {
		eachJeroLink(t, func(t *testing.T, l jeroLink) {
			t.Parallel()
			push := z.socket(t, "PUSH", l.with(opts{"RECONNECT_IVL": 20}).jero)
			push.monitor()
			endpoint := fresh(t, "tcp")
			for round := range rounds {
				pull := closing(t, socket.NewPull(each[socket.PullOption](l.ours)...))
				endpoint = bind(t, pull, endpoint)
				if round == 0 {
					push.connect(endpoint)
				}
				waitPeers(t, pull, 1)
				sending := push.sendMany(small, len(small))
				received := recvAll(t, pull, len(small))
				sameStream(t, sending.wait(t).stream(), received)
				if err := pull.Close(); err != nil {
					t.Error(err)
				}
				push.waitEvent("DISCONNECTED", round+1)
			}
		})
	})
}

// bindAgain binds a socket of JeroMQ where another was, which JeroMQ closes in the background.
func bindAgain(t *testing.T, z *zsock, endpoint string) (bound string) {
	t.Helper()
	for ctx := within(t); ; {
		r, err := z.start("bind", map[string]any{"endpoint": endpoint}).result()
		if err == nil {
			return r.Endpoint
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// TestJeroMQHeartbeats leaves connections alone for longer than a peer that beats bears silence. JeroMQ needs our
// PONGs, we need its next PING, as each allows it two seconds. JeroMQ says that it speaks ZMTP 3.0, so that it is sent
// no PING of ours, and not dropped for silence, whatever our settings.
func TestJeroMQHeartbeats(t *testing.T) {
	z := jeroPeer(t)
	beating := opts{"HEARTBEAT_IVL": 200, "HEARTBEAT_TIMEOUT": 2000, "HEARTBEAT_TTL": 2000}
	for _, who := range []struct {
		name   string
		jeroMQ opts
		ours   []socket.Option
	}{
		{"jeromq-beats", beating, nil},
		{"both-beat", beating, []socket.Option{ourHeart()}},
	} {
		t.Run(who.name, func(t *testing.T) {
			eachJeroLink(t, func(t *testing.T, l jeroLink) {
				t.Parallel()
				l = l.with(who.jeroMQ, who.ours...)
				onTimeWithin(t, z, time.Second, func(t *testing.T) error {
					pull := closing(t, socket.NewPull(each[socket.PullOption](l.ours)...))
					push := z.socket(t, "PUSH", l.jero)
					push.monitor()
					link(t, pull, push, side{"tcp", true})
					stay(t, pull, 2500*time.Millisecond)
					if i := slices.IndexFunc(eventsOf(pull), isLoss); i >= 0 {
						return errors.New(eventsOf(pull)[i].String())
					}
					if slices.Contains(push.events(), "DISCONNECTED") {
						return errors.New("JeroMQ has hung up")
					}
					push.send("still here")
					wantFrames(t, asStrings(recv(t, pull).Frames), "still here")
					return nil
				})
			})
		})
	}
}

// TestJeroMQTTL: what JeroMQ says in its PING of how long it may be silent is obeyed.
func TestJeroMQTTL(t *testing.T) {
	z := jeroPeer(t)
	eachJeroLink(t, func(t *testing.T, l jeroLink) {
		t.Parallel()
		pull := closing(t, socket.NewPull(each[socket.PullOption](l.ours)...))
		push := z.socket(t, "PUSH", l.with(opts{
			"HEARTBEAT_IVL": 400, "HEARTBEAT_TIMEOUT": 60_000, "HEARTBEAT_TTL": 100, "RECONNECT_IVL": 60_000,
		}).jero)
		link(t, pull, push, side{"tcp", true})
		if ev := waitEvent(t, pull, socket.PeerDown, 1); !errors.Is(ev.Err, socket.ErrHeartbeat) {
			t.Errorf("it went by %v", ev.Err)
		}
	})
}
