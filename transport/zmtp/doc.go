// Package zmtp is the ZMTP 3.1 wire protocol (RFC 37): the bytes two ZeroMQ
// peers exchange over one connection, and nothing else. It knows no sockets, no
// queues and no transports, and imports only the standard library.
//
// # What travels
//
// A connection carries, in this order and in both directions at once:
//
//	greeting     64 bytes: who speaks, which version, which security mechanism
//	handshake    the commands of the mechanism; with NULL one, READY, with metadata: socket type, identity, properties
//	traffic      frames: message frames, and commands such as PING or SUBSCRIBE
//
// # How data flows
//
// Going out, each Append function adds whole frames to a byte slice that the caller owns and writes: [AppendHeader] for
// a message frame, [AppendCommand] and its relatives for commands. They allocate nothing beyond growing that slice.
//
// Coming in, each Parse function looks at bytes already received. Nothing is ever allocated by a size that a peer
// merely claims. Results of the frame and command parsers point into their input; [ParseMetadata] copies, since its
// results outlive the read buffer.
//
// [Handshake] drives the first two steps over a connection and returns a [Session] that says what was agreed. What is
// said in the second one is up to a [Mechanism], a state machine without I/O: [Null], [PlainClient] and [PlainServer]
// are here, CURVE is in the package curve; [Negotiate] runs it between two sockets of one process. A [Reader] decodes
// the traffic that follows, starting with [Session.Rest], and tells a [Handler] of the commands where they stand
// between the messages.
//
// # Beyond RFC 37
//
// Two Yodel sockets know each other by a property of READY, X-Yodel ([PropertyYodel]), whose feature bits say what more
// they understand. The commands of reliable links go only to a peer with [FeatureReliable]: OPEN and OPENED before the
// first message, then NEXT, LOW, GAP and BYE from the side that sends and ACK, NAK, TERM, BYE and DSUB from the
// one that receives. Their bytes are drawn in the comments of yodel.go and the files that begin with reliable_. What
// they mean is not this package's business.
//
// # Where to start reading
//
// handshake.go for the conversation, with mechanism.go for its second part, mechanism_null.go and plain.go for the
// simplest ones, mechanism_denial.go for what who is refused is told and handshake_negotiate.go for who judges the
// peer; reader.go for the traffic, with reader_handler.go for what happens to commands and encrypted frames, and
// reader_body.go, reader_arena.go and body_pool.go for the memory it is in; greeting.go, frame.go, command.go and
// metadata.go for the bytes; yodel.go and reliable_open.go for what goes beyond RFC 37; errors.go for what can go
// wrong. Sizes and flags are those of RFC 37; where libzmq is known to behave otherwise, the comment at the place says
// so.
//
// All functions are safe for concurrent use on distinct slices. The only state of the package is in pools of buffers.
package zmtp
