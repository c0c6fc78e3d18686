package observe

import "time"

// Version is the version of a [Snapshot] that this package writes and reads.
const Version = 1

// A Snapshot is the state of a process's sockets, nodes and spools at one moment: what every view reads. As JSON it is
// version 1 for as long as "v" is 1: fields may come, which readers ignore, and none is renamed, taken away or given
// another meaning. Counters never fall, but gauges do: what is queued, full, up or waiting.
//
// Lists are bounded, so that a snapshot stays small whatever the number of peers; beside each that was cut stands how
// many more there are, and what metrics need of all of them is counted apart.
type Snapshot struct {
	V       int       `json:"v"`
	Time    time.Time `json:"time"`
	Process Process   `json:"process"`
	// Sockets are in the order in which they were added.
	Sockets []SocketState `json:"sockets"`
	// Removed is what sockets have counted that are not there any more, by the name and type metrics count them under.
	Removed  []Totals     `json:"removed,omitempty"`
	Nodes    []NodeState  `json:"nodes"`
	Spools   []SpoolState `json:"spools"`
	Checks   []CheckState `json:"checks"`
	Warnings []Warning    `json:"warnings"`
}

// A Process is where the snapshot comes from.
type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	// Node is the id that the process shows to its peers, see [socket.ThisNode]: the Node of a PeerState elsewhere.
	Node string `json:"node"`
	Host string `json:"host"`
	// Version is that of this module; "" if it is not known.
	Version string `json:"version"`
	Go      string `json:"go"`
	// Started is when the registry was made.
	Started time.Time `json:"started"`
}

// A SocketState is what there is to say of a socket. See [socket.Stats], from which it comes, for what its figures
// mean.
type SocketState struct {
	Name string `json:"name"`
	// Label is that of socket.WithLabel, unless it is Name.
	Label string `json:"label,omitempty"`
	// Series is under which name metrics count it, if not Name; see [Registry.Add].
	Series string `json:"series,omitempty"`
	Type   string `json:"type"`

	Endpoints     []EndpointState `json:"endpoints"`
	EndpointsMore int             `json:"endpoints_more,omitempty"`
	// EndpointCounts are about all endpoints, those left out included; so is all that says so below about peers.
	EndpointCounts EndpointCounts `json:"endpoint_counts"`

	Ledger Ledger `json:"ledger"`
	// Unbalanced is what the ledger's check says, of the socket or one of all its peers: a bug of ours if there is
	// anything.
	Unbalanced  string `json:"unbalanced,omitempty"`
	Redelivered Count  `json:"redelivered,omitzero"`
	AtMostOnce  Count  `json:"at_most_once,omitzero"`
	Unsettled   Count  `json:"unsettled,omitzero"`
	UnderWay    uint64 `json:"under_way,omitempty"`

	// SendFill and RecvFill are those of the fullest of all peers, 0 to 1.
	SendFill float64 `json:"send_fill"`
	RecvFill float64 `json:"recv_fill"`
	// FullPeers is how many of all peers are Full.
	FullPeers int `json:"full_peers"`
	// Subscriptions are those of all peers together; of a SUB, its own.
	Subscriptions int `json:"subscriptions"`
	// RTTMedian and RTTMax are those of all peers that have one, in microseconds.
	RTTMedian int64 `json:"rtt_median_us,omitempty"`
	RTTMax    int64 `json:"rtt_max_us,omitempty"`

	// Events counts by kind since the socket was made.
	Events map[string]uint64 `json:"events"`
	// Unwanted is there only WithTopics.
	Unwanted []string `json:"unwanted,omitempty"`

	// PeerCounts are about all peers.
	PeerCounts []PeerCount `json:"peer_counts"`
	// Peers are up to 200: those with a full queue first, and otherwise by address.
	Peers     []PeerState `json:"peers"`
	PeersMore int         `json:"peers_more"`
}

// An EndpointState is what has become of one endpoint.
type EndpointState struct {
	Endpoint string `json:"endpoint"`
	Bound    bool   `json:"bound,omitempty"`
	Up       int    `json:"up"`
	Attempts uint64 `json:"attempts,omitempty"`
	Failures uint64 `json:"failures,omitempty"`
	// Failing is how many attempts have failed since a peer was connected there last.
	Failing uint64 `json:"failing,omitempty"`
	// Cause is one of refused, timeout, dns, unreachable, handshake, type, security and other: of the last failure or
	// loss, which Error puts in words. They stay when a peer is connected again.
	Cause string `json:"cause,omitempty"`
	Error string `json:"error,omitempty"`
	// Last is when that was.
	Last time.Time `json:"last,omitzero"`
	// RetryMS is how many milliseconds there are until the next attempt.
	RetryMS int64 `json:"retry_ms,omitempty"`
}

// EndpointCounts says how many endpoints a socket has in each state.
type EndpointCounts struct {
	// Bound to, whether or not anybody is connected there.
	Bound int `json:"bound"`
	// Up is those that are connected to and have a peer, Trying those that have none.
	Up     int `json:"up"`
	Trying int `json:"trying"`
	// Causes are those of the endpoints that are tried in vain.
	Causes map[string]int `json:"causes,omitempty"`
}

// A PeerCount is how many peers there are of one type.
type PeerCount struct {
	Type string `json:"type"`
	// Yodel says that they are Yodels by their own word, and no other ZMTP peers.
	Yodel bool `json:"yodel"`
	Peers int  `json:"peers"`
}

// A PeerState is what there is to say of a peer. See [socket.PeerStats] for what its figures mean.
type PeerState struct {
	Type string `json:"type"`
	// Node is there if the peer is a Yodel: the Node of its Process.
	Node    string    `json:"node,omitempty"`
	Address string    `json:"address"`
	Since   time.Time `json:"since,omitzero"`
	// HeardMS is how many milliseconds ago bytes came from the peer, at least 1; 0 where that is not known.
	HeardMS int64 `json:"heard_ms,omitempty"`
	// RTT is in microseconds, at least 1; 0 where it is not known.
	RTT           int64   `json:"rtt_us,omitempty"`
	Full          bool    `json:"full"`
	SendFill      float64 `json:"send_fill,omitempty"`
	RecvFill      float64 `json:"recv_fill,omitempty"`
	Subscriptions int     `json:"subscriptions,omitempty"`
	UnderWay      uint64  `json:"under_way,omitempty"`
	Ledger        Ledger  `json:"ledger"`
	// Identity and User are there only WithTopics. Both are quoted as Go quotes strings.
	Identity string `json:"identity,omitempty"`
	User     string `json:"user,omitempty"`
}

// A NodeState is what there is to say of a node of discovery.
type NodeState struct {
	Backend string `json:"backend"`
	Group   string `json:"group"`
	ID      string `json:"id"`
	// Announces are the services it offers.
	Announces []string `json:"announces,omitempty"`
	// Known are up to 200 other nodes.
	Known     []KnownNode `json:"known,omitempty"`
	KnownMore int         `json:"known_more,omitempty"`
	// Refused counts announcements that were turned away, by reason: bad, untrusted, stale, limit.
	Refused map[string]uint64 `json:"refused,omitempty"`
	Trouble []string          `json:"trouble,omitempty"`
}

// A KnownNode is another node of the group.
type KnownNode struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// Services are written "work/PULL".
	Services []string `json:"services,omitempty"`
	// Age is how long ago it was heard of, in seconds.
	Age float64 `json:"age_s,omitempty"`
}

// A SpoolState is what there is to say of a spool. See [spool.Stats] for what its figures mean.
type SpoolState struct {
	Name string `json:"name"`
	// Messages and Bytes are what is not settled.
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	// Oldest is how long the oldest of them has been there, in seconds.
	Oldest float64 `json:"oldest_s"`
	// Dead is how many dead letters there are.
	Dead     uint64 `json:"dead"`
	Files    int64  `json:"files_bytes"`
	MaxFiles int64  `json:"max_files_bytes,omitempty"`
	// These count since the spool was opened.
	Expired Count  `json:"expired,omitzero"`
	Dropped Count  `json:"dropped,omitzero"`
	Damaged uint64 `json:"damaged,omitempty"`
	Commits uint64 `json:"commits"`
	// CommitP50, CommitP99 and CommitMax are in microseconds.
	CommitP50 int64 `json:"commit_p50_us"`
	CommitP99 int64 `json:"commit_p99_us"`
	CommitMax int64 `json:"commit_max_us"`
	// Failing is why the last write or sync failed.
	Failing string `json:"failing,omitempty"`
}

// A CheckState is the result of one check of [Registry.Ready].
type CheckState struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Why  string `json:"why,omitempty"`
}

// A Warning is something that people should look at.
type Warning struct {
	// Lint is the kind of warning: ledger, no-peer, queue-full or spool-failing.
	Lint string `json:"lint"`
	// Subject is what it is about, such as "news→10.0.0.7:4431".
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// Totals are what sockets of one name and type have counted that are not there any more.
type Totals struct {
	Name   string            `json:"name"`
	Type   string            `json:"type"`
	Ledger Ledger            `json:"ledger"`
	Events map[string]uint64 `json:"events"`
}
