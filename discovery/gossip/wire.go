package gossip

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"github.com/yodel-mq/yodel/discovery"
)

// What goes over memberlist: the metadata of a member, and the messages below.
//
//	metadata  version group:4 kind ...
//	          kind none | inline records | digest:16
//	records   (length:2 (length:1 string)...)...   of each record its TXT strings
//	want      'w' asker:16 digest:16
//	have      'h' member:16 records
//	bye       'b' record
//	sum       's' member:16 sum:8 milliseconds-since-news:4
const (
	formatVersion = 1

	maxRecords = 8        // of a member
	maxBundle  = 12 << 10 // bytes of them together
	headerLen  = 6
	digestLen  = 16

	metaNone   = 0
	metaInline = 1
	metaDigest = 2

	msgWant = 'w'
	msgHave = 'h'
	msgBye  = 'b'
	msgSum  = 's'
)

type digest [digestLen]byte

func digestOf(b []byte) (d digest) {
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d
}

// groupSum stands for a group's name on the wire.
func groupSum(group string) [sha256.Size]byte {
	return sha256.Sum256([]byte("yodel gossip group\n" + group))
}

// appendRecord writes one record.
func appendRecord(b []byte, r *discovery.Record) ([]byte, error) {
	txt, err := r.TXT()
	if err != nil {
		return nil, err
	}
	at := len(b)
	b = append(b, 0, 0)
	for _, s := range txt {
		if len(s) > 255 {
			return nil, badRecord("a string of %d bytes", len(s))
		}
		b = append(append(b, byte(len(s))), s...)
	}
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2)) // TXT is bounded to far less than 64 KiB
	return b, nil
}

// nextRecord reads what appendRecord wrote.
func nextRecord(b []byte) (r discovery.Record, rest []byte, err error) {
	if len(b) < 2 {
		return r, nil, badRecord("truncated")
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n > len(b) {
		return r, nil, badRecord("truncated")
	}
	var txt []string
	for one := b[:n]; len(one) > 0; {
		l := int(one[0])
		if one = one[1:]; l > len(one) {
			return r, nil, badRecord("truncated")
		}
		txt = append(txt, string(one[:l]))
		one = one[l:]
	}
	r, err = discovery.ParseTXT(txt)
	return r, b[n:], err
}

// parseRecords reads all that a member announces. A record that this version does not understand hides no other: it is
// left out.
func parseRecords(b []byte) (rs []discovery.Record, err error) {
	if len(b) > maxBundle {
		return nil, badRecord("records of %d bytes, at most %d are taken", len(b), maxBundle)
	}
	for n := 0; len(b) > 0; n++ {
		if n == maxRecords {
			return nil, badRecord("more than %d records", maxRecords)
		}
		r, rest, err := nextRecord(b)
		if rest == nil && err != nil {
			return nil, err
		}
		if b = rest; err == nil && !r.Goodbye {
			rs = append(rs, r)
		}
	}
	return rs, nil
}

// A meta is the metadata of a member.
type meta struct {
	kind   byte
	inline []byte // with metaInline
	digest digest // with metaDigest
}

// appendMeta writes the metadata for a member with these records: themselves if there is room.
func appendMeta(group string, bundle []byte, limit int) []byte {
	sum := groupSum(group)
	b := append([]byte{formatVersion}, sum[:4]...)
	switch {
	case len(bundle) == 0:
		return append(b, metaNone)
	case headerLen+len(bundle) <= limit:
		return append(append(b, metaInline), bundle...)
	}
	d := digestOf(bundle)
	return append(append(b, metaDigest), d[:]...)
}

// checkMeta says whether the metadata is of this version and group: the first two things that are looked at in what
// comes from others.
func checkMeta(group string, b []byte) (version, sameGroup bool) {
	sum := groupSum(group)
	return len(b) >= headerLen && b[0] == formatVersion, len(b) >= headerLen && bytes.Equal(b[1:5], sum[:4])
}

// parseMeta reads what appendMeta wrote. The result shares b.
func parseMeta(group string, b []byte) (m meta, err error) {
	version, same := checkMeta(group, b)
	if !version || !same {
		return m, badRecord("metadata of another version or group")
	}
	m.kind, b = b[5], b[headerLen:]
	switch {
	case m.kind == metaNone && len(b) == 0:
	case m.kind == metaInline && len(b) > 0:
		m.inline = b
	case m.kind == metaDigest && len(b) == digestLen:
		m.digest = digest(b)
	default:
		return m, badRecord("metadata of kind %d, %d bytes", m.kind, len(b))
	}
	return m, nil
}

// A message is one that members send each other.
type message struct {
	kind    byte
	id      discovery.ID     // who asks, or whose records these are
	digest  digest           // of want
	records []byte           // of have
	bye     discovery.Record // of bye
	sum     uint64           // of sum, and how old what was summed up is
	age     time.Duration
}

func wantMessage(asker discovery.ID, d digest) []byte {
	return append(append([]byte{msgWant}, asker[:]...), d[:]...)
}

func haveMessage(whose discovery.ID, records []byte) []byte {
	return append(append([]byte{msgHave}, whose[:]...), records...)
}

func byeMessage(r *discovery.Record) ([]byte, error) { return appendRecord([]byte{msgBye}, r) }

func sumMessage(from discovery.ID, sum uint64, age time.Duration) []byte {
	b := binary.BigEndian.AppendUint64(append([]byte{msgSum}, from[:]...), sum)
	return binary.BigEndian.AppendUint32(b, uint32(min(age.Milliseconds(), math.MaxUint32)))
}

// parseMessage reads one of these. The result shares nothing with b, which memberlist uses again.
func parseMessage(b []byte) (m message, err error) {
	if len(b) == 0 {
		return m, badRecord("empty message")
	}
	m.kind, b = b[0], b[1:]
	switch {
	case m.kind == msgWant && len(b) == len(m.id)+digestLen:
		m.id, m.digest = discovery.ID(b[:16]), digest(b[16:])
	case m.kind == msgHave && len(b) > len(m.id) && len(b) <= len(m.id)+maxBundle:
		m.id, m.records = discovery.ID(b[:16]), bytes.Clone(b[16:])
	case m.kind == msgSum && len(b) == len(m.id)+12:
		m.id, m.sum = discovery.ID(b[:16]), binary.BigEndian.Uint64(b[16:])
		m.age = time.Duration(binary.BigEndian.Uint32(b[24:])) * time.Millisecond
	case m.kind == msgBye:
		var rest []byte
		if m.bye, rest, err = nextRecord(b); err == nil && (len(rest) > 0 || !m.bye.Goodbye) {
			err = badRecord("not a goodbye")
		}
	default:
		err = badRecord("message of kind %d, %d bytes", m.kind, len(b))
	}
	return m, err
}
