package mdns

import (
	"net"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// An Option changes a Backend before it starts; what holds for all options stands in the documentation of package
// discovery.
type Option interface{ apply(c *config) }

type option func(*config)

func (o option) apply(c *config) { o(c) }

type config struct {
	table   discovery.TableConfig
	refresh time.Duration
	use     func(net.Interface) bool
	network network
}

const (
	defaultRefresh = 5 * time.Second
	maxRefresh     = 40 * time.Second // a third of the longest lifetime that tables believe
	refreshPerPeer = 120 * time.Millisecond
)

// WithTrust sets whose records count and how ours are proven. The default, and nil, is [discovery.Open]: everybody's,
// as is usual on a laptop and unwise on a network with strangers. Records without the proof are not told to anybody,
// and goodbyes without it only make the node ask whether the peer is still there.
func WithTrust(t discovery.Trust) Option {
	return option(func(c *config) { c.table.Trust = t })
}

// WithLimits bounds what is kept of others; see [discovery.Limits] for units and defaults.
func WithLimits(l discovery.Limits) Option {
	return option(func(c *config) { c.table.Limits = l })
}

// WithWire names the protocol spoken here, such as "zmtp/3.1": nodes that announce another one, or another major
// version, are told as [discovery.Incompatible]. The default, and "", takes all for compatible.
func WithWire(protocol string) Option {
	return option(func(c *config) { c.table.Wire = protocol })
}

// WithRefresh sets how often the record is announced at least, with few peers; with many it is less often, see the
// package's description. Others drop a node three times that after they last heard of it. The default, and zero or
// less, is 5 s; it is bounded to 1 s and 40 s. More than the default suits networks where multicast is costly, such
// as Wi-Fi.
func WithRefresh(d time.Duration) Option {
	return option(func(c *config) {
		if d <= 0 {
			d = defaultRefresh
		}
		c.refresh = min(max(d, time.Second), maxRefresh)
	})
}

// WithInterfaces chooses the network interfaces: those for which use returns true, out of those that are up, have an
// address and can do multicast, loopback included. Of the net.Interface the index, the name and the flags are set. It
// is asked about once a second, from one goroutine, and must not block. The default, and nil, is all but those whose
// IPv4 addresses are all public: there nobody but strangers would listen, and whoever is meant to be found over such
// an interface should have a firewall, or a [discovery.Trust], and this option.
func WithInterfaces(use func(net.Interface) bool) Option {
	return option(func(c *config) { c.use = use })
}

func newConfig(opts []Option) config {
	c := config{refresh: defaultRefresh, network: system{}}
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	if c.table.Trust == nil {
		c.table.Trust = discovery.Open()
	}
	return c
}

// pace returns how often to announce among that many peers, and for how long the announcement is good: each costs up
// to three packets (IPv4, IPv6, loopback), of which 200 peers may send fewer than ten a minute.
func (c *config) pace(peers int) (refresh, lifetime time.Duration) {
	refresh = min(max(c.refresh, time.Duration(peers)*refreshPerPeer), maxRefresh)
	return refresh, 3 * refresh
}
