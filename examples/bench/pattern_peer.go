package main

import (
	"context"
	"errors"
	"iter"
	"maps"
	"math"
	"time"
)

// deadline is that of each call, but of those under load.
const deadline = 5 * time.Second

// What is to be known of a failed call beside context.DeadlineExceeded.
var (
	errNobody  = errors.New("bench: no service is there")
	errRefused = errors.New("bench: the service refuses the call")
)

// errAnswered is the failure of a call that should not have been answered.
var errAnswered = errors.New("it was answered")

// A service is a bound service of a library.
type service interface {
	// Endpoint is where it can be reached.
	Endpoint() string
	Close() error
}

// What a service does. Bodies are bytes everywhere, so that no codec is measured.
type methods struct {
	calls map[string]func(ctx context.Context, body []byte) ([]byte, error)
	items func(ctx context.Context) iter.Seq2[[]byte, error] // the answer to a call of "items"; nil: there is none
}

// A client is connected to one service. Any number of goroutines may call. An error matches context.DeadlineExceeded,
// errNobody or errRefused where it is one of these.
type client interface {
	Call(ctx context.Context, method string, body []byte) ([]byte, error)
	Close() error
}

// A streamer is a client that can ask for items.
type streamer interface {
	Items(ctx context.Context) iter.Seq2[[]byte, error]
}

// A library makes calls.
type library struct {
	serve func(ctx context.Context, j job, m methods) (service, error)
	dial  func(ctx context.Context, j job) (client, error) // need not wait for the connection
	// brokered: all clients are connected to a server, so that the memory of the service says nothing.
	brokered bool
}

// roles returns those of the pairs of roles that are named by who connects.
func (l *library) roles(names ...string) map[string]role {
	all := make(map[string]role)
	for _, n := range names {
		switch n {
		case calls:
			all[serves], all[calls] = l.serveEcho, l.callEcho
		case idles:
			all[servesIdle], all[idles] = l.serveIdle, l.idleClients
		case cancels:
			all[servesCancel], all[cancels] = l.serveCancelled, l.cancel
		case callsNobody:
			all[callsNobody] = l.callNobody
		case floods:
			all[servesSlots], all[servesCPU], all[floods] = l.serveSlots, l.serveCPU, l.flood
		case consumes:
			all[produces], all[consumes] = l.produce, l.consume
		case stalls:
			all[stalls] = l.stall
		default:
			panic("bench: no role " + n)
		}
	}
	return all
}

func with(roles map[string]role, more map[string]role) map[string]role {
	maps.Copy(roles, more)
	return roles
}

// patternPeers is in the order of the table.
func patternPeers() []*peer {
	yodel, sockets := yodelPeer(), yodelPeer()
	yodel.roles, sockets.roles, sockets.name = yodelRoles(), socketRoles(), "sockets"
	sockets.version = func(context.Context, string) (string, error) { return "Yodel's without patterns", nil }
	const grpcModule, connectModule = "google.golang.org/grpc", "connectrpc.com/connect"
	all := []*peer{
		yodel, sockets,
		{name: "grpc", version: moduleVersion(grpcModule), roles: grpcRoles()},
		{name: "connect", version: moduleVersion(connectModule), roles: connectLibrary(true).roles(calls)},
		{name: "connect1", version: moduleVersion(connectModule), roles: connectLibrary(false).roles(calls)},
		{name: "nats", version: natsPeer().version, roles: natsRoles(), server: serveJetStream},
	}
	for _, p := range all {
		p.most = func(w *work, quick bool) int { return mostOf(p, w, quick) }
	}
	return all
}

// mostOf bounds the counts of those that would take minutes.
func mostOf(p *peer, w *work, quick bool) int {
	_, binds := p.roles[w.Binds]
	_, connects := p.roles[w.Connects]
	switch {
	case !binds || w.Connects != "" && !connects:
		return 0
	case p.name == "sockets" && w.Connects == calls && w.Sockets > 1: // a REQ has one request out
		return 0
	case p.name == "grpc" && w.Connects == floods && quick:
		return 0
	case p.name == "connect" || p.name == "connect1":
		return pick(quick, 2_000, 15_000)
	case p.name == "nats" && w.Connects == works:
		return pick(quick, 15_000, 100_000)
	}
	return math.MaxInt
}
