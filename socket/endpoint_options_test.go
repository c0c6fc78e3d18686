package socket_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// TestConnectWith: without options it is Connect, and with As it is ConnectAs.
func TestConnectWith(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []socket.EndpointOption
		want string // what the Router calls the peer
	}{
		{"nothing", nil, "by its own name"},
		{"nil", []socket.EndpointOption{nil}, "by its own name"},
		{"a name", []socket.EndpointOption{socket.As("peer")}, "peer"},
		{"the last of two names", []socket.EndpointOption{socket.As("one"), nil, socket.As("two")}, "two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, endpoint string) {
				router := closing(t, socket.NewRouter())
				dealer := closing(t, socket.NewDealer(socket.WithIdentity("by its own name")))
				at := bind(t, dealer, endpoint)
				must(t, router.ConnectWith(at, c.opts...))
				must(t, router.ConnectWith(at, c.opts...)) // twice is once
				must(t, router.WaitConnected(within(t), at))
				send(t, router, c.want, "hello")
				expect(t, dealer, "hello")
				must(t, router.Disconnect(at))
			})
		})
	}
}

// TestConnectWithErrors: what an endpoint cannot be is told at once, and nothing is connected.
func TestConnectWithErrors(t *testing.T) {
	router, push := closing(t, socket.NewRouter()), closing(t, socket.NewPush())
	for _, c := range []struct {
		name     string
		s        socket.Socket
		endpoint string
		opt      socket.EndpointOption
		want     error
		text     string
	}{
		{"no name", router, "inproc://x", socket.As(""), socket.ErrInvalidOption, "1 to 255 bytes"},
		{"a long one", router, "inproc://x", socket.As(strings.Repeat("x", 256)), socket.ErrInvalidOption, "1 to 255 bytes"},
		{
			"one that begins with zero", router, "inproc://x", socket.As("\x00x"), socket.ErrInvalidOption,
			"the first not zero",
		},
		{
			"a socket that names no peers", push, "inproc://x", socket.As("x"), socket.ErrInvalidOption,
			"a PUSH does not name its peers",
		},
		{"no endpoint", router, "x", socket.As("x"), transport.ErrAddress, "no scheme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.s.ConnectWith(c.endpoint, c.opt)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want one that is %q and says %q", err, c.want, c.text)
			}
			if pe, ok := errors.AsType[*socket.PeerError](err); !ok || pe.Endpoint != c.endpoint {
				t.Errorf("%v is not a PeerError of the endpoint", err)
			}
			if err := c.s.Disconnect(c.endpoint); !errors.Is(err, socket.ErrNoEndpoint) {
				t.Errorf("it is being connected to: %v", err)
			}
		})
	}
}
