package static

import (
	"crypto/sha256"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/yodel-mq/yodel/discovery"
)

// A Peer says where a service is to be had.
type Peer struct {
	// Service is its name, such as "orders": 1 to 63 bytes of a-z, 0-9, "-", "." and "_".
	Service string
	// Endpoints is where it is, at least one: "tcp://10.0.0.1:5555", "tcp://db1.example:5555", "ipc:///run/x". Each
	// is a node of its own, and will be connected.
	Endpoints []string
	// Type is the socket's type as ZMTP names it, such as "PUB"; "" if nothing is known.
	Type string
	// Group is the group that the nodes are in; "" for [discovery.DefaultGroup].
	Group string
	// Name is for people, up to 63 bytes.
	Name string
	// Key is the node's CURVE public key in Z85 (40 characters), a hint: a list has no proof, so that no socket takes
	// the key from here.
	Key string
}

// check says what is wrong with a peer.
func (p *Peer) check() error {
	if !isName(p.Service) {
		return bad("service %.80q: want 1 to 63 of a-z, 0-9, -, . and _", p.Service)
	}
	if p.Group != "" && !isName(p.Group) {
		return bad("group %.80q: want 1 to 63 of a-z, 0-9, -, . and _", p.Group)
	}
	if len(p.Name) > 63 {
		return bad("name %.80q is longer than 63 bytes", p.Name)
	}
	if p.Key != "" && len(p.Key) != 40 {
		return bad("key has %d characters, want the 40 of Z85", len(p.Key))
	}
	if i := strings.IndexFunc(p.Type, func(r rune) bool { return r < 'A' || r > 'Z' }); i >= 0 || len(p.Type) > 16 {
		return bad("type %.40q: want a socket type such as PUB", p.Type)
	}
	if len(p.Endpoints) == 0 {
		return bad("service %q has no endpoint", p.Service)
	}
	for _, e := range p.Endpoints {
		if err := checkEndpoint(e); err != nil {
			return err
		}
	}
	return nil
}

func isName(s string) bool {
	return len(s) >= 1 && len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}

// checkEndpoint finds what can be seen to be wrong without dialling.
func checkEndpoint(e string) error {
	scheme, rest, ok := strings.Cut(e, "://")
	switch {
	case !ok || scheme == "" || rest == "":
		return bad("endpoint %.80q: want something like tcp://host:port", e)
	case len(e) > 255:
		return bad("endpoint %.80q... is longer than 255 bytes", e)
	case strings.ContainsFunc(e, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return bad("endpoint %.80q has a space or a control character in it", e)
	case scheme != "tcp":
		return nil
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		return bad("endpoint %.80q: %v", e, err)
	}
	if host == "" || host == "*" {
		return bad("endpoint %.80q names no host", e)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return bad("endpoint %.80q: want a port of 1 to 65535", e)
	}
	return nil
}

// nodeID is the same wherever and whenever that endpoint is written down.
func nodeID(group, endpoint string) (id discovery.ID) {
	sum := sha256.Sum256([]byte("yodel static node\n" + group + "\n" + endpoint))
	copy(id[:], sum[:])
	return id
}

// A list is what was written down: a record for each node. order has them as they were mentioned first.
type list struct {
	records map[discovery.ID]*discovery.Record
	order   []discovery.ID
}

// add takes a peer's nodes.
func (l *list) add(p Peer) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.Group == "" {
		p.Group = discovery.DefaultGroup
	}
	for _, e := range p.Endpoints {
		id := nodeID(p.Group, e)
		r := l.records[id]
		if r == nil {
			if l.records == nil {
				l.records = make(map[discovery.ID]*discovery.Record)
			}
			r = &discovery.Record{ID: id, Group: p.Group, Configured: true}
			l.records[id] = r
			l.order = append(l.order, id)
		}
		if !agree(&r.Name, p.Name) || !agree(&r.Key, p.Key) {
			return bad("endpoint %.80q has had another name or key before", e)
		}
		at := slices.IndexFunc(r.Services, func(s discovery.Service) bool { return s.Name == p.Service })
		if at < 0 {
			r.Services = append(r.Services, discovery.Service{Name: p.Service, Type: p.Type, Endpoints: []string{e}})
		} else if !agree(&r.Services[at].Type, p.Type) {
			return bad("endpoint %.80q has had another type before", e)
		}
	}
	return nil
}

// agree takes over what was not known, and reports whether what was known is the same.
func agree(known *string, now string) bool {
	if *known == "" {
		*known = now
	}
	return now == "" || *known == now
}
