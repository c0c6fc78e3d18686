// Bench measures Yodel beside libzmq, go-zeromq/zmq4, NATS and raw Go sockets, and its patterns beside gRPC and Connect,
// on this machine and in one run.
//
//	cd examples/bench
//	go run . --quick                      # two minutes
//	go run . --json all.json --svg all.svg
//	go run . --only 'oneway-tcp' --peers yodel,libzmq --rounds 9
//	go run . --syscalls
//	go run . --store                      # the spool beside a file that is synced, and JetStream
//	go run . --backlog                    # what a spool with 1 GiB in it costs
//	go run . --patterns                   # calls, streams, events and jobs beside gRPC, Connect and NATS
//	go run . --frozen 10m                 # twenty subscribers, one of which receives nothing: does it hurt anybody?
//
// It prints medians, ratios to libzmq, and the bars that Yodel sets itself with what was reached of each. libzmq is
// measured by a C program, libzmq/side.c, which bench compiles with cc and the headers of Debian's libzmq3-dev;
// without them the table says that libzmq is missing. The rest is in this module. Linux only: memory is read from
// /proc.
//
// # How it measures
//
// Each side is a process of its own (NATS has three: its server stands between), inproc apart. A round runs all peers
// on one piece of work, one directly after the other, in the reverse order every other round; then comes the next
// piece of work, then the next round. The figure of a peer is the median over the rounds; a ratio is one of medians.
// So a machine that is busy for a while disturbs neighbours alike.
//
// A tenth of the messages goes ahead to warm up; the receiver's clock starts with the last of them. Throughput is
// what the receiver has, divided by its clock. Yodel and libzmq send the same number of messages, with one body and
// with the same high-water marks; others as far as a ceiling that keeps the slow ones from taking minutes (plan.go),
// raw sockets more. A raw stream has no messages: its throughput is that of writing and reading 256 KiB at a time,
// counted in messages of the size, and left out below 1 KiB where that would say nothing.
//
// PUB sides wait for a subscriber that is full where they can (Yodel, libzmq). A peer that loses messages instead has
// what was lost in the table; its rate counts what arrived. CPU is that of all processes together, by getrusage, user
// and system. Percentiles are by nearest rank over every round trip, not from a histogram. Memory per idle peer is
// the growth of the listening process's resident memory, after a garbage collection, when ZMTP clients of our own
// have connected to it; what the kernel holds is not in it. Its CPU is that of two intervals of heartbeats (with
// --quick one), which libzmq is given, too.
//
// Round trips go one after the other. At half load they go at half that rate, as found by the warm-up, and each
// counts from when it was due: what waits for a slow one before it is slow, too.
//
// Of reliable links (the peer called reliable) what is measured beside Yodel without them is what they are to cost next
// to nothing of; both sides use the option. CURVE (the peers called curve and libzmq-curve) is measured where it has a
// bar: streams of 1 KiB and 64 KiB and the round trip, over tcp. TLS (tls and raw-tls) is that of crypto/tls, with a
// stream of 64 KiB and the round trip.
//
// System calls are counted, with --syscalls, in a run of their own, for counting slows down what it watches; it takes
// perf and the right to trace.
//
// The 100 messages a second beside a busy stream say when they were sent, by the clock that all processes share. Of
// raw sockets, which have no messages to be fair among, each stream is read by a goroutine: what they take is what
// the machine takes.
//
// # Patterns
//
// With --patterns, package patterns is measured beside gRPC, Connect, NATS micro, NATS and JetStream, and beside bare
// sockets (the peer called sockets: REQ and REP, PUSH and PULL, PUB and SUB), in the same way; ratios in the table are
// to gRPC. Bodies are bytes everywhere, with a codec that passes them on, so that no codec is measured. Each call has a
// deadline, which NATS keeps to itself. Connect is measured over HTTP/2 on one connection, as the others are (the peer
// connect), and over HTTP/1.1 with one for each caller (connect1). A job counts once it is acknowledged; of JetStream
// that is when the stream, in memory, is empty again.
//
// Load is put on a service by another process that calls by the clock and never waits for a reply, of four clients in
// turn. How much the service can do is found first, by eight callers that call again when they are answered; then it
// is asked for 0.8 times that, and in another run for ten times, with deadlines of twenty times what a handler takes.
// The first second of it does not count. The fixed handler waits for one of four slots and has it for 5 ms; the other
// one computes for 10 ms, on the processors that the callers use as well. How long a call took counts from when it was
// due.
//
// What one Publish or Send to eight subscribers takes is measured in bursts that fit the queues. Memory of idle
// clients is the growth of resident memory by 1,000 of them, each with a connection and one call, 2 s later and
// without garbage, and the same of the service. What only a package's own benchmarks reach (matching, heads, the look
// ahead at a body) is found by go test, once a round.
//
// Nothing is compared where four replicas of a service are restarted a thousand times under a million calls, every other
// time by SIGKILL, and where one of four workers is killed every 50 ms: there it counts what must not be. That takes
// minutes, and is done in the first round only. Of a hundred calls one takes longer than its deadline, of ten
// one has a key that it shares with another.
//
// # What is left out
//
//   - Many idle peers, and raw one-way below 1 KiB, of NATS and raw sockets: a NATS client is not a peer in this
//     sense.
//   - go-zeromq's inproc above 255 bytes, where v0.17.0 corrupts frames.
//   - Of go-zeromq and NATS, the quiet stream beside a busy one.
//   - Of all but Yodel, receivers that give buffers back (Msg.Release). libzmq's do so in any case.
//   - NATS over ipc and inproc, which its core does not have.
//   - CURVE, until Yodel has it.
//
// Start reading at run.go. plan.go says what is measured, process.go starts the sides, role*.go is what a side does,
// and peer_*.go is what each library needs for it. bars.go judges; table.go, chart.go and results.go print. suite.go
// tells what there is for sockets from what there is for patterns, which is in pattern_*.go: pattern_plan.go says what
// is measured, pattern_peer.go what a library has to be able to do, and pattern_bars.go judges.
package main
