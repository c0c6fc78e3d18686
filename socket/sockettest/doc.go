// Package sockettest holds a conformance suite for ZeroMQ sockets, and helpers for tests of programs that use them.
//
// # For programs that use sockets
//
// [Link] joins two sockets and closes them when the test ends, [Balanced] checks that their ledgers account for every
// message, and a [Checker] tells exactly which messages of a stream are missing, came twice or came out of order.
// None of them sleeps. For a network that loses, delays and cuts, see transport/simnet.
//
// # For implementations and transports
//
// [Run] holds a pairing of two implementations, made by a [Factory], against the behaviours ZeroMQ users rely on:
// those of libzmq's own tests and of RFC 28 to 31 and 37, and some that no other suite has (what is lost when a peer
// is killed, a thousand subscriptions after a restart, commands in the middle of messages, …). It pins what happens,
// not how fast.
//
//	func TestMyTransport(t *testing.T) {
//		side := sockettest.Yodel(socket.WithTransport(mine))
//		sockettest.Run(t, sockettest.Factory{
//			Local: side, Remote: side,
//			Endpoint: func(testing.TB) string { return "mine://" + rand.Text() },
//		})
//	}
//
// A behaviour is about the local side; the remote one plays along. What an implementation cannot express it lacks, by
// name ([Capability]), and what needs it is skipped with that name. What it is known to get wrong stands in a table
// with the reason ([Factory.ExpectedFailures]); an entry that no longer fails is an error. One that fails by chance
// may have several attempts ([Side.Attempts]), so that a run of the suite says the same every time.
//
// Not in it is what shows in no message and on no wire: events and monitors, options changed after the fact, polling.
// Nor are security mechanisms, and proxies beyond the two a program writes itself (reqrep/broker, xpub/forwarder).
//
// # Where to start reading
//
// factory.go says what a pairing is, run.go runs it, pairing.go has the words the behaviours are written in. These
// stand in one file for each pattern: pipeline.go, pubsub.go, xpub.go, reqrep.go, routing.go, pair.go; queues.go and
// lifecycle.go for all of them; faults.go for connections that break, and wire.go and heartbeat.go for peers made by
// hand (raw.go).
package sockettest
