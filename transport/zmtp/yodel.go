package zmtp

import (
	"encoding/binary"
	"math"
	"time"
)

// PropertyYodel is the property of READY by which two Yodel sockets know each other. Commands beyond RFC 37 go only to
// a peer that has sent it with the bit of the feature that they belong to.
//
//	 0  version   u8      1
//	 1  features  u32     a bit each, see [Features]
//	 5  node      16      which process
//	21  heartbeat u32     milliseconds of silence after which it gives a peer up, 0 for never
//	25  receiver  16      which receiver, see [Yodel.Receiver]; left out by versions that have no reliable links
//	41  endpoint  8       see [Yodel.Endpoint]; left out where it is zero
//
// All numbers are big endian. A longer value comes from a later version: what is known of it stands at its start.
const PropertyYodel = "X-Yodel"

// Features is a set of feature bits. Bits that are not in this table belong to later versions, and are ignored.
type Features uint32

// The table of features.
const (
	// FeatureReliable: takes part in reliable links, which is what the commands OPEN, OPENED, MORE, ACK, NAK, TERM,
	// NEXT, LOW, GAP, BYE and DSUB are for (reliable_open.go and the files behind it).
	FeatureReliable Features = 1 << 0
	// FeatureOpens: says OPEN to a peer that takes part in reliable links, which has to wait for it.
	FeatureOpens Features = 1 << 1
	// FeatureDurable: keeps durable subscriptions or has one. Who has one says DSUB ahead of all else to a peer that
	// keeps them, which says OPEN then (reliable_subscription.go).
	FeatureDurable Features = 1 << 2
)

// Has reports whether all features of g are in f.
func (f Features) Has(g Features) bool { return f&g == g }

// Yodel is the value of an X-Yodel property.
type Yodel struct {
	Features Features
	// Node names the process.
	Node [16]byte
	// Heartbeat is the silence after which the socket gives a peer up; 0 is never. It travels in milliseconds.
	Heartbeat time.Duration
	// Receiver names the socket as the receiver of a stream. It is the same whenever that receiver comes back over a
	// new connection, and no other's: not that of another endpoint by which the socket connects to the same peer.
	Receiver [16]byte
	// Endpoint tells those apart that have one Receiver: sockets that were given the same name, or several endpoints by
	// which such a socket connects. It stays the same over the connections of an endpoint. Zero tells nothing.
	Endpoint [8]byte
}

const (
	yodelVersion  = 1
	yodelShortest = 1 + 4 + 16 + 4
	yodelSize     = yodelShortest + 16
	yodelLongest  = yodelSize + 8
)

// AppendYodel adds the value of an X-Yodel property.
func AppendYodel(b []byte, y *Yodel) []byte {
	b = append(b, yodelVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(y.Features))
	b = append(b, y.Node[:]...)
	b = binary.BigEndian.AppendUint32(b, milliseconds(y.Heartbeat))
	b = append(b, y.Receiver[:]...)
	if y.Endpoint == [8]byte{} {
		return b
	}
	return append(b, y.Endpoint[:]...)
}

// ParseYodel reads the value of an X-Yodel property. A value that is shorter than the first version's is ErrMalformed.
// Of one without a receiver that is zero, and FeatureReliable, FeatureOpens and FeatureDurable, which need it, are
// taken away.
func ParseYodel(v []byte) (y Yodel, err error) {
	if len(v) < yodelShortest {
		return y, fail(PropertyYodel, ErrMalformed, "%d bytes; want at least %d", len(v), yodelShortest)
	}
	y.Features = Features(binary.BigEndian.Uint32(v[1:]))
	y.Node = [16]byte(v[5:])
	y.Heartbeat = time.Duration(binary.BigEndian.Uint32(v[21:])) * time.Millisecond
	if len(v) < yodelSize {
		y.Features &^= FeatureReliable | FeatureOpens | FeatureDurable
		return y, nil
	}
	y.Receiver = [16]byte(v[25:])
	if len(v) >= yodelLongest {
		y.Endpoint = [8]byte(v[41:])
	}
	return y, nil
}

// milliseconds is d in whole milliseconds, rounded up, as far as it fits.
func milliseconds(d time.Duration) uint32 {
	switch {
	case d <= 0:
		return 0
	case d >= math.MaxUint32*time.Millisecond:
		return math.MaxUint32
	}
	return uint32((d + time.Millisecond - 1) / time.Millisecond)
}
