// Package group is for members that know who is there: they join groups, shout to all in a group, whisper to one, and
// are told who comes and goes, in order with what is said.
//
//	m := group.New[string]("ann")
//	defer m.Close()
//	m.Bind(ctx, "tcp://*:5670")
//	m.Connect("tcp://10.0.0.7:5670") // or by name: node.Announce(ctx, "chat", m), node.Connect("chat", m)
//	m.Join("lobby")
//	m.Shout(ctx, "lobby", "hello")
//	for e, err := range m.Events(ctx) {
//		…
//	}
//
// # Presence
//
// A peer is present while there is a connection over which it has said hello; there is no state in between, and nobody
// is suspected. A connection that ends, or answers no heartbeat (15 s, see socket.WithHeartbeat), ends it: the peer has
// left all groups and has exited. If it comes back it enters anew.
//
// # Order and loss
//
// What one peer does and says is told in the order in which it did, between Entered and Exited. There is no order
// between peers. A message is lost only with the connection that it was sent by; so whoever has entered has everything
// that was said to it since, until it exits.
//
// # Two connections
//
// Members find each other in any way: each may connect to all others, as they do by discovery, or only one of two to
// the other. Between two that both connect there are two connections. Each side sends over one, the first that was up,
// and over the other once that is lost: for its peer it has then exited and entered, for something may be lost, and
// what the first connection brought comes first.
//
// # Full queues
//
// A member that does not take its events has its peers wait, each with a queue of its own: see [Member.Shout]. One that
// never asks for events, since it only shouts, holds nobody up.
//
// # Trust
//
// Names and ids are claims. Who can connect can say that he is somebody else, and end the presence of the one who is;
// see the security of package socket.
//
// # How it works
//
// A member has one ROUTER, which binds and connects. presence.go is what it knows of its peers, without sockets;
// core.go is between the two, and lane.go the way out. WIRE.md in package patterns has the messages, for other
// languages.
package group
