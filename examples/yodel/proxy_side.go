package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yodel-mq/yodel/socket"
	"github.com/yodel-mq/yodel/transport"
)

// A side is one socket of a proxy, as it is written: TYPE ENDPOINT.
type side struct {
	role     string
	endpoint string
	connect  bool
}

// connectPrefix stands before an endpoint that is to be connected to rather than bound.
const connectPrefix = "connect:"

// joinSides makes one argument of each "--frontend TYPE ENDPOINT" and "--backend TYPE ENDPOINT" of a proxy, since to
// the flag library a flag has one value. All that follows up to the next flag is taken, so that what is wrong with it
// can be said.
func joinSides(args []string) []string {
	at := slices.IndexFunc(args, func(a string) bool { return !strings.HasPrefix(a, "-") })
	if at < 0 || args[at] != "proxy" {
		return args
	}
	joined := slices.Clone(args[:at+1])
	for i := at + 1; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		if name != "--frontend" && name != "--backend" {
			joined = append(joined, args[i])
			continue
		}
		var words []string
		if given {
			words = append(words, value)
		}
		for i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			words = append(words, args[i])
		}
		joined = append(joined, name+"="+strings.Join(words, " "))
	}
	return joined
}

// parseSide reads the value of --frontend or --backend.
func parseSide(flag, value string) (side, error) {
	words := strings.Fields(value)
	if len(words) != 2 {
		return side{}, usagef("--%s %s: it takes a socket type and one endpoint, such as --%s ROUTER tcp://*:5555", flag,
			value, flag)
	}
	s := side{role: strings.ToUpper(words[0])}
	if _, ok := proxyRoles[s.role]; !ok {
		return side{}, usagef("--%s %s: a proxy has no %s side; use %s", flag, value, words[0], proxyPairs)
	}
	var err error
	s.endpoint, s.connect, err = parseProxyEndpoint(words[1])
	return s, err
}

func parseProxyEndpoint(text string) (endpoint string, connect bool, err error) {
	endpoint, connect = strings.CutPrefix(text, connectPrefix)
	use := transport.ForBind
	if connect {
		use = transport.ForConnect
	}
	return endpoint, connect, checkEndpoint(endpoint, use)
}

const proxyPairs = "ROUTER with DEALER, XSUB with XPUB or PULL with PUSH"

// proxyRoles are the types a proxy is made of.
var proxyRoles = map[string]struct {
	partner string
	open    func(f *socketFlags) socket.Socket
}{
	"ROUTER": {"DEALER", func(f *socketFlags) socket.Socket {
		return socket.NewRouter(options[socket.RouterOption](f)...)
	}},
	"DEALER": {"ROUTER", func(f *socketFlags) socket.Socket {
		return socket.NewDealer(options[socket.DealerOption](f)...)
	}},
	"XSUB": {"XPUB", func(f *socketFlags) socket.Socket { return socket.NewXSub(options[socket.XSubOption](f)...) }},
	"XPUB": {"XSUB", func(f *socketFlags) socket.Socket { return socket.NewXPub(options[socket.XPubOption](f)...) }},
	"PULL": {"PUSH", func(f *socketFlags) socket.Socket { return socket.NewPull(options[socket.PullOption](f)...) }},
	"PUSH": {"PULL", func(f *socketFlags) socket.Socket { return socket.NewPush(options[socket.PushOption](f)...) }},
}

// fits says what is wrong with two sides together.
func (s side) fits(other side) error {
	if proxyRoles[s.role].partner != other.role {
		return usagef("a proxy cannot join %s with %s; use %s", s.role, other.role, proxyPairs)
	}
	return nil
}

// connects are the endpoints that the side connects to.
func (s side) connects() []string {
	if s.connect {
		return []string{s.endpoint}
	}
	return nil
}

func (s side) String() string { return fmt.Sprintf("%s %s", s.role, s.endpoint) }
