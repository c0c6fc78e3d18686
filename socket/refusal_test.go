package socket_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
	"github.com/yodel-mq/yodel/transport/zmtp"
)

// TestOptionsThatCannotWork: constructors do not fail, so that Bind and Connect tell of an option that can never work,
// before any peer does.
func TestOptionsThatCannotWork(t *testing.T) {
	for _, c := range []struct {
		name string
		s    socket.Socket
		want error
	}{
		{"identity that begins with zero", socket.NewDealer(socket.WithIdentity("\x00a")), socket.ErrInvalidOption},
		{"identity of 256 bytes", socket.NewReq(socket.WithIdentity(strings.Repeat("x", 256))), socket.ErrInvalidOption},
		{"metadata that is no extension", socket.NewDealer(socket.WithMetadata("Topic", "a")), socket.ErrInvalidOption},
		{"metadata that is ours", socket.NewDealer(socket.WithMetadata("X-Yodel", "a")), socket.ErrInvalidOption},
		{
			"metadata with a blank in its name", socket.NewDealer(socket.WithMetadata("X-two words", "a")),
			socket.ErrInvalidOption,
		},
		{"which names the error of zmtp", socket.NewDealer(socket.WithMetadata("X-two words", "a")), zmtp.ErrConfig},
		{"topic over the limit", socket.NewSub(socket.WithSubscription(strings.Repeat("x", 1025))), socket.ErrInvalidOption},
		{"which is too large", socket.NewSub(socket.WithSubscription("a", strings.Repeat("x", 1025))), socket.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer c.s.Close()
			if _, err := c.s.Bind(within(t), "inproc://"+t.Name()); !errors.Is(err, c.want) {
				t.Errorf("Bind: %v, want %v", err, c.want)
			}
			if err := c.s.Connect("inproc://" + t.Name()); !errors.Is(err, c.want) {
				t.Errorf("Connect: %v, want %v", err, c.want)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			if _, err := c.s.BindListener(ln); !errors.Is(err, c.want) {
				t.Errorf("BindListener: %v, want %v", err, c.want)
			}
			if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("the listener that was refused is left open: %v", err)
			}
		})
	}
}

func TestUnknownSchemeIsAnAddressError(t *testing.T) {
	push := closing(t, socket.NewPush())
	if err := push.Connect("tpc://127.0.0.1:5555"); !errors.Is(err, transport.ErrAddress) {
		t.Errorf("%v, want ErrAddress", err)
	}
}

// TestRouterDropsOldest: with nothing left to drop but what has begun to leave, the new message is dropped.
func TestRouterDropsOldest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		network := simnet.New(simnet.Config{Window: 16})
		router := socket.NewRouter(on(network, "srv"), socket.WithOverflow(socket.DropOldest), socket.WithSendHWM(1),
			socket.WithHeartbeat(0, 0, 0))
		defer shut(t, router)
		bindAt(t, router)
		r := rawSim(t, network, "cli")
		r.shake("DEALER", zmtp.Property{Name: "Identity", Value: []byte("d")})
		must(t, router.WaitPeers(within(t), 1))
		for range 5 {
			must(t, router.TrySend(socket.Text("d", strings.Repeat("x", 1000))))
			time.Sleep(time.Second) // for the first to begin to leave
		}
		if got := router.Stats().Dropped[socket.QueueFull].Messages; got != 4 {
			t.Errorf("%d dropped, want 4: %+v", got, router.Stats().Ledger)
		}
		balanced(t, router)
	})
}
