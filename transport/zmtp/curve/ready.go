package curve

import "encoding/binary"

// READY, from the server: the data of at least 24 bytes behind the name, 30 bytes in all.
//
//	0  8    number of the command
//	8  16+  box [metadata] from S' to C', for "CurveZMQREADY---"
const (
	readyBox = shortNonceSize
	readyMin = readyBox + boxOverhead

	readyNonce = "CurveZMQREADY---"
)

// appendReady makes the data of a READY. k is what C' and S' share.
func appendReady(b []byte, number uint64, metadata []byte, k *sharedKey) []byte {
	b = binary.BigEndian.AppendUint64(b, number)
	return k.seal(b, metadata, shortNonce(readyNonce, b[len(b)-shortNonceSize:]))
}

// openReady returns the number of the command and the metadata.
func openReady(data []byte, k *sharedKey) (number uint64, metadata []byte, err error) {
	if len(data) < readyMin {
		return 0, nil, malformed("READY", "%d bytes; want at least %d", len(data), readyMin)
	}
	metadata, ok := k.open(data[readyBox:], shortNonce(readyNonce, data[:readyBox]))
	if !ok {
		return 0, nil, malformed("READY", "its box does not open")
	}
	return binary.BigEndian.Uint64(data), metadata, nil
}
