// Package line is how a pattern meets its peers: over connections that begin, bring messages and end, in this order,
// on either side.
//
// The side that binds is a [Bound], one ROUTER. The side that connects is a [Dialer], which has a DEALER of its own
// for each endpoint, so that a peer can be addressed, and its loss be told from that of another. Both tell a [Handler]
// what happens, and hand out a [Conn] for each connection, by which to send.
//
// In the handshake each side says which pattern it is, as a property of READY named [Property]. A peer that says
// nothing is plain ZeroMQ, which is welcome ([Conn.Foreign]). One that says something that does not fit is
// disconnected, and Handler.Failed told why.
//
// # Order
//
// A socket tells of a lost peer by an event, which may come while messages of that peer wait to be received. Here a
// connection ends when all that it brought has been handed over: see reader.go.
package line
