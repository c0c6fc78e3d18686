package dns

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

const (
	lookupTimeout = 5 * time.Second
	parallel      = 8    // lookups of targets at a time
	maxTargets    = 4096 // of one answer
)

// A view is what one source lists.
type view struct {
	nodes map[discovery.ID]discovery.Record
	// unknown are nodes that are listed, but whose addresses could not be had.
	unknown map[discovery.ID]bool
	// err says what failed, for want of which nodes or their addresses are missing; with nodes == nil nothing is known.
	err error
}

// look asks for what a source lists. A name that does not exist lists nothing.
func (s *session) look(ctx context.Context, src source) view {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	if src.label == "" {
		return s.lookAddrs(ctx, src)
	}
	return s.lookSRV(ctx, src)
}

func (s *session) lookAddrs(ctx context.Context, src source) view {
	name := s.backend.name
	addrs, err := s.addrs(ctx, name)
	if err != nil {
		return view{err: err}
	}
	v := view{nodes: make(map[discovery.ID]discovery.Record, len(addrs))}
	for _, a := range addrs {
		ap := netip.AddrPortFrom(a, src.port).String()
		s.node(v.nodes, src, ap, "", []string{"tcp://" + ap})
	}
	return v
}

func (s *session) lookSRV(ctx context.Context, src source) view {
	name := s.backend.name
	_, answers, err := s.backend.config.resolver.LookupSRV(ctx, src.label, "tcp", name)
	if err != nil && !notFound(err) && len(answers) == 0 { // Go returns what is well-formed along with its error
		return view{err: &LookupError{Type: "SRV", Name: "_" + src.label + "._tcp." + name, Err: err}}
	}
	v := view{nodes: make(map[discovery.ID]discovery.Record), unknown: make(map[discovery.ID]bool)}
	if len(answers) > maxTargets {
		v.err = &LookupError{
			Type: "SRV", Name: "_" + src.label + "._tcp." + name, Err: errors.New("lists more than 4096 nodes"),
		}
		answers = answers[:maxTargets]
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // of v
		slots = make(chan struct{}, parallel)
	)
	for _, a := range answers {
		target := strings.ToLower(a.Target)
		if a.Port == 0 || strings.Trim(target, ".") == "" { // "." says that there is no such service (RFC 2782)
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			addrs, err := s.addrs(ctx, target)
			port := strconv.Itoa(int(a.Port))
			key := net.JoinHostPort(strings.TrimSuffix(target, "."), port)
			endpoints := make([]string, len(addrs))
			for i, addr := range addrs {
				endpoints[i] = "tcp://" + net.JoinHostPort(addr.String(), port)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				v.unknown[s.nodeID(key)] = true
				v.err = err
			case len(addrs) > 0:
				label, _, _ := strings.Cut(target, ".")
				s.node(v.nodes, src, key, label, endpoints)
			}
		})
	}
	wg.Wait()
	return v
}

// addrs returns what can be dialled, in an order that does not change from one answer to the next. No such name: none.
func (s *session) addrs(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := s.backend.config.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil && !notFound(err) {
		return nil, &LookupError{Type: "A/AAAA", Name: host, Err: err}
	}
	addrs = slices.Clone(addrs)
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		return !a.IsValid() || a.IsUnspecified() || a.IsMulticast()
	})
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs), nil
}

// node adds a service to the record of a node.
func (s *session) node(nodes map[discovery.ID]discovery.Record, src source, key, name string, endpoints []string) {
	id := s.nodeID(key)
	r, ok := nodes[id]
	if !ok {
		if len(name) > 63 {
			name = ""
		}
		r = discovery.Record{ID: id, Group: s.backend.config.group, Name: name, Configured: true}
	}
	r.Services = append(r.Services, discovery.Service{Name: src.service, Endpoints: endpoints})
	nodes[id] = r
}

// nodeID is the same in each process that looks at the zone.
func (s *session) nodeID(key string) (id discovery.ID) {
	sum := sha256.Sum256([]byte("yodel dns node\n" + s.backend.config.group + "\n" + key))
	copy(id[:], sum[:])
	return id
}

func notFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}
