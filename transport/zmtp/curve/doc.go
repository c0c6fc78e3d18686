// Package curve is the CURVE mechanism of ZMTP (RFC 25), which is CurveZMQ (RFC 26): two peers prove to each other who
// they are, and everything they say after that is encrypted and authentic, each way and in order.
//
// # Keys
//
// Each peer has a permanent key pair: a [SecretKey], which never leaves it, and the [PublicKey] made from that, by
// which others know it. [GenerateKey] makes one, [WriteKeyFile] and [ReadKeyFile] keep it in a file that nobody else
// can read. As text both are 40 characters of Z85 (RFC 32), as everywhere in ZeroMQ. A client must know the server's
// public key beforehand; a server decides by the client's ([Server]).
//
// # How data flows
//
// The [zmtp.Mechanism] of either role makes an exchange for each connection, a state machine without I/O:
//
//	client                                          server
//	HELLO      its transient public key, and    →
//	           proof that it has the secret one
//	                                            ←   WELCOME   the server's transient public key, and a cookie
//	INITIATE   the cookie, its permanent key    →
//	           with a vouch, its metadata
//	                                            ←   READY     the server's metadata, or ERROR
//	MESSAGE    a frame                         ↔    MESSAGE   a frame
//
// All but the keys and nonces is in boxes (NaCl's crypto_box: X25519, XSalsa20, Poly1305). What the transient keys
// have sealed cannot be opened by who gets hold of the permanent ones later. The server keeps its transient secret key
// nowhere but in the cookie, under a key that it forgets within a minute.
//
// After the handshake the exchange is the [zmtp.Sealer] of whoever writes and the [zmtp.Opener] of whoever reads.
//
// # What it does not do
//
// Sizes, times and the fact that two peers talk are visible, as are the greetings: somebody in between can make two
// peers speak ZMTP 3.0 instead of 3.1. An ERROR is not authentic: somebody in between can end a handshake with one, as
// he can by cutting the connection. Session keys are the same for the whole connection, however long it lasts.
// Over inproc, where no bytes travel, peers prove who they are and nothing is encrypted.
//
// Secrets are wiped when they are no longer needed: transient keys at the end of the handshake, session keys after the
// connection when the garbage collector finds them. Go may have copied them on the way, to stacks that have grown for
// one, and nothing is locked into memory: a core dump or a swap file may hold keys.
//
// # Where to start reading
//
// client.go and server.go for the two state machines; hello.go, welcome.go, cookie.go, initiate.go, ready.go,
// message.go and error.go for the bytes, each with its table; box.go for what is done with NaCl; key.go, z85.go and
// keyfile.go for the keys; errors.go for what can go wrong.
//
// All exported functions and methods are safe for concurrent use, except those that say they change their receiver.
package curve
