package dns

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// A Resolver looks names up; a *[net.Resolver] is one. Both methods are called concurrently.
type Resolver interface {
	// LookupSRV is asked with service and proto, as _service._proto.name.
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
	// LookupNetIP is asked with network "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// config is what the options make.
type config struct {
	sources  []source
	resolver Resolver
	interval time.Duration
	group    string
	limits   discovery.Limits
	err      error
}

// A source is one lookup.
type source struct {
	service string // as discovery names it
	label   string // of the SRV name, without "_"; "" for addresses
	port    uint16 // of addresses
}

// An Option changes what [New] does; what holds for all options stands in the documentation of package discovery.
type Option interface{ apply(c *config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

// refuse takes note that an option has a value that cannot be used; the first one counts.
func (c *config) refuse(format string, args ...any) {
	if c.err == nil {
		c.err = badOption(format, args...)
	}
}

// WithSRV looks up the SRV records of _label._tcp.name, and offers what they list as that service (1 to 63 bytes of
// a-z, 0-9, "-", "." and "_"). label, the name of the port in Kubernetes, is at most 15 bytes of a-z, 0-9 and "-"; ""
// stands for the service's name. May be given more than once.
func WithSRV(service, label string) Option {
	return option(func(c *config) {
		if label == "" {
			label = service
		}
		if len(label) < 1 || len(label) > 15 || !only(label, "-") {
			c.refuse("SRV label %.80q: want 1 to 15 of a-z, 0-9 and -", label)
		}
		c.add(source{service: service, label: label})
	})
}

// WithPort looks up the A and AAAA records of the name, and offers that port (1 to 65535) at each address as that
// service. May be given more than once.
func WithPort(service string, port uint16) Option {
	return option(func(c *config) {
		if port == 0 {
			c.refuse("service %.80q: want a port of 1 to 65535", service)
		}
		c.add(source{service: service, port: port})
	})
}

func (c *config) add(s source) {
	if len(s.service) < 1 || len(s.service) > 63 || !only(s.service, "-._") {
		c.refuse("service %.80q: want 1 to 63 of a-z, 0-9, -, . and _", s.service)
	}
	c.sources = append(c.sources, s)
}

// only reports whether s has nothing but a-z, 0-9 and others in it.
func only(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}

// WithResolver asks r instead of the name servers of the system, nil for these. The default is Go's own resolver with
// StrictErrors: without, a failed lookup of AAAA may pass for there being no such addresses.
func WithResolver(r Resolver) Option {
	return option(func(c *config) {
		if r != nil {
			c.resolver = r
		}
	})
}

// WithInterval says how often to look, give or take a tenth: 5 s by default, at least 100 ms. What d is below that is
// taken for it, and 0 or less for the default. While lookups fail the time between them doubles, up to a minute.
func WithInterval(d time.Duration) Option {
	return option(func(c *config) {
		if d > 0 {
			c.interval = max(d, 100*time.Millisecond)
		}
	})
}

// WithGroup says which group the nodes are in; "" for [discovery.DefaultGroup].
func WithGroup(group string) Option {
	return option(func(c *config) {
		if len(group) > 63 || !only(group, "-._") {
			c.refuse("group %.80q: want 1 to 63 of a-z, 0-9, -, . and _", group)
		}
		c.group = group
	})
}

// WithLimits bounds how many nodes are known at a time; what a zone lists beyond that is told as [discovery.Trouble].
// NodesPerSource does not apply.
func WithLimits(l discovery.Limits) Option {
	return option(func(c *config) { c.limits = l })
}
