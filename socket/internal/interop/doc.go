// Package interop holds the tests of Yodel's sockets against other implementations of ZMTP. It has no code of its own
// outside of tests.
//
// The other side is one of
//
//   - libzmq, through pyzmq: the script testdata/peer.py, a process that carries out the commands it is given on its
//     standard input. peer_test.go starts, kills and talks to it, zsock_test.go makes its sockets look like Go. Where
//     pyzmq is not installed these tests are skipped, except with CI set in the environment: there they fail.
//   - JeroMQ, which is written in Java alone, by testdata/Peer.java, with the same commands (jeromq_peer_test.go). It
//     needs a JDK, and JeroMQ's jars in a folder that YODEL_JEROMQ names; without, it is as without pyzmq.
//   - github.com/go-zeromq/zmq4, in this process (zmq4_test.go), a peer that speaks ZMTP 3.0.
//   - a few lines of raw ZMTP 3.0 (raw30_test.go), to see each byte of a subscription.
//
// Start reading at roles_test.go: every role, both sides of bind, tcp and ipc. Contents are compared by a hash over
// whole streams of messages (payload_test.go), so that every frame border and the order count, and every test holds
// the ledgers against what the other side says it sent or received.
package interop
