//go:build unix

package interop

import (
	"errors"
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/zmtp"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

var serverKey, clientKey = curve.GenerateKey(), curve.GenerateKey()

// curveEnds are the two ends of CURVE, ours as server or as client. libzmq as a server lets everybody in here; that it
// refuses, and that we do, is tested in pyzmq.
func curveEnds(server bool) (ours socket.Option, libzmq opts) {
	z := func(k *curve.SecretKey) opts {
		return opts{"CURVE_SECRETKEY": []byte(k.Z85()), "CURVE_PUBLICKEY": []byte(k.Public().String())}
	}
	if server {
		libzmq = z(clientKey)
		libzmq["CURVE_SERVERKEY"] = []byte(serverKey.Public().String())
		return socket.WithSecurity(curve.Server(serverKey, curve.Allow(clientKey.Public()))), libzmq
	}
	libzmq = z(serverKey)
	libzmq["CURVE_SERVER"] = 1
	return socket.WithSecurity(curve.Client(clientKey, serverKey.Public())), libzmq
}

// TestLibzmqCurve moves every shape and size of message, encrypted, each way, whoever binds and whoever is the server.
func TestLibzmqCurve(t *testing.T) {
	z := sharedPeer(t)
	all := allSizes()
	for _, server := range []bool{true, false} {
		secure, o := curveEnds(server)
		t.Run(fmt.Sprintf("server=%t", server), func(t *testing.T) {
			eachSide(t, func(t *testing.T, s side) {
				t.Run("push", func(t *testing.T) {
					push, pull := closing(t, socket.NewPush(secure)), z.socket(t, "PULL", o)
					link(t, push, pull, s)
					defer sample(t, push)()
					got := pull.recvMany(len(all))
					sent := sendAll(t, push, all, len(all))
					received := got.wait(t).stream()
					sameStream(t, sent, received)
					steady(t, push)
					sameCount(t, "delivered", delivered(t, push).Delivered, received)
				})
				t.Run("pull", func(t *testing.T) {
					pull, push := closing(t, socket.NewPull(secure)), z.socket(t, "PUSH", o)
					link(t, pull, push, s)
					defer sample(t, pull)()
					sending := push.sendMany(all, len(all))
					received := recvAll(t, pull, len(all))
					sameStream(t, sending.wait(t).stream(), received)
					steady(t, pull)
					sameCount(t, "received", checked(t, pull).Received, received)
				})
				t.Run("pub", func(t *testing.T) {
					pub := closing(t, socket.NewPub(socket.WithOverflow(socket.Block), secure))
					sub := z.socket(t, "SUB", o)
					sub.subscribe("")
					link(t, pub, sub, s)
					got := sub.recvMany(len(all))
					waitSubscribers(t, pub, "", 1)
					sent := sendAll(t, pub, all, len(all))
					sameStream(t, sent, got.wait(t).stream())
				})
				t.Run("sub", func(t *testing.T) {
					sub := closing(t, socket.NewSub(socket.WithSubscription(""), secure))
					pub := z.socket(t, "PUB", o)
					pub.set(opts{"SNDHWM": 0})
					link(t, sub, pub, s)
					syncSub(t, sub, pub)
					sending := pub.sendMany(all, len(all))
					received := recvAll(t, sub, len(all))
					sameStream(t, sending.wait(t).stream(), received)
				})
			})
		})
	}
}

// TestLibzmqCurveMismatch: a socket with CURVE and a libzmq without it exchange nothing.
func TestLibzmqCurveMismatch(t *testing.T) {
	z := sharedPeer(t)
	secure, _ := curveEnds(true)
	pull, push := closing(t, socket.NewPull(secure)), z.socket(t, "PUSH", nil)
	at, err := pull.Bind(t.Context(), "tcp://127.0.0.1:*")
	if err != nil {
		t.Fatal(err)
	}
	push.connect(at)
	for e := range pull.Events(lasting(t, patience)) {
		if e.Kind == socket.HandshakeFailed && !errors.Is(e.Err, zmtp.ErrRefused) {
			break
		}
		if e.Kind == socket.PeerUp {
			t.Fatal("it came in")
		}
	}
	if l := checked(t, pull).Ledger; l.Received.Messages > 0 {
		t.Errorf("received %v", l.Received)
	}
}
