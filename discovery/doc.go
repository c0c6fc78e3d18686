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
// Start reading at [Record], then [Backend], [Table] and [AutoConnect].
package discovery
