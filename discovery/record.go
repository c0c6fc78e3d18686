package discovery

import (
	"net/netip"
	"time"
)

// DefaultGroup is the group of records and queries that name none.
const DefaultGroup = "default"

// A Record is what a node says of itself: one for each node (process), with all its services. Values are not shared:
// whoever keeps or changes a Record that was handed out clones it first.
type Record struct {
	// ID names the node.
	ID ID
	// Incarnation tells runs of a node with the same ID apart: milliseconds since 1970 at its start. Revision counts
	// the changes of the record since. The greater pair is the newer record.
	Incarnation, Revision uint64
	// Group keeps nodes that have nothing to do with each other apart, "" stands for [DefaultGroup]. It is not a
	// secret.
	Group string
	// Name is for people, up to 63 bytes; "" by default.
	Name string
	// Wire is the protocol spoken and its version, such as "zmtp/3.1"; "" if nothing is known. A node that speaks
	// another protocol or major version shows up as [Incompatible].
	Wire string
	// Host is the same for nodes on one host and in one network namespace, see [HostToken]. Between these, ipc
	// endpoints and loopback addresses can be used.
	Host string
	// Files is the same for nodes that find the same files at the same paths, see [FilesToken]; "" if it is not
	// known. Between nodes of one Host for which it differs, a path need not lead to the socket that was announced.
	Files string
	// PeerID is what the node's sockets show to their peers as theirs: the node id of the handshake, see [Announceable].
	// Who answers at an endpoint and shows another, or none, is not the node. The zero ID if it is not known; whoever
	// answers is taken for the node then.
	PeerID ID
	// Key is the node's CURVE public key in Z85, a hint: only the handshake proves it. A socket whose mechanism is that
	// of a client that lacks the server's key (curve.Client with the zero key) takes it from here when [AutoConnect]
	// connects it, from records that have a proof alone: those with a group key or a signature, see [Trust]. A node
	// without is refused, which PeerRefused says, with [ErrUntrusted]; PeerConnected says which key was taken. To other
	// sockets it is of no account.
	Key string
	// Addrs are the addresses at which the node can be reached, for endpoints with the host "*". None is link-local:
	// without the interface it would mean nothing; see From.
	Addrs []netip.Addr
	// Services is what the node offers.
	Services []Service
	// Meta is whatever the application wants to add, keys of up to 9 bytes of a-z and 0-9.
	Meta map[string]string

	// Issued is when this announcement was made, by the clock of the node; Lifetime how long it is good for.
	Issued   time.Time
	Lifetime time.Duration
	// Goodbye says that the node is leaving.
	Goodbye bool
	// Proof is what the group key or the signature made of all of the above; see [Trust].
	Proof []byte

	// From are the addresses that announcements of this record came from, with zones where they need one. It is not
	// part of what is announced: who receives a record fills it in.
	From []netip.Addr
	// Configured says that the user named these endpoints, in a list or as a zone, so that the limits on what
	// strangers may have this process dial do not apply: other networks, loopback, host names. It is not part of what
	// is announced either: the backend that was given the list or the zone sets it.
	Configured bool
	proven     bool // a table that asks for proofs has verified it
}

// A Service is one socket that a node offers.
type Service struct {
	// Name is what others look for, such as "orders": up to 63 bytes of a-z, 0-9, "-", "." and "_".
	Name string
	// Type is the socket's type as ZMTP names it, such as "PUB"; "" if nothing is known.
	Type string
	// Endpoints is where it is bound: "tcp://*:5555" stands for that port on each of Record.Addrs;
	// "tcp://10.0.0.1:5555", "ipc:///path" and "ipc://@name" for themselves.
	Endpoints []string
}

// Newer reports whether r is of a later incarnation than old, or of the same and a later revision.
func (r *Record) Newer(old *Record) bool {
	if r.Incarnation != old.Incarnation {
		return r.Incarnation > old.Incarnation
	}
	return r.Revision > old.Revision
}
