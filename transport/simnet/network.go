package simnet

import (
	"cmp"
	"context"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/transport"
)

// DefaultWindow is the window of each direction in bytes when Config.Window is zero.
const DefaultWindow = 64 << 10

// Config says how a network behaves when nothing is broken on purpose. The zero value is a perfect network: no latency,
// unlimited bandwidth, no random cuts.
type Config struct {
	// Latency is the time a byte takes one way. A dial takes two of them. Default 0; negative counts as 0.
	Latency time.Duration
	// Jitter is the upper bound (exclusive) of a random delay added to Latency for each write, or each 1,460-byte
	// packet when Bandwidth is set. Order is kept: a packet that overtakes waits. Default 0; negative counts as 0.
	Jitter time.Duration
	// Bandwidth is the speed of each direction of each connection in bytes a second. Default 0: unlimited;
	// negative counts as 0.
	Bandwidth int64
	// Window is how many bytes each direction of a connection holds, written and not yet read, before Write blocks;
	// it stands for the kernel's buffers. Default 0: DefaultWindow; negative counts as 0.
	Window int
	// Seed feeds all randomness: jitter and random cuts. Every value, 0 too, is a seed.
	Seed uint64

	// CutPerKiB is the probability, per KiB delivered in each direction, that the connection is cut there. The
	// place is drawn when the connection is made and falls on any byte but never before the first. Default 0; clipped
	// to [0, 1].
	CutPerKiB float64
	// MeanLife, when positive, gives each connection a random life time with this mean (exponentially distributed),
	// after which it is cut. Default 0: no limit.
	MeanLife time.Duration

	// OnConn, when not nil, is called for each connection before either end holds it, on the dialling goroutine and
	// with no lock held: the place to plan faults for just this connection. It must not wait.
	OnConn func(*Link)
}

// Stats counts what happened on a network since New. Byte counts cover both directions of all connections.
type Stats struct {
	Dials       uint64 // Dial calls with a valid address
	Refused     uint64 // of them, those answered by ECONNREFUSED
	Connections uint64 // connections made
	Open        int    // connections now: not cut, and with at least one end neither closed nor vanished
	Cuts        uint64 // connections cut by Cut, CutAfter, CutNext, CutPerKiB or MeanLife
	Vanished    uint64 // ends that vanished
	Written     uint64 // bytes that Write and TryWrite accepted
	Delivered   uint64 // bytes that arrived at the other end
}

// Network is a simulated network. It is itself a transport.Transport: its dials come from the unnamed host (its name
// in faults is the empty string), and a listener bound through it lives on the host its address names.
// All methods are safe for any number of goroutines. Make one with New; the zero value does not work.
type Network struct {
	cfg Config

	mu        sync.Mutex // guards all below and all state of links, pipes, conns and listeners
	listeners map[string]*listener
	links     map[*Link]struct{}   // those with an end neither closed nor vanished
	attempts  map[[2]string]uint64 // dials so far by (host, address), part of the random seed
	ports     map[string]int       // ports given out so far by host
	faults    faults
	changed   chan struct{} // closed and replaced when faults change, for dials that wait
	stats     Stats
}

var _ transport.Transport = (*Network)(nil)

// New returns an empty network. It starts no goroutine and needs no Close. Inside testing/synctest call it in the
// bubble that uses it.
func New(cfg Config) *Network {
	cfg.Latency = max(cfg.Latency, 0)
	cfg.Jitter = max(cfg.Jitter, 0)
	cfg.Bandwidth = max(cfg.Bandwidth, 0)
	cfg.CutPerKiB = min(max(cfg.CutPerKiB, 0), 1)
	if cfg.Window <= 0 {
		cfg.Window = DefaultWindow
	}
	return &Network{
		cfg:       cfg,
		listeners: make(map[string]*listener),
		links:     make(map[*Link]struct{}),
		attempts:  make(map[[2]string]uint64),
		ports:     make(map[string]int),
		changed:   make(chan struct{}),
	}
}

// Host returns the network as seen from the named host: its dials come from there and its listeners live there,
// whatever name their address has. Any number of calls with one name mean the same host. The empty name is the
// unnamed host.
func (n *Network) Host(name string) *Host { return &Host{net: n, name: name} }

// Scheme returns "sim".
func (n *Network) Scheme() string { return scheme }

// Validate reports whether address is a name with an optional port; port 0 is for binding only.
func (n *Network) Validate(address string, use transport.Use) error { return validate(address, use) }

// Dial connects from the unnamed host to a listener at address. It takes one latency each way, hangs until ctx ends
// while a partition is in between, and fails with ECONNREFUSED (after both latencies) when nobody listens.
func (n *Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	return n.dial(ctx, "", address)
}

// Listen binds address on the host that the address names. It does not wait. Port 0 is replaced by a free one, from
// 49152 up.
func (n *Network) Listen(ctx context.Context, address string) (transport.Listener, error) {
	host, _, _ := strings.Cut(address, ":")
	return n.listen(ctx, host, address)
}

// Stats returns the counters at this moment.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	for l := range n.links {
		if !l.dead {
			s.Open++
		}
	}
	return s
}

// Host is one named host of a network, as a transport.Transport. It is safe for any number of goroutines.
type Host struct {
	net  *Network
	name string
}

var _ transport.Transport = (*Host)(nil)

// Name returns the host's name, which is also its name in faults.
func (h *Host) Name() string { return h.name }

// Scheme returns "sim".
func (h *Host) Scheme() string { return scheme }

// Validate is Network.Validate.
func (h *Host) Validate(address string, use transport.Use) error { return validate(address, use) }

// Dial is Network.Dial from this host.
func (h *Host) Dial(ctx context.Context, address string) (net.Conn, error) {
	return h.net.dial(ctx, h.name, address)
}

// Listen is Network.Listen on this host. The address may have any name: it is what others dial, as a DNS name would
// be, and faults reach the listener by that name and by the host's.
func (h *Host) Listen(ctx context.Context, address string) (transport.Listener, error) {
	return h.net.listen(ctx, h.name, address)
}

// ephemeral returns the host's next port from 49152 up, wrapping; n.mu is held.
func (n *Network) ephemeral(host string) string {
	const first, count = 49152, 65536 - 49152
	port := first + n.ports[host]%count
	n.ports[host]++
	return host + ":" + strconv.Itoa(port)
}

// sortedLinks returns the live links, oldest first, so that faults act in the same order in every run; n.mu is held.
func (n *Network) sortedLinks() []*Link {
	links := make([]*Link, 0, len(n.links))
	for l := range n.links {
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b *Link) int { return cmp.Compare(a.number, b.number) })
	return links
}

// source is where the generators of one dial and its connection come from. Keying by the pair of names rather than
// by a global count keeps one pair's random events independent of how the others are scheduled.
type source struct{ key, attempt uint64 }

func (n *Network) newSource(from, address string) source {
	pair := [2]string{from, address}
	attempt := n.attempts[pair]
	n.attempts[pair]++
	h := fnv.New64a()
	h.Write(strconv.AppendUint(nil, n.cfg.Seed, 10))
	h.Write([]byte("|" + from + "|" + address))
	return source{key: h.Sum64(), attempt: attempt}
}

// rand returns the generator for one use: 0 the dial and the cuts, 1 and 2 the directions.
func (s source) rand(use uint64) *rand.Rand { return rand.New(rand.NewPCG(s.key, s.attempt<<2|use)) }

// delay draws the time one packet takes.
func (n *Network) delay(rng *rand.Rand) time.Duration {
	if n.cfg.Jitter == 0 {
		return n.cfg.Latency
	}
	return n.cfg.Latency + time.Duration(rng.Int64N(int64(n.cfg.Jitter)))
}
