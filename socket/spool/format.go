package spool

import (
	"encoding/binary"
	"hash/crc32"
)

// The numbers of the format, as it is drawn in doc.go.
const (
	magic        = "YSPOOL1\n"
	magicFamily  = "YSPOOL" // a file that begins so and goes on otherwise is of another version
	headerSize   = 64       // of a segment
	headerTwin   = 2048     // where the header stands once more
	dataStart    = 4096     // where the first batch stands
	batchHeader  = 40
	recordHeader = 24
	align        = 8
)

// What a batch is.
const (
	kindData       byte = 0
	kindCheckpoint byte = 1 // all state; the first batch of each segment
	kindIndex      byte = 2 // where messages are in this segment; the last batch of a segment that was left in good health
)

// Flags of a batch.
const batchAtomic byte = 1 // all or none: it holds a record with flagAtomic

// Flags of a record.
const (
	flagOrigin byte = 1    // the data has the stream and the seq of the spool it came from
	flagAtomic byte = 2    // worth nothing without the other records of its batch
	flagGone   byte = 4    // what the record names is no more
	flagMoved  byte = 8    // a dead letter that stood elsewhere before; if it is gone by now, it stays gone
	flagSealed byte = 0x80 // kept free for data that is encrypted; no such record is written or read today
)

// A recordType says what a record's data is; doc.go has the layouts.
type recordType byte

const (
	typeMessage recordType = 1
	typeSettled recordType = 2
	typeAttempt recordType = 3
	typeDead    recordType = 4
	typeUndead  recordType = 5
	typeCursor  recordType = 6
	typeTaken   recordType = 7
	typeEpoch   recordType = 8
	typeCopy    recordType = 9
	typeReply   recordType = 10 // kept free
	typeIndex   recordType = 11
	typeValue   recordType = 12
	typeVoid    recordType = 13
	typePlaces  recordType = 14
	lastType               = typePlaces
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seed is what every checksum of a segment begins with, so that nothing that was written for another file passes here.
func seed(salt uint64) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], salt)
	return crc32.Update(0, castagnoli, b[:])
}

// padded is n rounded up to the alignment of batches and records.
func padded(n int) int { return (n + align - 1) &^ (align - 1) }

// A header is the first 64 bytes of a segment.
type header struct {
	spool     ID
	number    uint64
	salt      uint64
	first     uint64 // every message from this seq on is in this segment or a later one
	prevEnd   int64  // what lies from here on in the segment before is void; 0: nothing is before
	prevIndex int64  // where the index of the segment before is; 0: it has none
}

func (h *header) append(b []byte) []byte {
	at := len(b)
	b = append(b, magic...)
	b = append(b, h.spool[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, h.salt)
	b = binary.LittleEndian.AppendUint64(b, h.first)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.prevEnd))
	b = binary.LittleEndian.AppendUint32(b, uint32(h.prevIndex/align))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

// parseHeader reads a header. Whether it is that of the file it stands in, the file's name says.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize || string(b[:8]) != magic ||
		crc32.Checksum(b[:60], castagnoli) != binary.LittleEndian.Uint32(b[60:]) {
		return header{}, false
	}
	copy(h.spool[:], b[8:])
	h.number = binary.LittleEndian.Uint64(b[24:])
	h.salt = binary.LittleEndian.Uint64(b[32:])
	h.first = binary.LittleEndian.Uint64(b[40:])
	h.prevEnd = int64(binary.LittleEndian.Uint64(b[48:]))
	h.prevIndex = int64(binary.LittleEndian.Uint32(b[56:])) * align
	return h, h.prevEnd >= 0
}

// headerPage is what a segment begins with, up to its first batch.
func (h *header) page() []byte {
	b := make([]byte, 0, dataStart)
	b = h.append(b)
	b = b[:headerTwin]
	b = h.append(b)
	return b[:dataStart]
}

// A batch is the header of what was committed by one write and one sync.
type batch struct {
	size     int    // with the header; a multiple of 8
	number   uint64 // ascends over the spool, by one within a segment
	first    uint64 // no message in it has a lower seq, none behind it a seq below first + messages
	messages uint32 // seqs that it takes up
	records  uint32
	kind     byte
	flags    byte
}

func (h *batch) put(b []byte, seed uint32) {
	binary.LittleEndian.PutUint32(b[4:], uint32(h.size))
	binary.LittleEndian.PutUint64(b[8:], h.number)
	binary.LittleEndian.PutUint64(b[16:], h.first)
	binary.LittleEndian.PutUint32(b[24:], h.messages)
	binary.LittleEndian.PutUint32(b[28:], h.records)
	b[32], b[33] = h.kind, h.flags
	clear(b[34:batchHeader])
	binary.LittleEndian.PutUint32(b, crc32.Update(seed, castagnoli, b[4:batchHeader]))
}

// parseBatch reads the header of a batch. It does not look at what follows.
func parseBatch(b []byte, seed uint32) (h batch, ok bool) {
	if len(b) < batchHeader || b[32] > kindIndex || b[34]|b[35]|b[36]|b[37]|b[38]|b[39] != 0 {
		return batch{}, false
	}
	h = batch{
		size:     int(binary.LittleEndian.Uint32(b[4:])),
		number:   binary.LittleEndian.Uint64(b[8:]),
		first:    binary.LittleEndian.Uint64(b[16:]),
		messages: binary.LittleEndian.Uint32(b[24:]),
		records:  binary.LittleEndian.Uint32(b[28:]),
		kind:     b[32],
		flags:    b[33],
	}
	ok = h.size >= batchHeader && h.size%align == 0 &&
		crc32.Update(seed, castagnoli, b[4:batchHeader]) == binary.LittleEndian.Uint32(b)
	return h, ok
}

// A recordHead is the first 24 bytes of a record.
type recordHead struct {
	size     int // with these bytes, without the padding behind it
	seq      uint64
	kind     recordType
	flags    byte
	attempts uint16
	expiry   uint32 // seconds since 2026 began, 0 never
}

func (h *recordHead) put(b []byte) {
	binary.LittleEndian.PutUint32(b[4:], uint32(h.size))
	binary.LittleEndian.PutUint64(b[8:], h.seq)
	b[16], b[17] = byte(h.kind), h.flags
	binary.LittleEndian.PutUint16(b[18:], h.attempts)
	binary.LittleEndian.PutUint32(b[20:], h.expiry)
}

// parseHead reads the head of a record; checksum says whether it is one.
func parseHead(b []byte) (h recordHead, ok bool) {
	if len(b) < recordHeader {
		return recordHead{}, false
	}
	h = recordHead{
		size:     int(binary.LittleEndian.Uint32(b[4:])),
		seq:      binary.LittleEndian.Uint64(b[8:]),
		kind:     recordType(b[16]),
		flags:    b[17],
		attempts: binary.LittleEndian.Uint16(b[18:]),
		expiry:   binary.LittleEndian.Uint32(b[20:]),
	}
	return h, h.size >= recordHeader && h.kind >= typeMessage && h.kind <= lastType
}
