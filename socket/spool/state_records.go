package spool

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// perRecord is how many ranges or places one record has at most, and so one commit for one cursor.
const perRecord = 4096

// checkpoint returns records that add up to the state, for a segment before which all below next was written, or is
// void. Seqs that were given from next on have no record yet, and may never have one.
func (st *state) checkpoint(next uint64, withFloors bool) []record {
	recs := []record{st.epochRecord(next), settledRecord(baseCursor, st.base, nil)}
	void := st.void.Above()
	for _, v := range void {
		recs = append(recs, voidRecord(v, false))
	}
	for _, id := range slices.Sorted(maps.Keys(st.cursors)) {
		c := st.cursors[id]
		recs = append(recs, c.record())
		if !withFloors {
			continue
		}
		above := c.set.Above()
		recs = append(recs, settledRecord(id, c.set.Floor(), above[:min(len(above), perRecord)]))
		for n := perRecord; n < len(above); n += perRecord {
			recs = append(recs, settledRecord(id, c.set.Floor(), above[n:min(len(above), n+perRecord)]))
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(st.attempts), attemptKey.compare) {
		recs = append(recs, attemptRecord(k, st.attempts[k]))
	}
	recs = append(recs, st.placeRecords()...)
	for _, id := range slices.SortedFunc(maps.Keys(st.taken), ID.compare) {
		recs = append(recs, st.taken[id].records(id)...)
	}
	for _, key := range slices.Sorted(maps.Keys(st.values)) {
		recs = append(recs, valueRecord(key, st.values[key]))
	}
	return recs
}

// smallestEpoch is the size of the smallest batch with an EPOCH.
const smallestEpoch = batchHeader + recordHeader + 48

func (st *state) epochRecord(next uint64) record {
	r := newRecord(typeEpoch, 0, 48)
	r.head = binary.LittleEndian.AppendUint64(r.head, st.epoch)
	r.head = binary.LittleEndian.AppendUint64(r.head, st.nonce)
	r.head = binary.LittleEndian.AppendUint64(r.head, st.reserved)
	r.head = append(r.head, st.id[:]...)
	r.head = binary.LittleEndian.AppendUint64(r.head, next)
	return r
}

// A placeEntry is one part of a PLACES.
type placeEntry struct {
	kind recordType
	seq  uint64
	at   sizedPlace
}

// deadNote says that there is a dead letter, whose record, behind it, says where: in no segment, while it stands alone.
func deadNote(seq uint64) record {
	r := newRecord(typePlaces, 0, 25)
	r.head = placeEntry{kind: typeDead, seq: seq}.append(r.head)
	return r
}

func (e placeEntry) append(b []byte) []byte {
	b = append(b, byte(e.kind))
	b = binary.LittleEndian.AppendUint64(b, e.seq)
	b = binary.LittleEndian.AppendUint64(b, e.at.segment)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.at.off/align))
	return binary.LittleEndian.AppendUint32(b, uint32(e.at.size))
}

func (st *state) placeRecords() []record {
	var all []placeEntry
	for seq, at := range st.dead {
		all = append(all, placeEntry{typeDead, seq, at})
	}
	for seq, at := range st.copies {
		all = append(all, placeEntry{typeCopy, seq, at})
	}
	slices.SortFunc(all, func(a, b placeEntry) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.seq, b.seq))
	})
	var recs []record
	for part := range slices.Chunk(all, perRecord) {
		r := newRecord(typePlaces, 0, 25*len(part))
		for _, e := range part {
			r.head = e.append(r.head)
		}
		recs = append(recs, r)
	}
	return recs
}

func (c *cursorState) record() record {
	r := newRecord(typeCursor, 0, 32+len(c.name)+len(c.data))
	r.head = binary.LittleEndian.AppendUint16(r.head, c.id)
	r.head = binary.LittleEndian.AppendUint64(r.head, c.set.Floor())
	r.head = binary.LittleEndian.AppendUint64(r.head, uint64(c.expiry))
	r.head = binary.LittleEndian.AppendUint64(r.head, uint64(putTime(c.seen)))
	r.head = append(appendText(r.head, c.name), c.data...)
	return r
}

func (c *cursorState) goneRecord() record {
	r := newRecord(typeCursor, 0, 2)
	r.flags = flagGone
	r.head = binary.LittleEndian.AppendUint16(r.head, c.id)
	return r
}

func settledRecord(cursor uint16, floor uint64, above []ranges.Range) record {
	r := newRecord(typeSettled, 0, 16+4*len(above))
	r.head = binary.LittleEndian.AppendUint16(r.head, cursor)
	r.head = binary.LittleEndian.AppendUint64(r.head, floor)
	r.head = appendRanges(r.head, floor, above)
	return r
}

func attemptRecord(k attemptKey, a attempt) record {
	r := newRecord(typeAttempt, k.seq, 10+len(a.cause))
	r.attempts = uint16(min(a.count, 1<<16-1))
	r.head = binary.LittleEndian.AppendUint16(r.head, k.cursor)
	r.head = binary.LittleEndian.AppendUint64(r.head, uint64(putTime(a.notBefore)))
	r.head = append(r.head, a.cause...)
	return r
}

func undeadRecord(seq uint64) record { return newRecord(typeUndead, seq, 0) }

func valueRecord(key string, value []byte) record {
	r := newRecord(typeValue, 0, 4+len(key)+len(value))
	r.head = append(appendText(r.head, key), value...)
	if value == nil {
		r.flags = flagGone
	}
	return r
}

func voidRecord(v ranges.Range, damaged bool) record {
	r := newRecord(typeVoid, 0, 17)
	kind := byte(0)
	if damaged {
		kind = 1
	}
	r.head = append(r.head, kind)
	r.head = binary.LittleEndian.AppendUint64(r.head, v.From)
	r.head = binary.LittleEndian.AppendUint64(r.head, v.To)
	return r
}

// records returns all that was taken of a stream.
func (t *takenState) records(id ID) []record {
	above := t.set.Above()
	recs := []record{t.record(id, above[:min(len(above), perRecord)])}
	for n := perRecord; n < len(above); n += perRecord {
		recs = append(recs, t.record(id, above[n:min(len(above), n+perRecord)]))
	}
	return recs
}

// record says that some of a stream was taken, beside all below the floor.
func (t *takenState) record(id ID, above []ranges.Range) record {
	r := newRecord(typeTaken, 0, 60+4*len(above))
	r.head = append(r.head, id[:]...)
	r.head = binary.LittleEndian.AppendUint64(r.head, t.epoch)
	r.head = binary.LittleEndian.AppendUint64(r.head, t.nonce)
	r.head = binary.LittleEndian.AppendUint64(r.head, t.low)
	r.head = binary.LittleEndian.AppendUint64(r.head, t.set.Floor())
	r.head = binary.LittleEndian.AppendUint64(r.head, uint64(putTime(t.seen)))
	r.head = appendRanges(r.head, t.set.Floor(), above)
	return r
}

func forgottenRecord(id ID) record {
	r := newRecord(typeTaken, 0, len(id))
	r.flags = flagGone
	r.head = append(r.head, id[:]...)
	return r
}

// appendRanges writes the ranges above a floor, in ascending order, each as the distance from the one before and its
// length.
func appendRanges(b []byte, floor uint64, above []ranges.Range) []byte {
	b = binary.AppendUvarint(b, uint64(len(above)))
	for _, r := range above {
		b = binary.AppendUvarint(b, r.From-floor)
		b = binary.AppendUvarint(b, r.Len())
		floor = r.To
	}
	return b
}

// readRanges reads what appendRanges has written.
func readRanges(f *field, at uint64, add func(from, to uint64)) {
	n := f.uvarint()
	for range min(n, uint64(len(f.b))) {
		from := at + f.uvarint()
		to := from + f.uvarint()
		if f.bad || from < at || to < from || to == 1<<64-1 {
			return
		}
		add(from, to)
		at = to
	}
}
