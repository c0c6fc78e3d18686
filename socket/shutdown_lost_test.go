package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// What was delivered to a peer that was given up for its silence while Shutdown was waiting for the rest to leave may
// be lost, and Shutdown says so, also when another peer has taken the rest and closed.
func TestShutdownSaysThatAPeerWasGivenUpMeanwhile(t *testing.T) {
	ln := rawListen(t)
	push := closing(t, socket.NewPush(socket.WithReconnect(time.Millisecond, 10*time.Millisecond),
		socket.WithHeartbeat(time.Second, 3*time.Second, 0)))
	must(t, push.Connect(ln.endpoint()))
	first := ln.accept()
	first.shake("PULL", yodelProperty) // and reads no more
	for range 500 {                    // more than the kernels take
		first.send(zmtp.AppendPong(nil, nil))
		must(t, push.Send(within(t), socket.NewMsg(bytes.Repeat([]byte("x"), 64<<10))))
	}
	ended := make(chan error, 1)
	go func() { ended <- push.Shutdown(within(t)) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !errors.Is(push.TrySend(socket.Text("late")), socket.ErrClosed) { // it shows signs of life until that has begun
		first.send(zmtp.AppendPong(nil, nil))
		<-tick.C
	}
	second := ln.accept()
	second.shake("PULL", yodelProperty)
	_, _ = io.Copy(io.Discard, second.Conn)
	second.Close()
	if err := <-ended; !errors.Is(err, socket.ErrUnconfirmed) {
		t.Errorf("Shutdown says %v, want ErrUnconfirmed", err)
	}
}

// What was delivered to a peer that resets the connection while Shutdown is waiting for the rest to leave is lost if
// the peer has not read it, and Shutdown says so, though what the peer had sent before is unread here and hides the
// reset. A peer that has read everything and closes has lost nothing.
func TestShutdownSaysThatAPeerHasResetBehindUnreadMessages(t *testing.T) {
	for _, endpoint := range []string{"tcp://127.0.0.1:*", "ipc://*"} {
		for _, c := range []struct {
			name  string
			reads bool
			want  error
		}{
			{"reset", false, socket.ErrUnconfirmed},
			{"end", true, nil},
		} {
			t.Run(endpoint[:3]+"/"+c.name, func(t *testing.T) {
				router := closing(t, socket.NewRouter(socket.WithRecvHWM(1)))
				at := bind(t, router, endpoint)
				network, address, _ := strings.Cut(at, "://")
				dial := func() *raw {
					conn, err := net.Dial(map[string]string{"tcp": "tcp", "ipc": "unix"}[network], address)
					must(t, err)
					return newRaw(t, conn)
				}
				first, second := dial(), dial()
				first.shake("DEALER", zmtp.Property{Name: "Identity", Value: []byte("first")})
				second.shake("DEALER", zmtp.Property{Name: "Identity", Value: []byte("second")})
				waitPeers(t, router, 2)
				first.send(bytes.Repeat(messageOf("unread"), 1000))
				must(t, router.Send(within(t), socket.Text("first", "kept in its kernel")))
				large := socket.NewMsg([]byte("second"), bytes.Repeat([]byte("x"), 1<<20))
				for range 20 { // more than the kernels take
					must(t, router.Send(within(t), large.Clone()))
				}
				ended := make(chan error, 1)
				go func() { ended <- router.Shutdown(within(t)) }()
				waitUntil(t, "Shutdown has begun", func() bool {
					return errors.Is(router.TrySend(socket.Text("second", "late")), socket.ErrClosed)
				})
				if c.reads {
					first.message()
				}
				must(t, first.Close())
				event(t, router, socket.PeerDown)
				_, _ = io.Copy(io.Discard, second.Conn)
				second.Close()
				if err := <-ended; !errors.Is(err, c.want) {
					t.Errorf("Shutdown says %v, want %v", err, c.want)
				}
			})
		}
	}
}

// A peer that ends the connection before its host has all that it was sent, because it has given this side up for its
// silence, has not read to the end, though it is Shutdown that ended the connection first.
func TestShutdownSaysThatAPeerEndedBeforeItHadEverything(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const latency = time.Second
		network := simnet.New(simnet.Config{Latency: latency})
		push := closing(t, socket.NewPush(on(network, "srv")))
		bindAt(t, push)
		pull := rawSim(t, network, "peer")
		pull.shake("PULL", yodelProperty)
		must(t, push.WaitPeers(within(t), 1))
		must(t, pull.Conn.(transport.CloseWriter).CloseWrite())
		time.Sleep(latency / 2) // of virtual time: the peer's end is under way
		must(t, push.Send(within(t), socket.Text("too late")))
		if err := push.Shutdown(within(t)); !errors.Is(err, socket.ErrUnconfirmed) {
			t.Errorf("Shutdown says %v, want ErrUnconfirmed", err)
		}
	})
}
