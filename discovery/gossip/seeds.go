package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

const (
	firstRetry   = 500 * time.Millisecond // while nobody has been met; doubles
	lookupTime   = 5 * time.Second
	parallel     = 8  // seeds that are tried at a time
	maxTried     = 8  // records of those that watchers found
	maxSeedAddrs = 16 // addresses from one of them
	keepLost     = time.Hour
)

// join joins the seeds, and goes on to see to it that they and we are in one group.
func (s *session) join() {
	told := false
	for tries := 0; ; {
		err := s.joinOnce()
		if s.ctx.Err() != nil {
			return
		}
		alone := s.size() <= 1
		if err != nil && alone && !told {
			s.table.Trouble(err)
		}
		told = alone && (told || err != nil)
		s.hasJoined()
		pause := s.config.rejoin
		if tries++; alone {
			pause = min(pause, firstRetry<<min(tries, 10))
		} else {
			tries = 0
		}
		timer := time.NewTimer(jitter(pause))
		select {
		case <-timer.C:
		case <-s.poked:
		case <-s.ctx.Done():
		}
		timer.Stop()
	}
}

// hasJoined says that a seed has answered, or none does.
func (s *session) hasJoined() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = true
	s.kick()
}

// joinOnce tries those that are no members: all seeds, some of those that watchers found, one that was lost.
func (s *session) joinOnce() error {
	seeds := append([]string(nil), s.config.seeds...)
	s.mu.Lock()
	n := 0
	for _, list := range s.foundSeeds { // in an order that is another each time
		if n++; n > maxTried {
			break
		}
		seeds = append(seeds, list...)
	}
	for len(s.lost) > 0 && time.Since(s.lost[0].since) > keepLost {
		s.lost = s.lost[1:]
	}
	if len(s.lost) > 0 {
		seeds = append(seeds, s.lost[rand.N(len(s.lost))].addr.String())
	}
	s.mu.Unlock()

	var errs []error
	var strange []string // addresses of no member
	for _, seed := range seeds {
		addrs, err := s.resolve(seed)
		if err != nil {
			errs = append(errs, err)
		}
		strange = append(strange, s.nonMembers(addrs)...)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // of errs
		slots = make(chan struct{}, parallel)
	)
	for _, addr := range strange {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if ap, err := netip.ParseAddrPort(addr); err != nil || s.ctx.Err() != nil ||
				len(s.nonMembers([]netip.AddrPort{ap})) == 0 {
				return // a member meanwhile, which another has told us of
			}
			if _, err := s.memberlist().Join([]string{addr}); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, plain(err))
				return
			}
			s.hasJoined()
		})
	}
	wg.Wait()
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrAlone, errors.Join(errs...))
}

// plain makes memberlist's error fit for one line.
func plain(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return errors.New(strings.TrimPrefix(text, "1 error occurred: * "))
}

// resolve returns the addresses of a seed.
func (s *session) resolve(seed string) ([]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(seed)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), uint16(n))}, nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, lookupTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	var out []netip.AddrPort
	for _, a := range addrs {
		out = append(out, netip.AddrPortFrom(a.Unmap(), uint16(n)))
	}
	return out, err
}

// nonMembers leaves out members, ourselves among them.
func (s *session) nonMembers(addrs []netip.AddrPort) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[netip.AddrPort]bool{s.transport.public: true, s.transport.bound: true}
	for _, m := range s.members {
		if m.alive {
			known[m.addr] = true
		}
	}
	for _, a := range addrs {
		if !known[a] {
			known[a] = true
			out = append(out, a.String())
		}
	}
	return out
}

// findSeeds follows the watchers that supply seeds, and has those of them that announce tell of us.
func (s *session) findSeeds() {
	for _, w := range s.config.from {
		s.wg.Go(func() { s.followSeeds(w) })
		if b, ok := w.(discovery.Backend); ok {
			s.wg.Go(func() { s.beSeed(b) })
		}
	}
}

func (s *session) followSeeds(w discovery.Watcher) {
	events, err := w.Watch(s.ctx, discovery.Query{Group: s.config.group, Service: ServiceName})
	if err != nil {
		s.table.Trouble(fmt.Errorf("gossip: no seeds: %w", err))
		return
	}
	for e := range events {
		s.mu.Lock()
		switch e.Kind {
		case discovery.Added, discovery.Updated:
			if list := seedAddrs(&e.Record, onLink); e.Record.ID != s.seedID && len(list) > 0 &&
				len(s.foundSeeds) < s.config.limits.Nodes {
				s.foundSeeds[e.Record.ID] = list
				if len(s.members) <= 1 {
					select {
					case s.poked <- struct{}{}:
					default:
					}
				}
			}
		case discovery.Left, discovery.Expired:
			delete(s.foundSeeds, e.Record.ID)
		default:
		}
		s.mu.Unlock()
	}
}

// seedAddrs returns where a record says that a member is. A stranger can announce anything; so what counts is where the
// record came from, and what is on the networks that we are on. onLink tells these.
func seedAddrs(r *discovery.Record, onLink func(netip.Addr) bool) (out []string) {
	for _, service := range r.Services {
		if service.Name != ServiceName {
			continue
		}
		for _, e := range service.Endpoints {
			host, port, err := net.SplitHostPort(strings.TrimPrefix(e, "tcp://"))
			if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 {
				continue
			}
			if a, err := netip.ParseAddr(host); r.Configured || err == nil && usable(a) && !a.IsLoopback() && onLink(a) {
				out = append(out, net.JoinHostPort(host, port))
			}
			for _, from := range r.From {
				if usable(from) { // memberlist knows no zones
					out = append(out, net.JoinHostPort(from.String(), port))
				}
			}
		}
	}
	return out[:min(len(out), maxSeedAddrs)]
}

// onLink reports whether packets to a need no router.
func onLink(a netip.Addr) bool {
	now, err := ifaces.System()
	return err == nil && now.OnLink(a) && !now.Broadcast(a)
}

// beSeed announces this member elsewhere.
func (s *session) beSeed(b discovery.Backend) {
	began := uint64(time.Now().UnixMilli())
	self := func(revision uint64) (discovery.Record, chan struct{}) {
		s.mu.Lock()
		defer s.mu.Unlock()
		at := s.transport.public
		return discovery.Record{
			ID: s.seedID, Incarnation: began, Revision: revision, Group: s.config.group, Addrs: []netip.Addr{at.Addr()},
			Services: []discovery.Service{{Name: ServiceName, Endpoints: []string{"tcp://" + at.String()}}},
		}, s.moved
	}
	r, moved := self(0)
	a, err := b.Announce(s.ctx, r)
	if err != nil {
		if !errors.Is(err, discovery.ErrReadOnly) && s.ctx.Err() == nil {
			s.table.Trouble(fmt.Errorf("gossip: not announced: %w", err))
		}
		return
	}
	for revision := uint64(1); ; revision++ {
		select {
		case <-moved:
			r, moved = self(revision)
			if err := a.Update(r); err != nil {
				s.table.Trouble(fmt.Errorf("gossip: new address not announced: %w", err))
			}
			continue
		case <-s.ctx.Done():
		}
		break
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Second)
	defer cancel()
	_ = a.Close(ctx)
}
