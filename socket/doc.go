// Package socket is what an application holds: one type for each ZeroMQ socket role, speaking ZMTP 3.1 (RFC 37) over
// tcp, ipc and inproc, with libzmq and every other ZeroMQ, and with no broker in between.
//
//	pull := socket.NewPull()
//	defer pull.Close()
//	endpoint, err := pull.Bind(ctx, "tcp://127.0.0.1:*")
//	…
//	push := socket.NewPush()
//	defer push.Close()
//	push.Connect(endpoint)
//	push.Send(ctx, socket.String("hello"))
//
// # What holds for every socket
//
// A socket may be bound to many endpoints and connected to many others; the order in which the two sides start does
// not matter. Constructors cannot fail and do no I/O. Bind returns when the address is bound; Connect returns at once
// and keeps trying. Any number of goroutines may use a socket at once. A context ends the one call it is given to and
// nothing else.
//
// A message is a list of frames that travels whole. Send takes the bytes over; what Recv returns is the caller's for
// good. A peer that goes away is an [Event], not an error of Recv.
//
// Nothing disappears without a name: Stats gives a [Ledger] in which every accepted message is delivered, queued or
// dropped for a reason, at every moment. Delivered means handed to the transport; what the kernel or the network lost
// after that, because a connection was cut, no ZMTP peer can know.
//
// # How a message travels
//
// Application → role (which peer?) → link → kernel, and back. The roles (push.go, pull.go, pub.go, sub.go, req.go,
// rep.go) decide by one of the outbox's three ways: balance.go (one of many), fanout.go (all that want it), route (one
// given). The link encodes on Send, into a batch that the sender itself writes when the link is idle and a drain
// goroutine writes when it is busy (out.go, batch.go). One goroutine for each link reads slabs and hands whole messages to
// the inbox (in.go, inbox.go), which is fair among links. Between sockets of one process messages move as values
// (direct.go).
//
// Start reading at core.go for the parts and the lock order, then follow a message through push.go, balance.go and
// out.go. A connection's life is in bind.go, connect.go, serve.go and close.go.
//
// # Where the memory goes
//
// What waits is bounded by the high-water marks, in messages and bytes, for each peer and direction; what a peer can
// claim is bounded by [Limits]. A message that the application keeps holds on to at most about 22 KiB beside itself.
package socket
