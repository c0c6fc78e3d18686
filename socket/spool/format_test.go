package spool

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yodel-mq/yodel/socket/internal/ranges"
)

// sealed is a record as it stands on disk, in a segment with the salt 1.
func sealed(r record) []byte {
	b := bundle{}
	b.add(r)
	var all []byte
	for _, p := range b.seal(seed(1), nil) {
		all = append(all, p...)
	}
	return all[batchHeader:]
}

var (
	someID   = ID{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}
	someTime = time.UnixMilli(0x0102030405)
)

// The bytes of everything that is written. A change here is a change of the format.
func TestBytes(t *testing.T) {
	message := func(kind recordType, origin Origin, ahead []byte) []byte {
		return sealed(messageRecord(kind, &Message{
			Seq: 0x1122, Frames: [][]byte{[]byte("ab"), nil, []byte("cde")}, Enqueued: someTime,
			Expires: time.Unix(clockStart+0x99, 1), Attempts: 3, Origin: origin,
		}, ahead))
	}
	st := newState()
	st.id, st.epoch, st.nonce, st.next = someID, 2, 3, 4
	st.putDead(5, sizedPlace{place{6, 0x1000}, 7})
	cursor := &cursorState{id: 9, name: "nm", data: []byte("data"), expiry: 10, seen: someTime}
	cursor.set.Raise(11)
	taken := &takenState{epoch: 2, nonce: 9, low: 3, seen: someTime}
	taken.set.Raise(4)
	above := []ranges.Range{{From: 6, To: 8}, {From: 300, To: 301}}
	seg := &segment{index: []mark{{0x11, 0x1000}}}
	h := header{spool: someID, number: 1, salt: 2, first: 3, prevEnd: 0x1008, prevIndex: 0x2000}
	for _, test := range []struct {
		name string
		got  []byte
		want string
	}{
		{"header", h.append(nil), `5953504f4f4c310a a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0100000000000000 0200000000000000
			0300000000000000 0810000000000000 00040000 HEADERSUM`},
		{"batch", func() []byte {
			b := make([]byte, batchHeader)
			(&batch{size: 0x48, number: 2, first: 3, messages: 4, records: 5, kind: 1, flags: 1}).put(b, seed(1))
			return b
		}(), `BATCHSUM 48000000 0200000000000000 0300000000000000 04000000 05000000 01 01 000000000000`},
		{"MESSAGE", message(typeMessage, Origin{}, nil), `SUM 29000000 2211000000000000 01 00 0300 9a000000
			0504030201000000 03 02 00 03 6162 636465 00000000000000`},
		{
			"MESSAGE from elsewhere", message(typeMessage, Origin{someID, 7}, nil),
			`SUM 41000000 2211000000000000 01 01 0300 9a000000
			0504030201000000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0700000000000000 03 02 00 03 6162 636465 00000000000000`,
		},
		{"SETTLED", sealed(settledRecord(9, 5, above)), `SUM 28000000 0000000000000000 02 00 0000 00000000
			0900 0500000000000000 02 01 02 a402 01`},
		{
			"ATTEMPT", sealed(attemptRecord(attemptKey{9, 8}, attempt{2, someTime, "why"})),
			`SUM 25000000 0800000000000000 03 00 0200 00000000
			0900 0504030201000000 776879 000000`,
		},
		{
			"DEAD", message(typeDead, Origin{}, appendText([]byte("12345678"), "r")),
			`SUM 33000000 2211000000000000 04 00 0300 9a000000
			3132333435363738 01 72 0504030201000000 03 02 00 03 6162 636465 0000000000`,
		},
		{"UNDEAD", sealed(undeadRecord(8)), `SUM 18000000 0800000000000000 05 00 0000 00000000`},
		{"CURSOR", sealed(cursor.record()), `SUM 39000000 0000000000000000 06 00 0000 00000000
			0900 0b00000000000000 0a00000000000000 0504030201000000 02 6e6d 64617461 00000000000000`},
		{"CURSOR gone", sealed(cursor.goneRecord()), `SUM 1a000000 0000000000000000 06 04 0000 00000000 0900 000000000000`},
		{"TAKEN", sealed(taken.record(someID, above)), `SUM 56000000 0000000000000000 07 00 0000 00000000
			a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0200000000000000 0900000000000000 0300000000000000 0400000000000000 0504030201000000
			02 02 02 a402 01 0000`},
		{"EPOCH", sealed(st.epochRecord(4)), `SUM 48000000 0000000000000000 08 00 0000 00000000
			0200000000000000 0300000000000000 0000000000000000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 0400000000000000`},
		{"INDEX", sealed(seg.indexRecord()), `SUM 28000000 0000000000000000 0b 00 0000 00000000
			01000000 1100000000000000 00020000`},
		{
			"VALUE", sealed(valueRecord("k", []byte("v"))),
			`SUM 1b000000 0000000000000000 0c 00 0000 00000000 01 6b 76 0000000000`,
		},
		{"VALUE gone", sealed(valueRecord("k", nil)), `SUM 1a000000 0000000000000000 0c 04 0000 00000000 01 6b 000000000000`},
		{"VOID", sealed(voidRecord(ranges.Range{From: 5, To: 7}, true)), `SUM 29000000 0000000000000000 0d 00 0000 00000000
			01 0500000000000000 0700000000000000 00000000000000`},
		{"PLACES", sealed(st.placeRecords()[0]), `SUM 31000000 0000000000000000 0e 00 0000 00000000
			04 0500000000000000 0600000000000000 00020000 07000000 00000000000000`},
	} {
		got := hex.EncodeToString(test.got)
		want := strings.Join(strings.Fields(test.want), "")
		want = strings.NewReplacer("HEADERSUM", got[max(0, len(got)-8):], "BATCHSUM", got[:8], "SUM", got[:8]).Replace(want)
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, want)
		}
	}
	// The checksums themselves, worked out by another program: of 0..60, and of the salt and 4..size.
	if got := hex.EncodeToString(h.append(nil)[60:]); got != "00e3b7be" {
		t.Errorf("checksum of the header: %s", got)
	}
	if got := hex.EncodeToString(sealed(undeadRecord(8))[:4]); got != "eab7e071" {
		t.Errorf("checksum of a record: %s", got)
	}
}

// What is written is read again as it was, whatever it is.
func TestMessagesComeBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sizes := []int{0, 1, 7, 100, held - 1, held, held + 3, referenced - 1, referenced, referenced + 3}
	for i := range 300 {
		m := Message{Seq: rng.Uint64(), Attempts: rng.IntN(1 << 16), Frames: make([][]byte, rng.IntN(5))}
		for j := range m.Frames {
			m.Frames[j] = make([]byte, sizes[rng.IntN(len(sizes))])
			for k := range m.Frames[j] {
				m.Frames[j][k] = byte(rng.Uint32())
			}
		}
		if rng.IntN(2) == 0 {
			m.Enqueued = time.UnixMilli(rng.Int64N(1 << 40))
			m.Expires = time.Unix(clockStart+1+rng.Int64N(1<<31), 0)
			m.Origin = Origin{someID, rng.Uint64()}
		}
		b := sealed(messageRecord(typeMessage, &m, nil))
		if len(b)%align != 0 {
			t.Fatalf("%d bytes", len(b))
		}
		r, ok := parseRecord(b, seed(1))
		if !ok {
			t.Fatalf("message %d is not read", i)
		}
		got, ok := r.message(r.data)
		if !ok || !slices.EqualFunc(got.Frames, m.Frames, bytes.Equal) {
			t.Fatalf("message %d is not as it was", i)
		}
		got.Frames = m.Frames
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got %+v, want %+v", got, m)
		}
		if _, ok := parseRecord(b, seed(2)); ok {
			t.Fatal("it is read in another segment")
		}
	}
}

// A message is never taken for expired too early.
func TestExpiryIsRoundedUp(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Second, time.Second + 1, -time.Hour * 1e6} {
		at := time.Unix(clockStart+1000, 0).Add(d)
		if got := getExpiry(putExpiry(at)); got.Before(at) || got.Sub(at) >= time.Second && d > 0 {
			t.Errorf("%v comes back as %v", at, got)
		}
	}
	if !getExpiry(putExpiry(time.Time{})).IsZero() {
		t.Error("never is not never")
	}
}

// What a checkpoint says adds up to the state it was made of.
func TestCheckpointIsTheState(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	st := newState()
	st.id, st.epoch, st.nonce, st.next, st.base = someID, 7, 8, 100_000, 17
	for id := range uint16(3) {
		c := &cursorState{id: id, name: fmt.Sprint("c", id), data: []byte{}, expiry: 5, seen: someTime}
		c.set.Raise(20)
		for range 5000 { // more than one record has
			n := 20 + rng.Uint64N(90_000)
			c.set.AddRange(n, n+1+rng.Uint64N(3))
		}
		c.onDisk = c.set.Floor() // a checkpoint is on disk
		st.cursors[id] = c
	}
	st.makeVoid(99_990, 99_995)
	for range 5000 {
		st.putCopy(rng.Uint64N(1000), sizedPlace{place{3, int64(rng.IntN(1000)) * 8}, rng.IntN(1000)})
		st.putDead(rng.Uint64N(1000), sizedPlace{place{4, int64(rng.IntN(1000)) * 8}, rng.IntN(1000)})
	}
	st.attempts[attemptKey{1, 99_999}] = attempt{3, someTime, "why"}
	st.taken[someID] = &takenState{
		epoch: 1, nonce: 2, low: 5, seen: someTime, set: ranges.From(6, ranges.Range{From: 9, To: 12}),
	}
	st.values["key"] = []byte("value")
	again := newState()
	for range 2 { // and the same twice is the same
		for _, r := range st.checkpoint(st.next, true) {
			b := sealed(r)
			s, ok := parseRecord(b, seed(1))
			if !ok {
				t.Fatal("a record is not read")
			}
			again.apply(&s, place{})
		}
		if !reflect.DeepEqual(again, st) {
			t.Fatalf("got  %+v\nwant %+v", again, st)
		}
	}
}
