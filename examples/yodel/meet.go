package main

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/spf13/pflag"

	"github.com/yodel-mq/yodel/discovery"
	"github.com/yodel-mq/yodel/transport"
	"github.com/yodel-mq/yodel/transport/mtls"
)

// How a verb comes to its peers: by endpoint, and by name. What meets them is a socket, or what a pattern has in place
// of one.

// meetFlags say whom to meet, and who may come in.
type meetFlags struct {
	bind, connect  []string
	announce, find []string
	place          place
	security       security
}

// A way is one to come to peers. Not all that meets them has each.
type way int

const (
	binds    way = 1 << iota // by --bind and --announce
	connects                 // by --connect
	finds                    // by --find
)

func (f *meetFlags) register(fs *pflag.FlagSet, by way) {
	if by&binds != 0 {
		fs.StringArrayVar(&f.bind, "bind", nil,
			"listen at `ENDPOINT`, such as tcp://127.0.0.1:5557 or ipc:///tmp/x; repeatable")
	}
	if by&connects != 0 {
		fs.StringArrayVar(&f.connect, "connect", nil,
			"connect to `ENDPOINT`, and again whenever the connection is lost; repeatable")
	}
	if by&binds != 0 {
		fs.StringArrayVar(&f.announce, "announce", nil,
			"let others find this socket as `SERVICE`; without --bind it listens on every interface, at a free port; repeatable")
	}
	if by&finds != 0 {
		fs.StringArrayVar(&f.find, "find", nil,
			"connect to every peer that announces `SERVICE`, as they come and go; repeatable")
	}
	f.place.register(fs)
}

// check says what is wrong with the flags as they are written.
func (f *meetFlags) check(fs *pflag.FlagSet) error {
	if len(f.bind)+len(f.connect)+len(f.announce)+len(f.find) == 0 {
		return usagef("no endpoint: give %s, at least once", waysOf(fs))
	}
	if err := f.checkDiscovery(); err != nil {
		return err
	}
	for _, e := range f.bind {
		if err := checkEndpoint(e, transport.ForBind); err != nil {
			return err
		}
	}
	for _, e := range f.connect {
		if err := checkEndpoint(e, transport.ForConnect); err != nil {
			return err
		}
	}
	return f.security.check(fs, f.bind, f.connect)
}

// waysOf are the flags by which peers can be met: "--bind or --connect, or --announce or --find".
func waysOf(fs *pflag.FlagSet) string {
	either := func(flags ...string) (there string) {
		for _, name := range flags {
			switch {
			case fs.Lookup(name) == nil:
			case there == "":
				there = "--" + name
			default:
				there += " or --" + name
			}
		}
		return there
	}
	return either("bind", "connect") + ", or " + either("announce", "find")
}

// refuseNegative refuses numbers and times below zero.
func refuseNegative(fs *pflag.FlagSet) (err error) {
	fs.VisitAll(func(f *pflag.Flag) {
		switch f.Value.Type() {
		case "int", "duration":
			if err == nil && strings.HasPrefix(f.Value.String(), "-") {
				err = usagef("--%s is negative: it must be 0 or more", f.Name)
			}
		}
	})
	return err
}

// checkEndpoint finds what is wrong with an endpoint as it is written; what goes wrong later is no wrong usage.
func checkEndpoint(endpoint string, use transport.Use) error {
	ep, err := transport.ParseEndpoint(endpoint)
	if err != nil {
		return usagef("%w", err)
	}
	if ep.Scheme == "inproc" {
		return usagef("endpoint %q: inproc is within one process; write it as tcp://host:port or ipc:///path", endpoint)
	}
	for _, t := range []transport.Transport{transport.NewTCP(), transport.NewIPC(), mtls.New()} {
		if t.Scheme() != ep.Scheme {
			continue
		}
		if err := t.Validate(ep.Address, use); err != nil {
			return usagef("%w", err)
		}
		return nil
	}
	return usagef("endpoint %q: no such transport; write it as tcp://host:port, tls://host:port or ipc:///path", endpoint)
}

// A meeting is a socket, or what a pattern has in place of one, with its peers.
type meeting struct {
	*app
	name  string // of the verb
	who   interface{ Type() string }
	at    *meetFlags
	found *discovery.Node // nil without --announce and --find

	closing atomic.Bool // nothing is told any more of peers that come and go
}

// Whoever has --bind can be bound, and whoever has --connect connected.
type (
	binder interface {
		Bind(ctx context.Context, endpoint string) (actual string, err error)
		Endpoints() []string
	}
	connector interface {
		Connect(endpoint string) error
	}
)

// attach binds and connects, by endpoint and by name.
func (m *meeting) attach(ctx context.Context) error {
	bind := m.at.bind
	if len(bind) == 0 && len(m.at.announce) > 0 {
		bind = []string{everywhere, thisHost}
	}
	for _, e := range bind {
		who := m.who.(binder)
		at, err := who.Bind(ctx, e)
		switch {
		case err == nil:
			m.con.notef("listening on %s", wildcard(at, who.Endpoints()))
		case e == thisHost && len(m.at.bind) == 0: // a path too long, perhaps; tcp will do
			m.con.notef("%v", err)
		default:
			return failf("%w", err)
		}
	}
	for _, e := range m.at.connect {
		if err := m.who.(connector).Connect(e); err != nil {
			return failf("%w", err)
		}
	}
	return m.meet(ctx)
}
