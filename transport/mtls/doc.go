// Package mtls is the transport for tls://host:port: TCP with TLS 1.3 between both ends, which by default prove to each
// other who they are (mutual TLS), and ZMTP inside. It stands apart from package transport so that who does not use it
// does not link crypto/tls.
//
//	link := mtls.New(
//		mtls.WithCertificateFiles("node.crt", "node.key"), // who we are
//		mtls.WithPinsFile("peers"),                         // who the others may be
//	)
//	s := socket.NewPull(socket.WithTransport(link))
//	at, err := s.Bind(ctx, "tls://*:5557")
//
// Who the peer may be is said in one of two ways:
//
//	WithPins, WithPinsFile     hashes of public keys, without an authority; SelfSigned makes certificates for that
//	WithRoots, WithRootsFile   certificate authorities, and names of hosts
//
// or both, in which case both have to hold. Who connects and says neither trusts the authorities of the system. Who
// binds has to say one, or [WithAnyClient].
//
// # What it protects
//
// Nobody in between can read or change what is said, or cut off its end unnoticed (ErrCut), and both ends know whose
// key the other has. The key exchange is that of crypto/tls, at present X25519 with ML-KEM-768. Sizes, times and
// addresses are visible, and so is the name of the server that is connected to; certificates are not. Nothing is
// resumed: each connection begins with whole proofs. One key encrypts all that one end sends over a connection; for
// AES-GCM the margin of RFC 8446, section 5.5, is 24 million full records, 390 GB.
//
// The ends agree by ALPN on [Protocol]. A peer that speaks ZMTP as it is, TLS before 1.3, or something else inside TLS
// is refused before a message is taken or given, and each end says why as far as the other tells it.
//
// # How data flows
//
// Dial and Accept return at once; the handshake comes with the first Read or Write, or HandshakeContext
// ([transport.Handshaker]), which a socket calls under its own deadline. crypto/tls encrypts and decrypts; what it
// writes goes to memory first (below.go), from where one write takes up to eight records, of 16 KiB each, to the
// network (write.go). So small segments share a record, a batch shares a system call, reading never waits for writing,
// and an attempt to write need not wait either. Everything else is that of the TCP connection below.
//
// The certificate that a peer has proven to have is told by [transport.Certified], and by a method PeerCertificates()
// []*x509.Certificate of the connection.
//
// # Where to start reading
//
// transport.go and conn.go; config.go for what is accepted, options.go and reload.go for where that comes from;
// write.go, below.go and end.go for the way out; keyhash.go and selfsigned.go for life without an authority.
package mtls
