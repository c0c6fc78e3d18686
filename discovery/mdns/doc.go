// Package mdns finds peers on the local network by multicast DNS (RFC 6762, RFC 6763), without any configuration.
//
// # How it works
//
// A node announces its record by multicast when it starts, when the record changes and from time to time, and says
// goodbye when it ends. Who is there already listens on port 5353 and so learns of it at once; who comes later asks,
// and each node answers. Peers thus meet within a millisecond or so, in either order, and a lost packet costs little:
// new announcements and questions are repeated.
//
// Questions are answered by the server of hashicorp/mdns, one for each interface, from our own [zone]. All that it
// lacks is here: the announcer (announce.go), the listener (receive.go), the questions (query.go), which unlike its
// own also work where there is nothing but loopback, and the following of interfaces (links.go). Everything above the
// sockets runs on the seam in network.go, so that tests can run hundreds of nodes on virtual time.
//
// # Traffic
//
// A node refreshes its record every five seconds, and less often the more peers there are: every 120 ms times their
// number, 40 seconds at most. The record is good for three times as long. Questions are rare but for the first
// seconds. Hence 200 peers at rest multicast fewer than ten packets per peer and minute, both families and loopback
// counted.
//
// # Trust
//
// Anybody on the link can send anything. Packets are bounded in size and number, and taken only from addresses on the
// link; what becomes of their records is for [discovery.Table] and its [discovery.Trust] to say.
package mdns
