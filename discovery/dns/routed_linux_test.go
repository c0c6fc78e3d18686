package dns

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/lan"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

// A name server and a service on one network are found and reached from another: what multicast does not cross, DNS
// does.
func TestAcrossTheRouter(t *testing.T) {
	near := lan.New(t)
	here := near.Host()
	far := near.Routed()
	here.Up() // for the route
	names, there := far.Host(), far.Host()

	var service net.Listener
	there.Do(func() {
		l, err := net.Listen("tcp", net.JoinHostPort(there.Addr.String(), "0"))
		if err != nil {
			t.Error(err)
			return
		}
		service = l
	})
	if service == nil {
		t.FailNow()
	}
	defer service.Close()
	_, port, _ := net.SplitHostPort(service.Addr().String())
	record := "_orders._tcp." + svc + " 5 IN SRV 10 50 " + port + " pod-0." + svc
	address := "pod-0." + svc + " 5 IN A " + there.Addr.String()
	var z *zone
	names.Do(func() { z = newZoneAt(t, names.Addr.String(), record, address) })

	dial := func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		var d net.Dialer
		return c, errors.Join(here.Try(func() { c, err = d.DialContext(ctx, network, addr) }), err)
	}
	b := z.backend(WithSRV("orders", ""), WithResolver(&net.Resolver{
		PreferGo: true, StrictErrors: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, z.addr) },
	}))
	log := watchtest.Watch(t, b, discovery.Query{})
	want := "tcp://" + net.JoinHostPort(there.Addr.String(), port)
	log.Endpoints("orders=" + want)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := dial(ctx, "tcp", strings.TrimPrefix(want, "tcp://"))
	if err != nil {
		t.Fatalf("found and not reached: %v", err)
	}
	_ = c.Close()

	z.set(address) // the pod is no longer ready
	log.Endpoints()
}
