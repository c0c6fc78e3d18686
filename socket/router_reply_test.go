package socket_test

import (
	"errors"
	"testing"

	"github.com/yodel-mq/yodel/socket"
)

func TestEnvelope(t *testing.T) {
	for _, c := range []struct {
		name           string
		m              socket.Msg
		envelope, body []string
	}{
		{"a request as a Router gets it", socket.Text("id", "7", "", "a", "b"), []string{"id", "7", ""}, []string{"a", "b"}},
		{"through two routers", socket.Text("id", "proxy", "7", "", "a"), []string{"id", "proxy", "7", ""}, []string{"a"}},
		{"as a DEALER sends it to a REP", socket.Text("", "a"), []string{""}, []string{"a"}},
		{"the first empty frame counts", socket.Text("id", "", "a", "", "b"), []string{"id", ""}, []string{"a", "", "b"}},
		{"no envelope", socket.Text("id", "a"), nil, []string{"id", "a"}},
		{"no body", socket.Text("id", ""), []string{"id", ""}, nil},
		{"no frames", socket.Msg{}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			envelope, body := c.m.Envelope()
			if got, want := socket.NewMsg(envelope...).String(), socket.Text(c.envelope...).String(); got != want {
				t.Errorf("the envelope is %s, want %s", got, want)
			}
			if got, want := socket.NewMsg(body...).String(), socket.Text(c.body...).String(); got != want {
				t.Errorf("the body is %s, want %s", got, want)
			}
			before := c.m.String()
			_ = append(envelope, []byte("more"))
			if after := c.m.String(); after != before {
				t.Errorf("what is appended to the envelope makes the message %s, was %s", after, before)
			}
		})
	}
}

// TestRouterReply: a reply finds its way back to whoever asked, however the request was sent.
func TestRouterReply(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() socket.Sender
		ask  []string // as it is sent
		want []string // as the reply is received
	}{
		{"REQ", func() socket.Sender { return socket.NewReq() }, []string{"a"}, []string{"re", "a"}},
		{
			"REQ without a request id", func() socket.Sender { return socket.NewReq(socket.WithCorrelate(false)) },
			[]string{"a"},
			[]string{"re", "a"},
		},
		{
			"DEALER as for a REP", func() socket.Sender { return socket.NewDealer() },
			[]string{"", "a"},
			[]string{"", "re", "a"},
		},
		{
			"DEALER with a number", func() socket.Sender { return socket.NewDealer() },
			[]string{"7", "", "a"},
			[]string{"7", "", "re", "a"},
		},
		{
			"DEALER without an envelope", func() socket.Sender { return socket.NewDealer() },
			[]string{"a"},
			[]string{"re", "a"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				router, client := closing(t, socket.NewRouter()), closing(t, c.make())
				link(t, router, client, endpoint)
				send(t, client, c.ask...)
				request := recv(t, router)
				_, body := request.Envelope()
				must(t, router.Reply(within(t), request, socket.NewMsg([]byte("re"), body[len(body)-1])))
				expect(t, client.(socket.Receiver), c.want...)
			})
		})
	}
	t.Run("through another ROUTER and a DEALER", func(t *testing.T) {
		server, client := closing(t, socket.NewRouter()), closing(t, socket.NewReq())
		front, back := closing(t, socket.NewRouter()), closing(t, socket.NewDealer())
		link(t, front, client, "inproc://"+t.Name()+"/front")
		link(t, server, back, "inproc://"+t.Name()+"/back")
		send(t, client, "a")
		must(t, back.Send(within(t), recv(t, front)))
		must(t, server.Reply(within(t), recv(t, server), socket.Text("re")))
		must(t, front.Send(within(t), recv(t, back)))
		expect(t, client, "re")
	})
}

func TestRouterReplyErrors(t *testing.T) {
	router, client := closing(t, socket.NewRouter()), closing(t, socket.NewReq())
	link(t, router, client, "inproc://"+t.Name())
	send(t, client, "a")
	request := recv(t, router)
	if err := router.Reply(within(t), request, socket.Msg{}); !errors.Is(err, socket.ErrNoFrames) {
		t.Errorf("a reply without frames: %v, want ErrNoFrames", err)
	}
	if err := router.Reply(within(t), socket.Msg{}, socket.Text("re")); !errors.Is(err, socket.ErrNoFrames) {
		t.Errorf("a reply to nothing: %v, want ErrNoFrames", err)
	}
	must(t, client.Close())
	event(t, router, socket.PeerDown)
	if err := router.Reply(within(t), request, socket.Text("re")); !errors.Is(err, socket.ErrUnroutable) {
		t.Errorf("a reply to a peer that has gone: %v, want ErrUnroutable", err)
	}
}
