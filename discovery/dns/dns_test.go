package dns

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/watchtest"
)

const svc = "yodel.shop.svc.cluster.local."

func (z *zone) backend(opts ...Option) *Backend {
	z.t.Helper()
	b, err := New(svc, append([]Option{WithResolver(z.resolver()), WithInterval(100 * time.Millisecond)}, opts...)...)
	if err != nil {
		z.t.Fatal(err)
	}
	return b
}

// The record shapes are those of the Kubernetes DNS-Based Service Discovery specification, version 1.1.0.
func TestKubernetes(t *testing.T) {
	for name, c := range map[string]struct {
		opts    []Option
		records []string
		want    []string
		names   string // of the nodes
	}{
		// 2.4.1, 2.4.2: a headless service whose endpoints have host names (a StatefulSet), with named ports.
		"headless, host names": {
			[]Option{WithSRV("orders", ""), WithSRV("market.prices", "prices")},
			[]string{
				svc + " 5 IN A 10.3.0.100", svc + " 5 IN A 10.3.0.101",
				"pod-0." + svc + " 5 IN A 10.3.0.100", "pod-1." + svc + " 5 IN A 10.3.0.101",
				"_orders._tcp." + svc + " 5 IN SRV 10 50 5555 pod-0." + svc,
				"_orders._tcp." + svc + " 5 IN SRV 10 50 5555 pod-1." + svc,
				"_prices._tcp." + svc + " 5 IN SRV 10 50 6000 pod-0." + svc,
			},
			[]string{"orders=tcp://10.3.0.100:5555", "orders=tcp://10.3.0.101:5555", "market.prices=tcp://10.3.0.100:6000"},
			"pod-0 pod-0 pod-1",
		},
		// Endpoints without host names have a unique label that the system made up.
		"headless, made-up names": {
			[]Option{WithSRV("orders", "")},
			[]string{
				"10-3-0-100." + svc + " 5 IN A 10.3.0.100",
				"_orders._tcp." + svc + " 5 IN SRV 0 100 5555 10-3-0-100." + svc,
			},
			[]string{"orders=tcp://10.3.0.100:5555"},
			"10-3-0-100",
		},
		"dual stack": {
			[]Option{WithSRV("orders", "")},
			[]string{
				"pod-0." + svc + " 5 IN A 10.3.0.100", "pod-0." + svc + " 5 IN AAAA 2001:db8::100",
				"_orders._tcp." + svc + " 5 IN SRV 0 100 5555 pod-0." + svc,
			},
			[]string{"orders=tcp://10.3.0.100:5555", "orders=tcp://[2001:db8::100]:5555"},
			"pod-0",
		},
		"addresses with a fixed port": {
			[]Option{WithPort("orders", 5555), WithPort("prices", 6000)},
			[]string{svc + " 5 IN A 10.3.0.100", svc + " 5 IN AAAA 2001:db8::100"},
			[]string{
				"orders=tcp://10.3.0.100:5555", "orders=tcp://[2001:db8::100]:5555",
				"prices=tcp://10.3.0.100:6000", "prices=tcp://[2001:db8::100]:6000",
			},
			"   ",
		},
		// 2.3.2: a service with a cluster IP has one target, itself.
		"cluster IP": {
			[]Option{WithSRV("orders", "")},
			[]string{svc + " 5 IN A 10.0.0.10", "_orders._tcp." + svc + " 5 IN SRV 10 50 5555 " + svc},
			[]string{"orders=tcp://10.0.0.10:5555"},
			"yodel",
		},
		// 2.5: an external name.
		"alias": {
			[]Option{WithPort("orders", 5555)},
			[]string{svc + " 10 IN CNAME www.example.com.", "www.example.com. 28800 IN A 192.0.2.53"},
			[]string{"orders=tcp://192.0.2.53:5555"},
			"",
		},
		"no service (RFC 2782)": {
			[]Option{WithSRV("orders", "")}, []string{"_orders._tcp." + svc + " 5 IN SRV 0 0 0 ."}, nil, "",
		},
		"target without an address": {
			[]Option{WithSRV("orders", "")}, []string{"_orders._tcp." + svc + " 5 IN SRV 0 0 5555 pod-0." + svc}, nil, "",
		},
		"unusable addresses": {
			[]Option{WithPort("orders", 5555)}, []string{svc + " 5 IN A 0.0.0.0", svc + " 5 IN AAAA ff02::1"}, nil, "",
		},
		"two on one host": {
			[]Option{WithSRV("orders", "")},
			[]string{
				"a." + svc + " 5 IN A 10.3.0.1",
				"_orders._tcp." + svc + " 5 IN SRV 0 0 5555 a." + svc, "_orders._tcp." + svc + " 5 IN SRV 0 0 5556 a." + svc,
			},
			[]string{"orders=tcp://10.3.0.1:5555", "orders=tcp://10.3.0.1:5556"},
			"a a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			z := newZone(t, c.records...)
			l := watchtest.Watch(t, z.backend(c.opts...), discovery.Query{})
			l.Kind(discovery.Synced, 0)
			l.Endpoints(c.want...)
			var names []string
			for id, r := range l.Nodes() {
				names = append(names, r.Name)
				if !r.Configured || r.ID != id || r.Lifetime != 0 || len(r.From) != 0 {
					t.Errorf("record %+v: want it configured, and without an end or a source", r)
				}
			}
			if got := sorted(names); got != c.names {
				t.Errorf("nodes are called %q, want %q", got, c.names)
			}
			if l.Count(discovery.Trouble) > 0 {
				t.Errorf("trouble: %s", l)
			}
		})
	}
}

// A hundred pods do not fit into a packet.
func TestManyTargets(t *testing.T) {
	var records, want []string
	for i := range 100 {
		records = append(records,
			fmt.Sprintf("pod-%d.%s 5 IN A 10.3.0.%d", i, svc, i+1),
			fmt.Sprintf("_orders._tcp.%s 5 IN SRV 0 0 5555 pod-%d.%s", svc, i, svc))
		want = append(want, fmt.Sprintf("orders=tcp://10.3.0.%d:5555", i+1))
	}
	z := newZone(t, records...)
	watchtest.Watch(t, z.backend(WithSRV("orders", "")), discovery.Query{Service: "orders"}).Endpoints(want...)
}

func TestZoneChanges(t *testing.T) {
	pod := func(n, host int) []string {
		return []string{
			fmt.Sprintf("pod-%d.%s 5 IN A 10.3.0.%d", n, svc, host),
			fmt.Sprintf("_orders._tcp.%s 5 IN SRV 0 0 5555 pod-%d.%s", svc, n, svc),
		}
	}
	z := newZone(t, append(pod(0, 100), pod(1, 101)...)...)
	l := watchtest.Watch(t, z.backend(WithSRV("orders", "")), discovery.Query{})
	l.Endpoints("orders=tcp://10.3.0.100:5555", "orders=tcp://10.3.0.101:5555")

	z.set(append(append(pod(0, 100), pod(1, 101)...), pod(2, 102)...)...) // scaled up
	l.Endpoints("orders=tcp://10.3.0.100:5555", "orders=tcp://10.3.0.101:5555", "orders=tcp://10.3.0.102:5555")

	z.set(append(pod(0, 100), pod(1, 201)...)...) // down, and one has come back elsewhere
	l.Endpoints("orders=tcp://10.3.0.100:5555", "orders=tcp://10.3.0.201:5555")
	if a, u, e, left := l.Count(discovery.Added), l.Count(discovery.Updated), l.Count(discovery.Expired),
		l.Count(discovery.Left); a != 3 || u != 1 || e != 1 || left != 0 {
		t.Errorf("%d added, %d updated, %d expired, %d left, want 3, 1, 1, 0: %s", a, u, e, left, l)
	}

	z.set() // all gone: NXDOMAIN
	l.Endpoints()
	z.set(pod(0, 100)...)
	l.Endpoints("orders=tcp://10.3.0.100:5555")
}

func TestServerFails(t *testing.T) {
	z := newZone(t, svc+" 5 IN A 10.3.0.100")
	l := watchtest.Watch(t, z.backend(WithPort("orders", 5555)), discovery.Query{})
	l.Endpoints("orders=tcp://10.3.0.100:5555")
	z.fail(dns.RcodeServerFailure)
	e := l.Kind(discovery.Trouble, 0)
	var lookup *LookupError
	var dnsErr *net.DNSError
	if !errors.As(e.Err, &lookup) || lookup.Name != svc || !errors.As(e.Err, &dnsErr) ||
		!strings.Contains(e.Err.Error(), svc) {
		t.Errorf("trouble says %v, want a LookupError of %s that wraps a *net.DNSError", e.Err, svc)
	}
	z.questions(12) // some more rounds
	if n := l.Count(discovery.Trouble); n != 1 {
		t.Errorf("%d troubles, want one: %s", n, l)
	}
	if n := len(l.Nodes()); n != 1 {
		t.Errorf("%d nodes while the server fails, want the one that was known", n)
	}
	z.set(svc + " 5 IN A 10.3.0.101")
	l.Endpoints("orders=tcp://10.3.0.101:5555")
}

func TestOptions(t *testing.T) {
	ok := WithPort("orders", 5555)
	for name, c := range map[string]struct {
		name string
		opts []Option
		says string // "" when it works
	}{
		"works": {
			svc, []Option{ok, WithSRV("a-b.c_d", "x"), WithGroup("prod"), WithLimits(discovery.Limits{})}, "",
		},
		"no name":         {"", []Option{ok}, "not the name"},
		"an URL":          {"tcp://x", []Option{ok}, "not the name"},
		"nothing":         {svc, nil, "nothing to look up"},
		"port 0":          {svc, []Option{WithPort("orders", 0)}, "port"},
		"service":         {svc, []Option{WithPort("Orders", 1)}, "service"},
		"long label":      {svc, []Option{WithSRV("a-service-of-its-own", "")}, "label"},
		"label with dots": {svc, []Option{WithSRV("a.b", "")}, "label"},
		"group":           {svc, []Option{ok, WithGroup("a b")}, "group"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := New(c.name, c.opts...)
			switch {
			case c.says == "" && (err != nil || b.Name() != "dns"):
				t.Errorf("got %v, %v", b, err)
			case c.says != "" && (!errors.Is(err, discovery.ErrInvalidOption) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want ErrInvalidOption that says %q", err, c.says)
			}
		})
	}
	b, _ := New(svc, ok)
	if _, err := b.Announce(t.Context(), discovery.Record{ID: discovery.NewID()}); !errors.Is(err, discovery.ErrReadOnly) {
		t.Errorf("Announce: %v, want ErrReadOnly", err)
	}
}

func TestGroupAndLimit(t *testing.T) {
	z := newZone(t, svc+" 5 IN A 10.3.0.1", svc+" 5 IN A 10.3.0.2", svc+" 5 IN A 10.3.0.3")
	l := watchtest.Watch(t, z.backend(WithPort("orders", 5555), WithGroup("prod"), WithLimits(discovery.Limits{Nodes: 2})),
		discovery.Query{Group: "prod"})
	l.Kind(discovery.Synced, 0)
	if e := l.Kind(discovery.Trouble, 0); !errors.Is(e.Err, discovery.ErrLimit) {
		t.Errorf("trouble is %v, want ErrLimit", e.Err)
	}
	if n := len(l.Nodes()); n != 2 {
		t.Errorf("%d nodes, want 2", n)
	}
}
