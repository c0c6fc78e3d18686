package curve

import "encoding/binary"

// HELLO, from the client: the data of 194 bytes behind the name, 200 bytes in all.
//
//	 0  2   version, 1.0
//	 2  72  zeros, so that HELLO is longer than the WELCOME it brings about
//	74  32  C', the client's transient public key
//	106  8  number of the command
//	114 80  box [64 zeros] from C' to S, for "CurveZMQHELLO---"
//
// The box shows the server that the client knows whom it talks to, and has the secret key of C'.
const (
	helloSize   = 194
	helloClient = 74
	helloNumber = 106
	helloBox    = 114

	helloNonce = "CurveZMQHELLO---"

	versionMajor, versionMinor = 1, 0
)

// appendHello makes the data of a HELLO. k is what C' and S share.
func appendHello(b []byte, client *PublicKey, number uint64, k *sharedKey) []byte {
	b = append(b, versionMajor, versionMinor)
	b = append(b, make([]byte, helloClient-2)...)
	b = append(b, client[:]...)
	b = binary.BigEndian.AppendUint64(b, number)
	var zeros [helloSize - helloBox - boxOverhead]byte
	return k.seal(b, zeros[:], shortNonce(helloNonce, b[len(b)-shortNonceSize:]))
}

// openHello checks the data of a HELLO. It returns C', the number of the command, and what C' and S share.
func openHello(data []byte, server *SecretKey) (client PublicKey, number uint64, k *sharedKey, err error) {
	if len(data) != helloSize {
		return client, 0, nil, malformed("HELLO", "%d bytes; want %d", len(data), helloSize)
	}
	if data[0] != versionMajor || data[1] != versionMinor {
		return client, 0, nil, malformed("HELLO", "version %d.%d of CurveZMQ; want %d.%d", data[0], data[1],
			versionMajor, versionMinor)
	}
	if !allZero(data[2:helloClient]) {
		return client, 0, nil, malformed("HELLO", "the padding is not all zeros")
	}
	client = PublicKey(data[helloClient:])
	if k, err = agree(server, client[:]); err != nil {
		return client, 0, nil, malformed("HELLO", "%v", err)
	}
	n := data[helloNumber:helloBox]
	zeros, ok := k.open(data[helloBox:], shortNonce(helloNonce, n))
	if !ok || !allZero(zeros) {
		return client, 0, nil, malformed("HELLO", "its box does not open: the client may want a server with another key")
	}
	return client, binary.BigEndian.Uint64(n), k, nil
}

// allZero looks at all of b in any case.
func allZero(b []byte) bool {
	var or byte
	for _, c := range b {
		or |= c
	}
	return or == 0
}
