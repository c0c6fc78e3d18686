package mdns

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"time"
)

const (
	maxLinks = 32 // interfaces in use; a host of containers has hundreds, of which the first few lead anywhere
	// A socket that cannot be opened is tried again with each look at the interfaces: without end if the port was taken,
	// else a few times, because some interfaces lack one of the families.
	maxTries = 10
)

// A link is an interface in use. It is not changed once it has been published in engine.links.
type link struct {
	iface
	group   [len(families)]conn // port 5353; nil if it cannot be had
	asker   [len(families)]conn // for questions
	tries   [len(families)]int
	refused error // why there is no group conn, if the port is taken
}

// follow brings the links in line with the system's interfaces. If a link was added, everything is announced and asked
// for again.
func (e *engine) follow() {
	all, err := e.config.network.interfaces()
	if err != nil {
		return // the system may know again at the next look; what is open stays
	}
	e.mu.Lock()
	if e.stopped {
		e.mu.Unlock()
		return
	}
	old := maps.Clone(*e.links.Load())
	links := make(map[int]*link)
	own := make(map[netip.Addr]struct{})
	var refused error
	var opened []conn
	for _, i := range all {
		for _, p := range i.prefixes {
			own[p.Addr()] = struct{}{}
		}
		if len(links) == maxLinks || !e.wanted(&i) {
			continue
		}
		l := &link{iface: i}
		if was := old[i.Index]; was != nil && was.same(&i) {
			*l = *was
			delete(old, i.Index)
		}
		opened = append(opened, e.open(l)...)
		if l.refused != nil {
			refused = fmt.Errorf("%w on %s, peers are found by asking only: %w", ErrPort, l.Name, l.refused)
		}
		links[l.Index] = l
	}
	for _, l := range old { // what has gone or changed
		e.drop(l)
	}
	e.own.Store(&own)
	e.links.Store(&links)
	for _, c := range opened { // now that packets can be judged
		e.wg.Go(func() { e.read(c) })
	}
	for _, l := range links {
		for a := range e.anns {
			e.serve(a, l)
		}
	}
	if len(opened) > 0 {
		for a := range e.anns {
			a.restart()
		}
		e.newRound()
	}
	e.mu.Unlock()
	if len(links) == 0 {
		refused = ErrNoInterface
	}
	e.troubled(refused)
}

func (e *engine) wanted(i *iface) bool {
	if !i.multicasts() {
		return false
	}
	if e.config.use != nil {
		return e.config.use(i.Interface)
	}
	return i.private()
}

// open opens what sockets the link lacks, and returns those.
func (e *engine) open(l *link) (opened []conn) {
	l.refused = nil
	for n, f := range families {
		if f == 6 && l.loopback() && l.has(4) { // where Linux knows no way to the group, and one is enough
			continue
		}
		if !l.has(f) || l.group[n] != nil && l.asker[n] != nil || l.tries[n] >= maxTries {
			continue
		}
		l.tries[n]++
		if l.group[n] == nil {
			c, err := e.config.network.listen(l.iface, f)
			switch {
			case err == nil:
				l.group[n] = c
				opened = append(opened, c)
			case taken(err):
				l.refused = err
				l.tries[n] = 0
			}
		}
		if l.asker[n] == nil {
			if c, err := e.config.network.ask(l.iface, f); err == nil {
				l.asker[n] = c
				opened = append(opened, c)
			}
		}
	}
	return opened
}

// drop closes what belongs to a link. The lock is held.
func (e *engine) drop(l *link) {
	for n := range families {
		for _, c := range [...]conn{l.group[n], l.asker[n]} {
			if c != nil {
				_ = c.Close()
			}
		}
	}
	for a := range e.anns {
		if s := a.servers[l.Index]; s != nil {
			_ = s.Close()
			delete(a.servers, l.Index)
		}
	}
}

// serve makes a link answer for an announcement, unless it does already. The lock is held.
func (e *engine) serve(a *announcement, l *link) {
	if a.servers[l.Index] != nil || l.group == [len(families)]conn{} {
		return
	}
	z := &zone{a: a, iface: l.iface, seen: make(map[questionKey]uint64)}
	if s, err := e.config.network.serve(l.iface, z); err == nil {
		a.servers[l.Index] = s
	}
}

// read hands on what comes in until the conn is closed.
func (e *engine) read(c conn) {
	buf := make([]byte, maxPacket+1)
	for {
		n, from, index, ttl, err := c.read(buf)
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
			return
		case err != nil: // an interface that went down may say so over and over
			select {
			case <-e.done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		default:
			e.handle(buf[:n], from, index, ttl)
		}
	}
}

// multicast sends a packet of its own to the group on each link, from port 5353.
func (e *engine) multicast(packet func(*link) ([]byte, error)) {
	for _, l := range *e.links.Load() {
		p, err := packet(l)
		if err != nil {
			continue
		}
		e.sendAll(l.group[:], p)
	}
}

// question sends a question to the group on each link, from ports of our own: an answer to port 5353 might reach
// another socket on this host, and one from there would oblige others to answer by multicast.
func (e *engine) question(packet []byte) {
	for _, l := range *e.links.Load() {
		e.sendAll(l.asker[:], packet)
	}
}

func (e *engine) sendAll(conns []conn, packet []byte) {
	for _, c := range conns {
		if c == nil {
			continue
		}
		if err := c.send(packet); err != nil {
			e.unsent.Add(1)
		} else {
			e.sent.Add(1)
		}
	}
}
