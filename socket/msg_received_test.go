package socket_test

import (
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// TestReceived: a message says when it came, however long nobody receives it.
func TestReceived(t *testing.T) {
	for name, role := range map[string]struct {
		make func(o ...socket.Option) socket.Receiver
		peer func(o socket.Option) socket.Sender
	}{
		"DEALER": {
			func(o ...socket.Option) socket.Receiver { return socket.NewDealer(o[0], socket.WithReceived()) },
			func(o socket.Option) socket.Sender { return socket.NewDealer(o) },
		},
		"ROUTER": {
			func(o ...socket.Option) socket.Receiver { return socket.NewRouter(o[0], socket.WithReceived()) },
			func(o socket.Option) socket.Sender { return socket.NewDealer(o) },
		},
		"PULL": {
			func(o ...socket.Option) socket.Receiver { return socket.NewPull(o[0], socket.WithReceived()) },
			func(o socket.Option) socket.Sender { return socket.NewPush(o) },
		},
	} {
		for _, way := range []string{"sim", "inproc"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					at := "inproc://x"
					a := socket.WithTransport(transport.NewInproc())
					b := a
					if way == "sim" {
						net := simnet.New(simnet.Config{Seed: 1})
						a, b, at = on(net, "srv"), on(net, "peer"), server
					}
					s, p := role.make(a), role.peer(b)
					closing(t, s.(socket.Socket))
					closing(t, p.(socket.Socket))
					_, err := s.(socket.Socket).Bind(t.Context(), at)
					must(t, err)
					connect(t, p.(socket.Socket), at)
					must(t, p.(socket.Socket).WaitPeers(aDay(t), 1))
					var sent []time.Time
					for range 20 {
						sent = append(sent, time.Now())
						must(t, p.Send(aDay(t), socket.Text("id", "", "body")))
						p.(socket.Socket).Stats() // hands over what is held
						time.Sleep(time.Second)
					}
					for i, at := range sent {
						m, err := s.Recv(aDay(t))
						must(t, err)
						came := m.Received()
						if d := came.Sub(at); d < 0 || d > 900*time.Millisecond {
							t.Fatalf("message %d came %v after it was sent", i, d)
						}
						if copied := m.Clone().Received(); !copied.Equal(came) {
							t.Errorf("a copy came at %v, want %v", copied, came)
						}
						_, body := m.Envelope()
						if got := (socket.Msg{Frames: body, From: m.From}).Received(); !got.Equal(came) {
							t.Errorf("the body came at %v, want %v", got, came)
						}
						m.Frames = append(m.Frames, []byte("more"))
						if got := m.Received(); !got.IsZero() {
							t.Errorf("a message with a frame more came at %v", got)
						}
						time.Sleep(time.Minute)
					}
				})
			})
		}
	}
}

// TestReceivedOfOthers: without the option, and of a message nobody received, the time is zero.
func TestReceivedOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		space := socket.WithTransport(transport.NewInproc())
		d, r := closing(t, socket.NewDealer(space)), closing(t, socket.NewRouter(space))
		link(t, d, r, "inproc://x")
		send(t, d, "x")
		m := recv(t, r)
		for what, m := range map[string]socket.Msg{
			"received": m, "made": socket.Text("x"), "zero": {}, "no frames": {From: m.From},
		} {
			if at := m.Received(); !at.IsZero() {
				t.Errorf("%s: came at %v", what, at)
			}
		}
	})
	if n := unsafe.Sizeof(socket.Msg{}); n != 4*unsafe.Sizeof(uintptr(0)) {
		t.Errorf("a Msg takes %d bytes", n)
	}
}
