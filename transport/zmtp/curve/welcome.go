package curve

// WELCOME, from the server: the data of 160 bytes behind the name, 168 bytes in all.
//
//	 0  16   random
//	16  144  box [S' and cookie] from S to C', for "WELCOME-" and the random bytes
//
// In the box:
//
//	 0  32   S', the server's transient public key
//	32  96   cookie (cookie.go)
//
// It shows the client that it talks to whom it wants.
const (
	welcomeSize = longNonceSize + KeySize + cookieSize + boxOverhead

	welcomeNonce = "WELCOME-"
)

// appendWelcome makes the data of a WELCOME. k is what C' and S share.
func appendWelcome(b []byte, server *PublicKey, cookie []byte, k *sharedKey) []byte {
	b = appendRandom(b, longNonceSize)
	inside := append(append(make([]byte, 0, KeySize+cookieSize), server[:]...), cookie...)
	return k.seal(b, inside, longNonce(welcomeNonce, b[len(b)-longNonceSize:]))
}

// openWelcome returns S' and the cookie.
func openWelcome(data []byte, k *sharedKey) (server PublicKey, cookie []byte, err error) {
	if len(data) != welcomeSize {
		return server, nil, malformed("WELCOME", "%d bytes; want %d", len(data), welcomeSize)
	}
	inside, ok := k.open(data[longNonceSize:], longNonce(welcomeNonce, data[:longNonceSize]))
	if !ok {
		return server, nil, malformed("WELCOME", "its box does not open")
	}
	return PublicKey(inside), inside[KeySize:], nil
}
