// Package transport carries connections between sockets: how a message
// reaches one peer, and nothing about what the message means.
//
// A [Transport] dials and listens; three are built in:
//
//	tcp://host:port      [TCP]     IPv4 and IPv6, interface names, ephemeral ports
//	ipc:///path          [IPC]     unix sockets, also ipc://@name (Linux) and ipc://*
//	inproc://name        [Inproc]  within one process, Go values instead of bytes, or bytes if both ends like
//
// and tls://host:port is in package mtls below, so that only who uses it links crypto/tls.
//
// # How data flows
//
// [ParseEndpoint] splits "tcp://127.0.0.1:5557" into a scheme and an address;
// the caller picks the transport by its scheme and hands it the address.
// Validate checks an address without I/O, so that a mistake shows up at once
// instead of as an endless row of failed attempts. Dial makes one attempt;
// reconnecting is up to its caller. The result is a plain [net.Conn]. A
// connection may be able to do more, which the caller finds out by type
// assertion: [TryWriter], [BuffersWriter], [TwoReader], [ReadCanceler],
// [CloseWriter], [Inspector], [FarInspector], [ProcessInspector],
// [Handshaker], [Certified], [Direct], [ByteStreamer]. So may a transport
// ([Canonicalizer]) and a listener ([NamedListener]), about names.
//
// # Where to start reading
//
// transport.go holds the contracts, endpoint.go the syntax shared by all schemes, and tcp.go, ipc.go and inproc.go one
// transport each, with files beside them for addresses (tcp_address.go), dialling (tcp_dial.go, dial_each.go),
// listening and the care of socket files (ipc_listen.go, ipc_listener.go). Connections of tcp and ipc gain their
// non-blocking write in trywrite_unix.go, their read into two buffers in readtwo_unix.go and what ends a read in
// cancelread.go; one of inproc is a stream of bytes in inproc_bytes.go. Who is at the far end, as far as the system
// tells, is in process.go.
package transport
