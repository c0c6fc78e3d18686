package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/yodel-mq/yodel/socket/spool"
)

// A record is one line of a receiver's journal: a message that it got. It is written before the message is
// acknowledged.
type record struct {
	note
	Flags  byte
	Stream spool.ID // of the sender's spool, and the message's place in it: what the scenario "taken" goes by
	Seq    uint64
}

// The flags of a record.
const (
	redelivered = 1 << iota // the message said that it may have come before
	damaged                 // it was not what its note says, and the note is worth nothing
	born                    // no message: a life begins
	pending                 // of an answer: it came by Pending
	replied                 // of a request: its answer is safe
)

const recordSize = 48

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// layout: 0 crc32c of what follows | 4 flags | 5 zero | 6 lane | 8 life | 12 zero | 16 number | 24 stream | 40 seq
func (r *record) append(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, recordSize)...)
	p := b[at:]
	p[4] = r.Flags
	binary.LittleEndian.PutUint16(p[6:], r.Lane)
	binary.LittleEndian.PutUint32(p[8:], r.Life)
	binary.LittleEndian.PutUint64(p[16:], r.N)
	copy(p[24:40], r.Stream[:])
	binary.LittleEndian.PutUint64(p[40:], r.Seq)
	binary.LittleEndian.PutUint32(p, crc32.Checksum(p[4:], castagnoli))
	return b
}

// parse reads a record; it is false of bytes that are none.
func (r *record) parse(p []byte) bool {
	if binary.LittleEndian.Uint32(p) != crc32.Checksum(p[4:recordSize], castagnoli) {
		return false
	}
	r.Flags = p[4]
	r.note = note{
		binary.LittleEndian.Uint16(p[6:]), binary.LittleEndian.Uint32(p[8:]), binary.LittleEndian.Uint64(p[16:]),
	}
	copy(r.Stream[:], p[24:40])
	r.Seq = binary.LittleEndian.Uint64(p[40:])
	return true
}

// A journal is the file in which all lives of a receiver write down what they got.
type journal struct {
	f *os.File
	b []byte

	mu   sync.Mutex
	last *record // the last message that this life or an earlier one got, nil if none

	writing sync.Mutex
	count   int     // records of this life
	held    *record // see plant.go
}

// openJournal opens it for another life. Of the record that a killed process was just writing there may be less than
// all: it is cut off.
func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		size -= size % recordSize
		err = f.Truncate(size)
	}
	var p [recordSize]byte
	for ; err == nil && size > 0 && j.last == nil; size -= recordSize {
		if _, err = f.ReadAt(p[:], size-recordSize); err == nil {
			if r := new(record); r.parse(p[:]) && r.Flags&(born|damaged) == 0 {
				j.last = r
			}
		}
	}
	if err == nil {
		err = j.write(&record{Flags: born})
	}
	if err != nil {
		_ = f.Close() // the first error counts
		return nil, err
	}
	return j, nil
}

func (j *journal) write(r *record) error {
	j.b = r.append(j.b[:0])
	if _, err := j.f.Write(j.b); err != nil || r.Flags&(born|damaged) != 0 {
		return err
	}
	last := *r
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last = &last
	return nil
}

// Taken is the socket.Taker of the scenario "taken": what was written down was taken. Messages come in the order of
// their seqs, so that the last record says it all.
func (j *journal) Taken(stream spool.ID) (floor uint64, above []spool.Range, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last == nil || j.last.Stream != stream {
		return 0, nil, nil
	}
	return j.last.Seq + 1, nil, nil
}

// errJournal: a journal holds what is no record.
var errJournal = errors.New("crashtest: a journal is not whole")

// readJournal calls take with each record, in order. There may be no journal.
func readJournal(path string, take func(record)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // was only read
	in := bufio.NewReaderSize(f, 1<<20)
	p := make([]byte, recordSize)
	for {
		switch _, err := io.ReadFull(in, p); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
		var r record
		if !r.parse(p) {
			return errJournal
		}
		take(r)
	}
}
