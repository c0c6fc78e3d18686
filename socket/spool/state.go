package spool

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// A state is all that a spool knows but for the messages themselves. It is what the state records on disk add up to, in
// their order; each segment begins with a checkpoint, which has all of it.
type state struct {
	id       ID // of the stream: what is appended here is named by it and by its seq
	epoch    uint64
	nonce    uint64
	reserved uint64
	next     uint64 // the next seq; while a directory is read, the one behind what is written there

	base     uint64 // with no cursor everything below is settled, whoever may come
	cursors  map[uint16]*cursorState
	attempts map[attemptKey]attempt
	dead     map[uint64]sizedPlace
	copies   map[uint64]sizedPlace // messages that stand elsewhere than in the segment of their seq
	taken    map[ID]*takenState
	values   map[string][]byte
	void     ranges.Set // seqs above base that are nowhere: never stored, or damaged

	pins      map[uint64]int // by segment, how many dead letters and copies stand in it
	deadBytes int64
	copyBytes int64
}

func newState() *state {
	return &state{
		next: 1, base: 1,
		cursors: make(map[uint16]*cursorState), attempts: make(map[attemptKey]attempt), dead: make(map[uint64]sizedPlace),
		copies: make(map[uint64]sizedPlace), taken: make(map[ID]*takenState), values: make(map[string][]byte),
		pins: make(map[uint64]int),
	}
}

// A place is where a record stands.
type place struct {
	segment uint64
	off     int64
}

// baseCursor is the id under which base is written.
const baseCursor = 1<<16 - 1

// A cursorState is how far one cursor has come.
type cursorState struct {
	id     uint16
	name   string
	data   []byte
	expiry time.Duration
	seen   time.Time
	set    ranges.Set // settled
	onDisk uint64     // the floor of set that is on disk
}

type attemptKey struct {
	cursor uint16
	seq    uint64
}

func (k attemptKey) compare(o attemptKey) int {
	return cmp.Or(cmp.Compare(k.seq, o.seq), cmp.Compare(k.cursor, o.cursor))
}

type attempt struct {
	count     int
	notBefore time.Time
	cause     string
}

// maxCause bounds what is kept of an error's text.
const maxCause = 256

type sizedPlace struct {
	place
	size int
}

// A takenState is what was taken of one stream.
type takenState struct {
	epoch, nonce, low uint64
	seen              time.Time
	set               ranges.Set
}

// apply adds what a record says. at is where it stands.
func (st *state) apply(r *stored, at place) {
	f := field{b: r.data}
	switch r.kind {
	case typeMessage:
		st.next = max(st.next, r.seq+1)
		st.applyOrigin(r, &f)
	case typeSettled:
		st.applySettled(&f)
	case typeAttempt:
		k := attemptKey{f.u16(), r.seq}
		st.attempts[k] = attempt{int(r.attempts), getTime(int64(f.u64())), string(f.b)}
	case typeDead:
		if _, there := st.dead[r.seq]; there || r.flags&flagMoved == 0 {
			st.putDead(r.seq, sizedPlace{at, r.size})
		}
	case typeUndead:
		st.dropDead(r.seq)
	case typeCursor:
		st.applyCursor(r, &f)
	case typeTaken:
		st.applyTaken(r, &f)
	case typeEpoch:
		st.epoch, st.nonce, st.reserved, st.id = f.u64(), f.u64(), f.u64(), f.id()
		st.next = max(st.next, f.u64())
	case typeCopy:
		st.putCopy(r.seq, sizedPlace{at, r.size})
	case typeValue:
		st.applyValue(r, &f)
	case typeVoid:
		f.u8()
		st.makeVoid(f.u64(), f.u64())
	case typePlaces:
		st.applyPlaces(&f)
	case typeReply, typeIndex:
	}
}

func (st *state) applySettled(f *field) {
	id, floor := f.u16(), f.u64()
	if id == baseCursor {
		st.base = max(st.base, floor)
		return
	}
	c := st.cursors[id]
	if c == nil {
		return
	}
	c.set.Raise(floor)
	c.onDisk = max(c.onDisk, floor)
	readRanges(f, floor, func(from, to uint64) { c.set.AddRange(from, to) })
	st.forget(c, 0)
}

// named finds a cursor by its name.
func (st *state) named(name string) *cursorState {
	for _, c := range st.cursors {
		if c.name == name {
			return c
		}
	}
	return nil
}

// forget drops the attempts at what a cursor has settled since its floor was from.
func (st *state) forget(c *cursorState, from uint64) {
	if len(st.attempts) == 0 {
		return
	}
	maps.DeleteFunc(st.attempts, func(k attemptKey, _ attempt) bool {
		return k.cursor == c.id && k.seq >= from && c.set.Contains(k.seq)
	})
}

func (st *state) applyCursor(r *stored, f *field) {
	id := f.u16()
	if r.flags&flagGone != 0 {
		delete(st.cursors, id)
		maps.DeleteFunc(st.attempts, func(k attemptKey, _ attempt) bool { return k.cursor == id })
		return
	}
	start := f.u64()
	expiry, seen := time.Duration(f.u64()), getTime(int64(f.u64()))
	name := string(f.text())
	if f.bad {
		return
	}
	c := st.cursors[id]
	if c == nil {
		c = &cursorState{id: id}
		st.cursors[id] = c
		st.skipVoid(c)
	}
	c.name, c.expiry, c.seen, c.data = name, expiry, seen, slices.Clone(f.b)
	c.set.Raise(start)
}

// given is behind every seq that the state speaks of. Some of them may have no record: what waits for room has its seqs
// under Options.SyncEvery, and others that were given behind it are void, or a cursor begins behind them.
func (st *state) given() uint64 {
	end := max(st.next, st.base, st.void.End())
	for _, c := range st.cursors {
		end = max(end, c.set.End())
	}
	return end
}

// skipVoid has a cursor pass what is nowhere.
func (st *state) skipVoid(c *cursorState) {
	for _, r := range st.void.Above() {
		c.set.AddRange(r.From, r.To)
	}
}

// makeVoid notes seqs that are nowhere, and has every cursor pass them.
func (st *state) makeVoid(from, to uint64) {
	from = max(from, 1)
	if from >= to || to == 1<<64-1 {
		return
	}
	st.void.AddRange(from, to)
	for _, c := range st.cursors {
		c.set.AddRange(from, to)
	}
}

func (st *state) applyTaken(r *stored, f *field) {
	id := f.id()
	if r.flags&flagGone != 0 {
		delete(st.taken, id)
		return
	}
	epoch, nonce, low, floor, seen := f.u64(), f.u64(), f.u64(), f.u64(), getTime(int64(f.u64()))
	if f.bad {
		return
	}
	t := st.taken[id]
	if t == nil {
		t = &takenState{}
		st.taken[id] = t
	}
	t.hear(epoch, nonce)
	t.low, t.seen = max(t.low, low), seen
	t.set.Raise(max(floor, t.low))
	readRanges(f, floor, func(from, to uint64) { t.set.AddRange(from, to) })
}

// applyOrigin notes that a message was taken of another stream: what says so of all that were taken with it may be
// damaged, and then it would be taken once more. Where nothing can be damaged a message comes without its data.
func (st *state) applyOrigin(r *stored, f *field) {
	f.u64()
	id, seq := f.id(), f.u64()
	if f.bad || r.flags&flagOrigin == 0 || seq == 0 || seq+1 == 0 {
		return
	}
	t := st.taken[id]
	if t == nil {
		t = &takenState{}
		st.taken[id] = t
	}
	t.set.AddRange(seq, seq+1)
}

// hear notes which incarnation of the sender was heard: the latest one counts.
func (t *takenState) hear(epoch, nonce uint64) {
	if epoch > t.epoch || epoch == t.epoch && t.nonce == 0 {
		t.epoch, t.nonce = epoch, nonce
	}
}

func (st *state) applyValue(r *stored, f *field) {
	key := string(f.text())
	switch {
	case f.bad:
	case r.flags&flagGone != 0:
		delete(st.values, key)
	default:
		st.values[key] = slices.Clone(f.b)
	}
}

func (st *state) applyPlaces(f *field) {
	for len(f.b) > 0 {
		kind, seq, at, size := recordType(f.u8()), f.u64(), place{f.u64(), int64(f.u32()) * align}, int(f.u32())
		if f.bad {
			return
		}
		if kind == typeDead {
			st.putDead(seq, sizedPlace{at, size})
		} else {
			st.putCopy(seq, sizedPlace{at, size})
		}
	}
}

// live returns the parts of a range that somebody still needs, or may. What a cursor has not settled it needs, whatever
// base says: where that is higher, what is on disk of this cursor was damaged.
func (st *state) live(r ranges.Range) []ranges.Range {
	r.From, r.To = max(r.From, 1), min(r.To, st.next)
	var all ranges.Set
	if len(st.cursors) == 0 {
		return slices.Collect(st.void.Gaps(max(r.From, st.base), r.To))
	}
	if len(st.cursors) == 1 {
		for _, c := range st.cursors {
			return slices.Collect(c.set.Gaps(r.From, r.To))
		}
	}
	for _, c := range st.cursors {
		for g := range c.set.Gaps(r.From, r.To) {
			all.AddRange(g.From, g.To)
		}
	}
	return all.Above() // seqs begin at 1, so that the floor stays 0
}

// low is the lowest seq that somebody still needs, or may.
func (st *state) low() uint64 {
	if len(st.cursors) == 0 {
		return st.base
	}
	low := st.next
	for _, c := range st.cursors {
		low = min(low, c.set.Floor())
	}
	return low
}

func (st *state) putDead(seq uint64, at sizedPlace) { st.put(st.dead, &st.deadBytes, seq, at) }
func (st *state) putCopy(seq uint64, at sizedPlace) { st.put(st.copies, &st.copyBytes, seq, at) }
func (st *state) dropDead(seq uint64)               { st.drop(st.dead, &st.deadBytes, seq) }
func (st *state) dropCopy(seq uint64)               { st.drop(st.copies, &st.copyBytes, seq) }

// put has a segment stay for a record that stands in it: a dead letter, or a message that was moved there. total is how
// much all records of that kind take.
func (st *state) put(all map[uint64]sizedPlace, total *int64, seq uint64, at sizedPlace) {
	st.drop(all, total, seq)
	all[seq] = at
	st.pins[at.segment]++
	*total += int64(at.size)
}

func (st *state) drop(all map[uint64]sizedPlace, total *int64, seq uint64) {
	at, ok := all[seq]
	if !ok {
		return
	}
	delete(all, seq)
	*total -= int64(at.size)
	if st.pins[at.segment]--; st.pins[at.segment] <= 0 {
		delete(st.pins, at.segment)
	}
}
