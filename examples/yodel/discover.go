package main

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/discovery/mdns"
)

// Peers by name: --announce, --find and --group, and what peers (the verb) shares with them.

const findHelp = `With --announce SERVICE the socket is found by others under that name, and with --find SERVICE it is
connected to all that announce it, by multicast DNS on this host and the local network, in whatever
order they start. Types that cannot talk with each other are left alone.`

// What --announce binds if there is no --bind. Who finds both, being on this host, takes ipc, which is faster.
const (
	everywhere = "tcp://*:0"
	thisHost   = "ipc://*"
)

// goodbyeTime is how long a goodbye may take. It is a few packets.
const goodbyeTime = 2 * time.Second

// A place is where to look for others.
type place struct {
	group      string
	interfaces []string // none: all that can
}

func (p *place) register(fs *pflag.FlagSet) {
	fs.StringVar(&p.group, "group", discovery.DefaultGroup, "announce to, and find, those in group `G` alone")
	fs.StringArrayVar(&p.interfaces, "interface", nil,
		"announce and find on the network interface `NAME` alone; repeatable (default all but public ones)")
}

func (p *place) check() error {
	for _, name := range p.interfaces {
		if _, err := net.InterfaceByName(name); err != nil {
			return usagef("--interface %.80q: %v", name, err)
		}
	}
	return checkName("group", p.group)
}

func (f *meetFlags) checkDiscovery() error {
	for _, name := range f.announce {
		if err := checkName("announce", name); err != nil {
			return err
		}
	}
	for _, name := range f.find {
		if err := checkName("find", name); err != nil {
			return err
		}
	}
	return f.place.check()
}

func checkName(flag, name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-._"
	if name == "" || len(name) > 63 || strings.Trim(name, letters) != "" {
		return usagef("--%s %.80q: it must have 1 to 63 of the characters a-z, 0-9, \"-\", \".\" and \"_\"", flag, name)
	}
	return nil
}

// newNode opens a node that looks for others by multicast DNS.
func (a *app) newNode(p place) *discovery.Node {
	const wire = "zmtp/3.1"
	opts := []mdns.Option{mdns.WithWire(wire)}
	if len(p.interfaces) > 0 {
		opts = append(opts, mdns.WithInterfaces(func(i net.Interface) bool { return slices.Contains(p.interfaces, i.Name) }))
	}
	return discovery.NewNode(mdns.New(opts...),
		discovery.WithGroup(p.group), discovery.WithProtocol(wire), discovery.WithTrouble(a.trouble),
		discovery.WithID(a.node))
}

// trouble says what keeps nodes from finding each other, and what can be done about it.
func (a *app) trouble(err error) {
	switch {
	case errors.Is(err, mdns.ErrPort):
		a.con.printf("%v; stop the program that holds it (Linux: ss -ulpn 'sport = :5353') or have it share the port", err)
	case errors.Is(err, mdns.ErrNoInterface):
		a.con.printf("%v; bring one up (Linux: ip link set lo up)", err)
	default:
		a.con.printf("%v", err)
	}
}

// meet announces who meets and looks for peers, as the flags say.
func (m *meeting) meet(ctx context.Context) error {
	f := m.at
	if len(f.announce)+len(f.find) == 0 {
		return nil
	}
	m.found = m.newNode(f.place)
	events, err := m.found.Watch(context.Background(), discovery.Query{}) // until the node is closed
	if err != nil {
		return failf("%w", err)
	}
	near := newNearMisses(m.con, m.name, m.who.Type(), f.place.group, f.find)
	go func() {
		defer near.stop()
		for e := range events {
			if e.Kind == discovery.Trouble {
				m.trouble(e.Err)
			}
			near.take(e)
		}
	}()
	for _, service := range f.announce {
		if err := m.found.Announce(ctx, service, m.who.(discovery.Announceable)); err != nil {
			return failf("%w", err)
		}
		m.con.notef("announced as %s in group %s", service, f.place.group)
	}
	for _, service := range f.find {
		p := discovery.Policy{OnChange: func(c discovery.Change) { m.noteChange(service, c) }}
		if err := m.found.Connect(service, m.who.(discovery.Connector), discovery.WithPolicy(p)); err != nil {
			return failf("%w", err)
		}
	}
	return nil
}

// noteChange tells of peers of a service that come and go.
func (m *meeting) noteChange(service string, c discovery.Change) {
	if m.closing.Load() {
		return
	}
	switch c.Kind {
	case discovery.PeerConnected:
		m.con.notef("%s: connected to %s", service, printable(c.Endpoint))
	case discovery.PeerDisconnected:
		m.con.notef("%s: a peer has left", service)
	case discovery.PeerLost, discovery.PeerFailed, discovery.PeerRefused:
		m.con.notef("%s: peer %s: %s%s", service, c.Record.ID, c.Kind, why(c.Err))
	}
}

func why(err error) string {
	if err == nil {
		return ""
	}
	return ": " + printable(err.Error())
}

// leave says goodbye, and then lets go of all peers that were found.
func (m *meeting) leave() {
	if m.found == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	if err := m.found.Shutdown(ctx); err != nil {
		m.con.printf("%v", err)
	}
}

// printable is s without anything that a terminal would obey: strangers may announce what they like.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
