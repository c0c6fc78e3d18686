package rpc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/patterns/rpc"
	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport/simnet"
)

// A world is a simulated network, in virtual time.
type world struct{ *simnet.Network }

// bubble runs a test under virtual time, where an hour costs microseconds and moments are exact.
func bubble(t *testing.T, test func(t *testing.T, w world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, world{simnet.New(simnet.Config{Latency: time.Millisecond, Seed: 1})})
	})
}

// service returns a service that is bound at a host.
func (w world) service(t testing.TB, host string, opts ...rpc.ServiceOption) *rpc.Service {
	t.Helper()
	s := newService(t, append(opts, rpc.WithRouter(socket.WithTransport(w.Host(host))))...)
	_, err := s.Bind(t.Context(), "sim://"+host)
	must(t, err)
	return s
}

// client returns a client on a host, connected to services.
func (w world) client(t testing.TB, host string, services ...string) *rpc.Client {
	t.Helper()
	c := newClient(t, rpc.WithDealer(socket.WithTransport(w.Host(host))))
	for _, s := range services {
		must(t, c.Connect("sim://"+s))
	}
	must(t, c.WaitReplicas(t.Context(), len(services)))
	return c
}

// router returns a plain ROUTER that is bound at a host.
func (w world) router(t testing.TB, host string) *socket.Router {
	t.Helper()
	r := socket.NewRouter(socket.WithTransport(w.Host(host)))
	t.Cleanup(func() { must(t, r.Close()) })
	_, err := r.Bind(t.Context(), "sim://"+host)
	must(t, err)
	return r
}

// dealer returns a plain DEALER on a host, connected to a service.
func (w world) dealer(t testing.TB, host, service string, opts ...socket.DealerOption) *socket.Dealer {
	t.Helper()
	d := socket.NewDealer(append(opts, socket.WithTransport(w.Host(host)))...)
	t.Cleanup(func() { must(t, d.Close()) })
	must(t, d.Connect("sim://"+service))
	return d
}

// after is a context that ends after a time.
func after(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
