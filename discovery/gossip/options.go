package gossip

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// DefaultPort is the port that members listen on, UDP and TCP, and that seeds without a port have.
const DefaultPort = 7946

// config is what the options make.
type config struct {
	bind      string // host:port
	advertise netip.AddrPort
	seeds     []string
	from      []discovery.Watcher
	keys      [][]byte
	open      bool
	group     string
	profile   Profile
	rejoin    time.Duration // 0: the profile's
	trust     discovery.Trust
	limits    discovery.Limits
	wire      string

	cut    func(netip.Addr) bool         // see transport; of tests
	tune   func(*memberlist.Config)      // likewise
	source ifaces.Source                 // likewise; nil: the system
	pick   func([]netip.Addr) netip.Addr // likewise; nil: choose
	look   time.Duration                 // likewise; how often to look at the interfaces
	err    error
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

// WithBind says where to listen, as "host:port", for UDP and TCP alike: ":7946" by default, which is every address. The
// host is an IP address or "". Port 0 takes one that is free: others then cannot have this member as their seed, unless
// they learn of it by [WithSeedsFrom].
func WithBind(addr string) Option {
	return option(func(c *config) {
		host, port, err := net.SplitHostPort(addr)
		if err == nil && host != "" {
			_, err = netip.ParseAddr(host)
		}
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			c.refuse("bind %.80q: %v", addr, err)
		}
		c.bind = addr
	})
}

// WithAdvertise says under which "address:port" others reach this member, behind a port that is forwarded for
// example. By default that is the address it is bound to, or for every address: the first of the host's that is
// private, else any. Port 0 stands for the port it is bound to.
func WithAdvertise(addr string) Option {
	return option(func(c *config) {
		ap, err := netip.ParseAddrPort(addr)
		switch {
		case err != nil:
			c.refuse("advertise %.80q: %v", addr, err)
		case !usable(ap.Addr()):
			c.refuse("advertise %.80q: not an address others could dial", addr)
		}
		c.advertise = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	})
}

// WithSeeds names members to join by, as "host:port" or "host", for [DefaultPort]. The host may be a name, which is
// looked up each time; all its addresses count. May be given more than once. None is fine for the first member of a
// group.
func WithSeeds(seeds ...string) Option {
	return option(func(c *config) {
		for _, s := range seeds {
			full, ok := seedAddr(s)
			if !ok {
				c.refuse("seed %.80q: want host:port", s)
			}
			c.seeds = append(c.seeds, full)
		}
	})
}

// seedAddr completes a seed by the port, if it can be one.
func seedAddr(s string) (addr string, ok bool) {
	if a, err := netip.ParseAddr(s); err == nil { // also fd00::1 without brackets
		return netip.AddrPortFrom(a, DefaultPort).String(), true
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port, err = net.SplitHostPort(s + ":" + strconv.Itoa(DefaultPort))
	}
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" ||
		strings.ContainsAny(host, " /@") {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// WithSeedsFrom takes seeds from another backend, mdns for example: whoever offers the service [ServiceName] there in
// the same group. Of records that are not Configured only addresses count that they came from, or that need no router.
// If w can also announce (is a [discovery.Backend]), this member announces itself there for others to join by.
func WithSeedsFrom(w discovery.Watcher) Option {
	return option(func(c *config) {
		if w == nil {
			c.refuse("no watcher to take seeds from")
		}
		c.from = append(c.from, w)
	})
}

// WithKey sets the group's key: 16, 24 or 32 bytes for AES-128, -192 or -256. What is sent is encrypted with it; what
// was encrypted with one of the others is understood too, which is how a key is changed.
func WithKey(key []byte, others ...[]byte) Option {
	return option(func(c *config) {
		c.keys = nil
		for _, k := range append([][]byte{key}, others...) {
			if n := len(k); n != 16 && n != 24 && n != 32 {
				c.refuse("key of %d bytes, want 16, 24 or 32", n)
			}
			c.keys = append(c.keys, slices.Clone(k))
		}
	})
}

// WithoutEncryption lets everybody join, read and forge what members say: for laboratories. It does not go with
// [WithKey].
func WithoutEncryption() Option {
	return option(func(c *config) { c.open = true })
}

// WithGroup says which group this is; "" for [discovery.DefaultGroup]. Groups do not see each other. A backend is in
// one: to announce or watch another is an error.
func WithGroup(group string) Option {
	return option(func(c *config) {
		ok := func(r rune) bool {
			return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r)
		}
		if len(group) > 63 || strings.ContainsFunc(group, func(r rune) bool { return !ok(r) }) {
			c.refuse("group %.80q: want 1 to 63 of a-z, 0-9, -, . and _", group)
		}
		c.group = group
	})
}

// WithProfile says for which network: [LAN] by default.
func WithProfile(p Profile) Option {
	return option(func(c *config) {
		if p != LAN && p != WAN {
			c.refuse("profile %d", p)
		}
		c.profile = p
	})
}

// WithRejoin says how often to try seeds that are no members, and one member that was lost, give or take a quarter:
// 15 s by default, with [WAN] 60 s, at least 100 ms. It bounds how long parts of a group stay apart after the network
// has healed. Less is taken for that, and 0 or less for the default.
func WithRejoin(d time.Duration) Option {
	return option(func(c *config) {
		if c.rejoin = 0; d > 0 {
			c.rejoin = max(d, 100*time.Millisecond)
		}
	})
}

// WithTrust says whose records count among members: everybody's by default, see [discovery.Trust].
func WithTrust(t discovery.Trust) Option {
	return option(func(c *config) { c.trust = t })
}

// WithLimits bounds what is known, see [discovery.Limits]. Nodes also bounds the members.
func WithLimits(l discovery.Limits) Option {
	return option(func(c *config) { c.limits = l })
}

// WithWire says which protocol this process speaks, such as "zmtp/3.1": nodes that speak another show up as
// Incompatible.
func WithWire(wire string) Option {
	return option(func(c *config) { c.wire = wire })
}
