// Package discovery finds peers, so that addresses disappear from applications: a node announces what it offers under
// the name of a service, and whoever looks for that name is connected within milliseconds and disconnected when it
// says goodbye.
//
// # How data flows
//
// A [Backend] carries [Record]s between nodes: package mdns over the local network, gossip over networks that
// multicast does not cross, static from a list or a file, dns from a zone. Each keeps what it knows in a [Table],
// which checks proofs, expires what is no longer refreshed and tells watchers with [Event]s. [Merge] makes one
// backend of several. [AutoConnect] turns events into calls of Connect and Disconnect on a socket. A [Node] ties it
// together for an application: it makes the Record from the sockets given to Announce, and runs AutoConnect for those
// given to Connect.
//
// # Trust
//
// Anybody on a network can announce anything. A record is a candidate, never trust: whether the peer behind an
// address is who it should be is for the handshake of the connection to decide. What [Trust] adds is that strangers
// do not show up. A connection that works is never given up because of something a record says, short of a goodbye
// that Trust believes.
//
// # For users
//
// A program needs a backend of one of the packages below, or several with [Merge], and a [Node] with [Node.Announce],
// [Node.Connect], [Node.Watch] and [Node.Peers]. What it may want beside them: [Policy], to say whom to connect to;
// [Trust], for networks with strangers; [Event] and [Query], to see who is there; [AutoConnect], to do without a Node.
// Everything else is for authors of backends.
//
// # For authors of backends
//
// A backend implements [Backend], and [Confirmer] if it can ask whether a node is still there. [Table] does what all
// backends have in common: [Table.Put] and [Table.Leave] take what arrives, [Table.Watch] is a whole Backend.Watch, and
// [TableConfig], [Limits] and [TableStats] go with it. [Record.TXT] and [ParseTXT] are the wire format, [Record.Digest]
// tells whether two announcements say the same, [HostToken] and [FilesToken] what the record says of this host. Package
// static is a short example. Start reading at [Record], then [Backend], [Table] and [AutoConnect].
//
// # Options
//
// Options are sealed: each package has a type Option ([NodeOption] and [ConnectOption] here), and its With functions
// are all there are. nil stands for no option; of two that set the same the later one counts. A number or a duration
// out of range is taken for the nearest one in range or for the default, as the option says. Any other value that
// cannot be used, such as a name with blanks, is an error which wraps [ErrInvalidOption]. It comes from the first
// call that returns an error: the constructor where that is one (dns.New, gossip.New), else the first use, Announce,
// Connect, Watch and Peers of a Node alike.
package discovery
