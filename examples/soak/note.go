package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// A key names one socket of a scenario: the member of the plan, and its life, which is one more each time the member's
// process has been started anew.
type key struct{ Member, Life int }

func (k key) String() string { return fmt.Sprintf("%d.%d", k.Member, k.Life) }

// MarshalText implements encoding.TextMarshaler, so that a key can be one of a JSON object.
func (k key) MarshalText() ([]byte, error) { //nolint:unparam // the interface has an error
	return []byte(k.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *key) UnmarshalText(text []byte) error {
	member, life, _ := strings.Cut(string(text), ".")
	var err1, err2 error
	k.Member, err1 = strconv.Atoi(member)
	k.Life, err2 = strconv.Atoi(life)
	return errors.Join(err1, err2)
}

// A stream is what is numbered: the messages of one socket on one lane. A socket that spreads its messages has one
// lane, 0; one that publishes has a lane for each topic, one that addresses its messages a lane for each member.
type stream struct {
	From key `json:"from"`
	Lane int `json:"lane"`
}

func (s stream) String() string { return fmt.Sprintf("%s, lane %d", s.From, s.Lane) }

// A note is what a message says of itself.
type note struct {
	Scenario int // so that a message that strays is seen
	stream
	Seq uint64 // from 1 in its stream
	Ask uint64 // of a reply: the number of the request
}

const (
	noteMagic = 0x59534b31
	noteSize  = 4 + 4 + 4 + 2 + 2 + 4 + 8 + 8 + 4
)

// write returns a body of the note and filling bytes to a size, with a checksum over all of it.
func (n note) write(size int) []byte {
	b := make([]byte, max(size, noteSize))
	binary.BigEndian.PutUint32(b, noteMagic)
	binary.BigEndian.PutUint32(b[8:], uint32(n.Scenario))
	binary.BigEndian.PutUint16(b[12:], uint16(n.From.Member))
	binary.BigEndian.PutUint16(b[14:], uint16(n.From.Life))
	binary.BigEndian.PutUint32(b[16:], uint32(n.Lane))
	binary.BigEndian.PutUint64(b[20:], n.Seq)
	binary.BigEndian.PutUint64(b[28:], n.Ask)
	binary.BigEndian.PutUint32(b[36:], uint32(len(b)))
	for i := noteSize; i < len(b); i++ {
		b[i] = byte(uint64(i) * (n.Seq + 7))
	}
	binary.BigEndian.PutUint32(b[4:], crc32.ChecksumIEEE(b[8:]))
	return b
}

// readNote is the way back; it fails if a bit of the body has changed or some of it is missing.
func readNote(b []byte) (note, error) {
	if len(b) < noteSize || binary.BigEndian.Uint32(b) != noteMagic {
		return note{}, fmt.Errorf("soak: %d bytes that are not of this program", len(b))
	}
	if int(binary.BigEndian.Uint32(b[36:])) != len(b) || crc32.ChecksumIEEE(b[8:]) != binary.BigEndian.Uint32(b[4:]) {
		return note{}, fmt.Errorf("soak: %d bytes with a wrong checksum", len(b))
	}
	return note{
		Scenario: int(binary.BigEndian.Uint32(b[8:])),
		stream: stream{
			From: key{int(binary.BigEndian.Uint16(b[12:])), int(binary.BigEndian.Uint16(b[14:]))},
			Lane: int(binary.BigEndian.Uint32(b[16:])),
		},
		Seq: binary.BigEndian.Uint64(b[20:]),
		Ask: binary.BigEndian.Uint64(b[28:]),
	}, nil
}
