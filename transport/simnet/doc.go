// Package simnet is a simulated network for tests: connections with latency, jitter, bandwidth and a window, that can
// be cut at any byte, partitioned, stalled, refused or made to vanish. It is for this module's own tests and for
// those of its users; nothing in it touches a real socket.
//
// A [Network] is a transport.Transport with the scheme "sim". Addresses are names with an optional port:
// sim://collector, sim://collector:1, or sim://collector:0 to bind any free port.
//
//	net := simnet.New(simnet.Config{Latency: 20 * time.Millisecond, Seed: 1})
//	a := net.Host("a") // a transport whose dials come from host a
//	net.Partition("a") // from here on nothing reaches a or leaves it
//	net.Heal()         // and what was held flows on
//
// # Virtual time
//
// Every wait is on a channel, a sync.Cond or a timer, so inside a testing/synctest bubble the fake clock advances by
// itself: an hour of partition costs microseconds, and latency is exact to the nanosecond. Call [New] inside the
// bubble that uses the network. Outside a bubble the same code runs in real time.
//
//	synctest.Test(t, func(t *testing.T) {
//		net := simnet.New(simnet.Config{Latency: 20 * time.Millisecond})
//		l, _ := net.Listen(t.Context(), "collector")
//		net.Partition("collector")
//		time.AfterFunc(time.Hour, net.Heal)
//		c, _ := net.Dial(t.Context(), "collector") // returns after 1h0m0.04s of virtual time
//		...
//	})
//
// # How a byte travels
//
// Each connection has two directions, each of them a pipe:
//
//	Write ──► window ──► wire ───────────────► arrived ──► Read
//	          |          |                     |           |
//	          |          |                     |           waits while its host is stalled
//	          |          |                     a byte past the cut never gets here
//	          |          takes size/Bandwidth + Latency + [0, Jitter); kept in order; held while partitioned
//	          blocks while Window bytes are written and not yet read
//
// FIN (Close, CloseWrite) travels the same road behind the data. A reset ([Network.Cut], [Link.Cut]) does not travel:
// both ends fail at once, what is on the wire is lost, what has arrived can still be read, as on Linux. Writing to an
// end that has closed is answered by a reset one way back later. Room in the window comes back as soon as the reader
// reads, without latency and regardless of partitions. Unlike TCP, Close with unread data does not reset.
//
// # Names in faults
//
// A dialling end has one name, its host (the empty string for [Network.Dial]). An accepting end answers to the host
// its listener lives on, to the address, and to the address without its port. "*" matches every end.
//
// # Determinism
//
// Each connection draws its jitter and its random cuts from its own generator, seeded from Config.Seed, the dialling
// host, the address dialled and how many times that pair has dialled before. The same seed and the same calls give
// the same delivery times and the same cuts, however goroutines are scheduled between different pairs of hosts. (Two
// things at the very same instant, such as a write and a cut, still race, as goroutines do; and Link.Number and
// CutNext follow the order in which connections are made.)
//
// # Where to start reading
//
// network.go (configuration, transport methods), pipe.go (one direction), conn.go (one end), dial.go and listener.go
// (how a connection comes to be), faults.go and link.go (what can go wrong).
//
// Locks: one mutex per network guards all state; it is held for memory operations only, never over a wait.
package simnet
