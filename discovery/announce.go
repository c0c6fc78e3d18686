package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// An Announceable is what Announce asks of a socket. The methods may be called at any time by any goroutine.
//
// It may have one more method, as the sockets of package socket do:
//
//	NodeID() [16]byte
//
// It returns the id that the socket shows to its peers in the handshake, by which those who find the service can tell
// it from somebody else who answers at the same endpoint: see [Record.PeerID]. A node announces it if it is the same
// for all that it announces.
type Announceable interface {
	// Type is the socket's type as ZMTP names it, such as "PUB".
	Type() string
	// Endpoints are those that it is bound to now. One with the host "*", "0.0.0.0" or "[::]" stands for all
	// addresses of this host.
	Endpoints() []string
}

// A member is an Announceable that tells what it shows to its peers.
type member interface{ NodeID() [16]byte }

// peerID returns what all sockets show to their peers; the zero ID if that is not the same for all.
func peerID(offers []offered) (id ID) {
	for i, o := range offers {
		m, ok := o.socket.(member)
		if !ok || i > 0 && ID(m.NodeID()) != id {
			return ID{}
		}
		id = m.NodeID()
	}
	return id
}

// offered is a socket that Announce was given.
type offered struct {
	service string
	socket  Announceable
}

// record returns what a socket offers at present; false if that is nothing that others could use.
func (o offered) record() (Service, bool) {
	s := Service{Name: o.service, Type: o.socket.Type()}
	for _, e := range o.socket.Endpoints() {
		if e, ok := announced(e); ok {
			s.Endpoints = append(s.Endpoints, e)
		}
	}
	slices.Sort(s.Endpoints)
	s.Endpoints = slices.Compact(s.Endpoints)
	return s, len(s.Endpoints) > 0
}

// announced returns an endpoint as it stands in a record; false if others could make nothing of it: inproc is this
// process's own, and a link-local address would need the name that the interface has there.
func announced(endpoint string) (string, bool) {
	scheme, rest, _ := strings.Cut(endpoint, "://")
	switch scheme {
	case "ipc":
		if rest == "" || rest == "*" || rest == "@" {
			return "", false
		}
		if rest[0] != '@' {
			path, err := filepath.Abs(rest) // others are in other directories
			if err != nil {
				return "", false
			}
			rest = path
		}
		return "ipc://" + rest, true
	case "tcp":
		i := strings.LastIndexByte(rest, ':')
		if i < 0 || rest[i+1:] == "0" || rest[i+1:] == "*" {
			return "", false
		}
		host, port := rest[:i], rest[i:]
		if isWildcard(host) {
			return "tcp://*" + port, true
		}
		bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
		if a, err := netip.ParseAddr(bare); err == nil {
			switch a = a.Unmap(); {
			case a.IsUnspecified():
				return "tcp://*" + port, true
			case a.IsLinkLocalUnicast() || a.Zone() != "":
				return "", false
			case a.Is4():
				host = a.String()
			}
		}
		return "tcp://" + host + port, true
	}
	return "", false
}

// maxAddrText is how much of a record its addresses may take: what fits into one string of a TXT record.
const maxAddrText = maxString - len("h=")

// reachable returns the addresses at which others may reach this host, as many as fit into a record: the first of
// each family of each interface before all others, and IPv4 first.
func reachable(links ifaces.Snapshot) []netip.Addr {
	type ranked struct {
		addr netip.Addr
		rank int
	}
	var all []ranked
	for _, i := range links {
		if i.Loopback {
			continue
		}
		var v4, v6 int
		for _, p := range i.Addrs {
			a := p.Addr()
			if checkAddr(a) != nil || a.IsLoopback() {
				continue
			}
			n := &v4
			if a.Is6() {
				n = &v6
			}
			all = append(all, ranked{a, *n})
			*n++
		}
	}
	slices.SortStableFunc(all, func(x, y ranked) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(x.addr.BitLen(), y.addr.BitLen()))
	})
	var addrs []netip.Addr
	room := maxAddrText + 1
	for _, r := range all {
		if n := len(r.addr.String()) + 1; n <= room && !slices.Contains(addrs, r.addr) {
			room -= n
			addrs = append(addrs, r.addr)
		}
	}
	return addrs
}

// compose makes the record of what is offered at present, but for its revision.
func (n *Node) compose(offers []offered, links ifaces.Snapshot) Record {
	r := n.base.Clone()
	r.Host, r.Files = n.hostToken()
	var found []offered
	everywhere := false
	for _, o := range offers {
		if s, ok := o.record(); ok {
			r.Services = append(r.Services, s)
			found = append(found, o)
			everywhere = everywhere ||
				slices.ContainsFunc(s.Endpoints, func(e string) bool { return strings.HasPrefix(e, "tcp://*:") })
		}
	}
	r.PeerID = peerID(found)
	slices.SortStableFunc(r.Services, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Type, b.Type), slices.Compare(a.Endpoints, b.Endpoints))
	})
	if everywhere { // nobody needs to know them otherwise
		r.Addrs = reachable(links)
	}
	return r
}

// announce brings what is announced up to date with what is offered. The caller holds announceLock.
func (n *Node) announce(ctx context.Context) error {
	n.mu.Lock()
	closed, offers := n.closed, slices.Clone(n.offers) // at once: Shutdown takes the offers away
	n.mu.Unlock()
	if closed {
		return ErrClosed // the goodbye is for Shutdown to say
	}
	links := n.links
	if links == nil { // the poller has none yet
		links, _ = n.source()
	}
	r := n.compose(offers, links)
	if len(r.Services) == 0 {
		return n.goodbye(ctx)
	}
	if n.announcement != nil && reflect.DeepEqual(r, n.last) {
		return nil
	}
	// Counted even if this fails: part of it may have got out, and a revision must never say two things.
	n.revision++
	n.last = Record{}
	next := r.Clone()
	next.Revision = n.revision
	if n.announcement == nil {
		a, err := n.b.Announce(ctx, next)
		if err != nil {
			return err
		}
		n.announcement = a
	} else if err := n.announcement.Update(next); err != nil {
		return err
	}
	n.last = r
	return nil
}

func (n *Node) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// goodbye ends the announcement, if there is one. The caller holds announceLock.
func (n *Node) goodbye(ctx context.Context) error {
	a := n.announcement
	if a == nil {
		return nil
	}
	n.announcement, n.last = nil, Record{}
	return a.Close(ctx)
}

// follow keeps what is announced up to date until ctx ends. Sockets do not tell when they are bound or unbound, so it
// looks.
func (n *Node) follow(ctx context.Context) {
	links := ifaces.Watch(ctx, 0, n.source)
	defer func() {
		for range links { // until it is closed
		}
	}()
	tick := time.NewTicker(n.poll)
	defer tick.Stop()
	pause, again := time.Duration(0), time.Time{}
	for {
		now := ifaces.Snapshot(nil)
		select {
		case <-ctx.Done():
			return
		case now = <-links:
		case <-n.kick:
		case <-tick.C:
		}
		if ctx.Err() != nil || n.lockAnnounce(ctx) != nil {
			return
		}
		if now != nil {
			n.links = now
		}
		var err error
		if !time.Now().Before(again) {
			call, cancel := context.WithTimeout(ctx, goodbyeTime)
			err = n.announce(call)
			cancel()
			if err == nil {
				pause = 0
			}
		}
		n.unlockAnnounce()
		if err != nil && !n.isClosed() {
			pause = min(max(2*pause, time.Second), maxAnnouncePause)
			again = time.Now().Add(pause)
			n.report(fmt.Errorf("discovery: announce a change: %w", err))
		}
	}
}

const (
	// goodbyeTime bounds calls of the backend that no caller of ours waits for.
	goodbyeTime      = 2 * time.Second
	maxAnnouncePause = time.Minute
)

// Announce tells others that a service is to be had at the endpoints that s is bound to, now and later: binds and
// unbinds are announced within a quarter of a second, changes of the host's interfaces within about two. A socket
// that is bound nowhere is not announced until it is, and one that has been closed no longer is. Of a socket bound to
// a loopback address or to ipc only the same host makes use; inproc and link-local endpoints are left out.
//
// ctx bounds the call. To announce the same socket under the same name again does nothing. Of two sockets of one type
// under one name, others connect to one; of two of different types, to the one that fits.
//
// Errors are ErrRecord if the name is not up to 63 bytes of a-z, 0-9, "-", "." and "_", or all that is announced no
// longer fits into one record; ErrInvalidOption, see NewNode; ErrReadOnly if the backend announces nothing;
// ErrClosed; and what else the backend says. Nothing is announced then of s. What goes wrong later is told to
// WithTrouble, and tried again.
func (n *Node) Announce(ctx context.Context, service string, s Announceable) error {
	if err := checkName("service", service); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if n.bad != nil {
		return n.bad
	}
	n.hostToken() // by this goroutine, which may be locked to a thread in a namespace of its own
	if err := n.lockAnnounce(ctx); err != nil {
		return err
	}
	defer n.unlockAnnounce()
	o := offered{service, s}
	n.mu.Lock()
	switch {
	case n.closed:
		n.mu.Unlock()
		return ErrClosed
	case slices.Contains(n.offers, o):
		n.mu.Unlock()
		return nil
	}
	n.offers = append(n.offers, o)
	n.startLocked()
	n.mu.Unlock()
	err := n.announce(ctx)
	if err != nil {
		n.remove(o)
		_ = n.announce(ctx) // as it was; if that fails too, the poller tries again
		return fmt.Errorf("discovery: announce service %q: %w", service, err)
	}
	return nil
}

// Unannounce undoes Announce: others hear at once that the service is gone, and a goodbye if it was the last. It does
// nothing if the socket is not announced under that name.
func (n *Node) Unannounce(service string, s Announceable) {
	n.remove(offered{service, s})
	select {
	case n.kick <- struct{}{}:
	default: // follow has been woken already, and will see it
	}
}

func (n *Node) remove(o offered) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.offers = slices.DeleteFunc(n.offers, func(x offered) bool { return x == o })
}

// lockAnnounce waits for announceLock, so that there is one call of the backend at a time.
func (n *Node) lockAnnounce(ctx context.Context) error {
	select { // even if ctx has ended: Shutdown has more to do than to say goodbye
	case n.announceLock <- struct{}{}:
		return nil
	default:
	}
	select {
	case n.announceLock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unlockAnnounce gives announceLock back. If Shutdown could not wait for it, the goodbye is said here.
func (n *Node) unlockAnnounce() {
	<-n.announceLock
	n.mu.Lock()
	late := n.goodbyeDeferred
	n.mu.Unlock()
	if !late {
		return
	}
	select {
	case n.announceLock <- struct{}{}:
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
		if err := n.goodbye(ctx); err != nil {
			n.report(fmt.Errorf("discovery: goodbye: %w", err))
		}
		cancel()
		<-n.announceLock
	default: // whoever holds it now will come here
	}
}

// report tells what went wrong while nobody waited.
func (n *Node) report(err error) {
	if n.trouble != nil && !errors.Is(err, context.Canceled) {
		n.trouble(err)
	}
}
