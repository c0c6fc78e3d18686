package discovery

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// A rank is how good an endpoint is; the lowest comes first.
type rank int

const (
	rankIPC rank = iota
	rankLoopback
	rankSource // where the announcement came from: it surely reaches us, so we probably reach it
	rankOnLink
	rankOther
	rankOtherFiles // a path that may lead to another file here
	rankNever
)

// Limits on what one record makes us do.
const (
	maxEndpoints  = 64 // endpoints looked at
	maxAddrs      = 32 // of each list of addresses
	maxCandidates = 8  // endpoints tried
	maxIPCPath    = 107
)

// A locality is what the choice of endpoints depends on besides record and policy: where this process is.
type locality struct {
	host   string
	links  ifaces.Snapshot
	exists func(path string) bool
}

// A chooser judges the endpoints of one record.
type chooser struct {
	locality
	p        *Policy
	r        *Record
	sources  []netip.Addr // where it came from
	sameHost bool
	found    []candidate
	problem  error // of the first that is refused
}

type candidate struct {
	endpoint string
	rank     rank
}

// choose returns the endpoints at which the services with a name and one of the types may be connected to, best
// first. If there is none, the error says why.
func (p *Policy) choose(r *Record, service string, types []string, at locality) ([]string, error) {
	c := &chooser{locality: at, p: p, r: r, sources: r.From[:min(len(r.From), maxAddrs)]}
	// Anybody can write this host's token into a record. But a packet with one of its addresses as the source comes from
	// this host: the kernel drops those from outside.
	elsewhere := func(a netip.Addr) bool { return !at.links.Local(a) }
	c.sameHost = at.host != "" && r.Host == at.host && !slices.ContainsFunc(r.From, elsewhere)
	n := 0
	for i := range r.Services {
		s := &r.Services[i]
		if !wanted(s, service, types) {
			continue
		}
		for _, e := range s.Endpoints {
			if n++; n > maxEndpoints {
				break
			}
			c.judge(e)
		}
	}
	slices.SortStableFunc(c.found, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) })
	var endpoints []string
	for _, f := range c.found {
		switch {
		case slices.Contains(endpoints, f.endpoint):
		case p.Allow != nil && !p.Allow(f.endpoint, r):
			c.refuse(f.endpoint, "Policy.Allow does not allow it")
		case len(endpoints) < maxCandidates:
			endpoints = append(endpoints, f.endpoint)
		}
		if len(endpoints) == maxCandidates {
			break
		}
	}
	switch {
	case len(endpoints) > 0:
		return endpoints, nil
	case c.problem != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoEndpoint, c.problem)
	}
	return nil, fmt.Errorf("%w: it announces none", ErrNoEndpoint)
}

func (c *chooser) add(endpoint string, r rank) { c.found = append(c.found, candidate{endpoint, r}) }

func (c *chooser) refuse(endpoint, why string) {
	if c.problem == nil {
		c.problem = fmt.Errorf("%.100q: %s", endpoint, why)
	}
}

// judge adds what an endpoint stands for, or says why not.
func (c *chooser) judge(endpoint string) {
	scheme, rest, ok := strings.Cut(endpoint, "://")
	var err error
	switch {
	case !ok || rest == "":
		err = errors.New("it is not scheme://address")
	case scheme == "tcp":
		err = c.tcp(rest)
	case scheme == "ipc":
		err = c.ipc(rest)
	case c.r.Configured:
		c.add(endpoint, rankOther)
	default:
		err = errors.New("neither tcp nor ipc")
	}
	if err != nil {
		c.refuse(endpoint, err.Error())
	}
}

// ipc uses a path only on the same host, and only if there is a socket: containers may share a network and no files.
// Where the node sees other files than we do it may be somebody else's. Names in the abstract namespace belong to the
// network.
func (c *chooser) ipc(path string) error {
	r := rankIPC
	switch {
	case len(path) > maxIPCPath || path == "*" || path == "@" ||
		strings.IndexFunc(path, func(r rune) bool { return r < ' ' }) >= 0:
		return errors.New("it is no path")
	case c.r.Configured:
	case !c.sameHost:
		return errors.New("it is on another host")
	case path[0] == '@':
	case !filepath.IsAbs(path):
		return errors.New("the path is relative")
	case !c.exists(path):
		return errors.New("there is no such socket here")
	case c.p.Files == "" || c.r.Files == "" || c.p.Files == c.r.Files:
	case c.p.checks && c.r.PeerID != ID{}:
		r = rankOtherFiles
	default:
		return errors.New("the node sees other files than this process: it may be another socket here")
	}
	c.add("ipc://"+path, r)
	return nil
}

func isSocket(path string) bool {
	i, err := os.Stat(path)
	return err == nil && i.Mode().Type() == fs.ModeSocket
}

func (c *chooser) tcp(rest string) error {
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return errors.New("no port")
	}
	host, digits := rest[:i], rest[i+1:]
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || strconv.FormatUint(port, 10) != digits {
		return errors.New("the port is not 1 to 65535")
	}
	if isWildcard(host) {
		return c.everywhere(uint16(port))
	}
	bare := host
	if b, ok := strings.CutPrefix(host, "["); ok {
		bare = strings.TrimSuffix(b, "]")
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil {
		return c.name(host, digits)
	}
	return c.addr(addr, uint16(port))
}

// isWildcard reports whether a host in an endpoint stands for all addresses of the node.
func isWildcard(host string) bool {
	return host == "*" || host == "" || host == "0.0.0.0" || host == "[::]"
}

// everywhere expands the wildcard. On the same host loopback stays when interfaces come and go.
func (c *chooser) everywhere(port uint16) (err error) {
	before := len(c.found)
	try := func(a netip.Addr) { err = cmp.Or(err, c.addr(a, port)) }
	if c.sameHost {
		try(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	for _, a := range c.sources {
		try(a)
	}
	for _, a := range c.r.Addrs[:min(len(c.r.Addrs), maxAddrs)] {
		try(a)
	}
	switch {
	case len(c.found) > before:
		return nil
	case err == nil:
		return errors.New("no address is known")
	}
	return err
}

// name judges an endpoint with the name of a host.
func (c *chooser) name(host, port string) error {
	letters := strings.IndexFunc(host, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) >= 0
	strange := strings.IndexFunc(host, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}) >= 0
	lower := strings.ToLower(strings.TrimSuffix(host, "."))
	local := lower == "localhost" || strings.HasSuffix(lower, ".localhost")
	switch {
	case strange || !letters || len(host) > 253:
		return errors.New("the host is neither a name nor an address")
	case c.r.Configured:
	case local && !c.sameHost:
		return errors.New("it is on another host")
	case !local && !c.p.OffLink:
		return errors.New("a host name may lead anywhere; Policy.OffLink allows that")
	}
	c.add("tcp://"+host+":"+port, rankOther)
	return nil
}

// addr judges an address.
func (c *chooser) addr(a netip.Addr, port uint16) error {
	a = a.Unmap()
	source, from := c.from(a)
	given := c.r.Configured
	r := rankOther
	switch {
	case !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || c.links.Broadcast(a) || isReserved(a):
		return fmt.Errorf("%v is no address of a host", a)
	case a.IsLoopback():
		if !c.sameHost && !given {
			return fmt.Errorf("%v is on another host", a)
		}
		r = rankLoopback
	case a.Is6() && a.IsLinkLocalUnicast():
		switch {
		case from && source.Zone() != "":
			a, r = source, rankSource // what zones are called elsewhere means nothing here
		case !given || a.Zone() == "":
			return fmt.Errorf("it is not known on which interface %v is", a)
		}
	case from:
		r = rankSource
	case c.links.Local(a) && !c.sameHost && !given:
		return fmt.Errorf("%v is an address of this host, and the node is on another", a)
	case c.links.OnLink(a):
		r = rankOnLink
	case !c.p.OffLink && !given:
		return fmt.Errorf("%v is in none of this host's networks; Policy.OffLink allows that", a)
	}
	c.add("tcp://"+netip.AddrPortFrom(a, port).String(), r)
	return nil
}

// from returns the address that an announcement came from which is the same but for the zone.
func (c *chooser) from(a netip.Addr) (netip.Addr, bool) {
	a = a.WithZone("")
	for _, f := range c.sources {
		if f = f.Unmap(); f.WithZone("") == a {
			return f, true
		}
	}
	return netip.Addr{}, false
}

// isReserved reports whether an IPv4 address is in 0.0.0.0/8, "this network", or in 240.0.0.0/4, which ends in the
// broadcast address (RFC 6890).
func isReserved(a netip.Addr) bool {
	return a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240)
}
