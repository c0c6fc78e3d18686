package discovery

import (
	"slices"
	"time"

	"github.com/yodel-mq/yodel/discovery/internal/ifaces"
)

// A Policy says which nodes AutoConnect connects to, at which of their endpoints, and how hard it tries. The zero
// Policy connects to each node that offers the service with a type of socket that fits, over this host or the local
// network.
//
// Whatever the policy says, endpoints are tried in this order: ipc and then loopback on the same host, the addresses
// that the announcement came from, other addresses on the networks that this host is in, all others; an ipc path is
// last if it may lead to another file here, see Files. And never: multicast, unspecified and broadcast addresses,
// port 0, link-local addresses unless the announcement came from there, and addresses of this host when the node is
// on another; [Record.Configured] lifts the last two.
type Policy struct {
	// Group is the group to look in; "" is [DefaultGroup].
	Group string
	// Types are the types of socket to connect to, as ZMTP names them, for example "PUB". If there are none, they are
	// those that can talk with the socket given to AutoConnect if that has a method Type() string, else all. A
	// service that does not tell its type fits always.
	Types []string
	// Self is a node that is never connected, as a rule this process itself; the zero ID for none.
	Self ID
	// Host is the token of this host; "" is what [HostToken] returns. Endpoints that are good on one host alone are
	// used only if the record has the same one and, if it came over a network, came from an address of this host.
	Host string
	// Files is the token of the files that are seen here, if Host is given; where that is "" it is what [FilesToken]
	// returns. An ipc path announced by a node that sees other files may lead to another socket here: it comes last,
	// and is used only if it can be told who answers there (see [Record.PeerID] and [Connector]).
	Files string
	// OffLink allows endpoints beyond the networks that this host is in, and those with host names, which may lead
	// anywhere. False by default: who announces could have us connect to whatever we can reach.
	OffLink bool
	// Allow has the last word: it is asked about each endpoint that is good otherwise, in the order above, and it is
	// not used if Allow returns false. It must not block, nor keep or change the record. nil allows all.
	Allow func(endpoint string, r *Record) bool

	// MaxPeers limits the endpoints that are connected or being tried; 0 or less means 1024. Nodes beyond the limit
	// wait until another node goes.
	MaxPeers int
	// MaxDials limits concurrent connection attempts; 0 or less means 32. An attempt that is abandoned early keeps its
	// place for one second, so that records that come and go cannot raise the rate. Waiting nodes are ordered by
	// fewest failures, then by fewest attempts to nodes from the same source address.
	MaxDials int
	// DialTimeout is how long a round of attempts to reach one node may take, and how long a connection that was lost
	// may take to come back; 0 or less means 5 s. A failed round is followed by a pause of 1 s, doubled with each
	// failure up to 1 min, and shortened at random by up to half.
	DialTimeout time.Duration
	// Drain is how long a connection is kept after the node said goodbye; 0 means 10 s, a negative value none. Usually
	// the node ends the connection much earlier. A goodbye that somebody else has forged is undone by the node's next
	// announcement, which the backend is made to ask for (see [Confirmer]) after a quarter and three quarters of Drain.
	Drain time.Duration
	// OnChange, if not nil, is told what AutoConnect does. It must not block.
	OnChange func(Change)

	source ifaces.Source     // nil: the system
	exists func(string) bool // nil: whether there is a file
	checks bool              // whether it can be told who answers
}

// A ChangeKind says what a [Change] tells.
type ChangeKind string

// The kinds of changes.
const (
	PeerConnected    ChangeKind = "connected"    // a connection is up
	PeerLost         ChangeKind = "lost"         // it is down, and may come back
	PeerFailed       ChangeKind = "failed"       // no endpoint of the node answered, see Err; it will be tried again
	PeerRefused      ChangeKind = "refused"      // the policy allows no endpoint of the node; Err says why
	PeerDisconnected ChangeKind = "disconnected" // a node that was connected is given up: it has gone
)

// A Change is something AutoConnect did about a node.
type Change struct {
	Kind     ChangeKind
	Record   Record // what is known of the node; not to be changed
	Endpoint string // of PeerConnected, PeerLost and PeerDisconnected; "" if there is none any more
	Key      string // of PeerConnected: the key of the server that was taken from the record; "" if none was
	Err      error
}

// Happy eyeballs, RFC 8305: the next endpoint gets its chance when the one before has not answered in this time.
const stagger = 250 * time.Millisecond

const (
	backoffFirst = time.Second
	backoffLimit = time.Minute
	// maxKnown bounds what is remembered of nodes, for watchers that have no limit of their own.
	maxKnown = 8192
)

func (p *Policy) setDefaults() {
	positive := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	positive(&p.MaxPeers, 1024)
	positive(&p.MaxDials, 32)
	if p.DialTimeout <= 0 {
		p.DialTimeout = 5 * time.Second
	}
	if p.Drain == 0 {
		p.Drain = 10 * time.Second
	}
	if p.Host == "" {
		p.Host, p.Files = HostToken(), FilesToken()
	}
	if p.source == nil {
		p.source = ifaces.System
	}
	if p.exists == nil {
		p.exists = isSocket
	}
}

// fitting are the types of socket that can talk with each other (ZMTP 3.1, "socket type"; RFC 28 to 31, 41 and 48).
var fitting = map[string][]string{
	"PAIR":    {"PAIR"},
	"PUB":     {"SUB", "XSUB"},
	"XPUB":    {"SUB", "XSUB"},
	"SUB":     {"PUB", "XPUB"},
	"XSUB":    {"PUB", "XPUB"},
	"REQ":     {"REP", "ROUTER"},
	"REP":     {"REQ", "DEALER"},
	"DEALER":  {"REP", "DEALER", "ROUTER"},
	"ROUTER":  {"REQ", "DEALER", "ROUTER"},
	"PUSH":    {"PULL"},
	"PULL":    {"PUSH"},
	"CLIENT":  {"SERVER"},
	"SERVER":  {"CLIENT"},
	"RADIO":   {"DISH"},
	"DISH":    {"RADIO"},
	"SCATTER": {"GATHER"},
	"GATHER":  {"SCATTER"},
	"PEER":    {"PEER"},
	"CHANNEL": {"CHANNEL"},
}

// wanted reports whether a service is one to connect to. No types are all types.
func wanted(s *Service, name string, types []string) bool {
	return (name == "" || s.Name == name) && (len(types) == 0 || s.Type == "" || slices.Contains(types, s.Type))
}

// offers reports whether a record has a wanted service.
func offers(r *Record, name string, types []string) bool {
	return slices.ContainsFunc(r.Services, func(s Service) bool { return wanted(&s, name, types) })
}
