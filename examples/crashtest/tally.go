package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A tally is the file in which one life of the sender writes down, for each lane, the last number for which Send has
// returned: a word each, written before the next message. What a process has written to a file survives its being
// killed. What Send has refused stands in another file, and was accepted otherwise.
type tally struct{ f *os.File }

func tallyPath(dir string, life uint32) string {
	return filepath.Join(dir, fmt.Sprintf("sent.%d", life))
}

func refusalPath(dir string, life uint32) string {
	return filepath.Join(dir, fmt.Sprintf("refused.%d", life))
}
func gatePath(dir string) string             { return filepath.Join(dir, "gate") }
func journalPath(dir string, who int) string { return filepath.Join(dir, fmt.Sprintf("got.%d", who)) }

// newTally makes the tally of a life.
func newTally(dir string, life uint32, lanes int) (*tally, error) {
	f, err := os.OpenFile(tallyPath(dir, life), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &tally{f}, f.Truncate(int64(8 * lanes))
}

// set: for this lane's messages up to n Send has returned.
func (t *tally) set(lane uint16, n uint64) error { return writeWord(t.f, int64(lane), n) }

func writeWord(f io.WriterAt, at int64, n uint64) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	_, err := f.WriteAt(b[:], 8*at)
	return err
}

// readTally returns the words of a life, none if it had not begun.
func readTally(dir string, life uint32) ([]uint64, error) {
	b, err := os.ReadFile(tallyPath(dir, life))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return words(b), nil
}

// words are those of which all bytes are there: of one that was just being written there may be less.
func words(b []byte) []uint64 {
	out := make([]uint64, 0, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		out = append(out, binary.LittleEndian.Uint64(b))
	}
	return out
}

// refuse writes down that Send has refused a message. The tally comes after.
func refuse(f io.Writer, n note) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(n.Lane))
	_, err := f.Write(binary.LittleEndian.AppendUint64(b, n.N))
	return err
}

// readRefusals returns what Send has refused in a life.
func readRefusals(dir string, life uint32) (map[note]bool, error) {
	b, err := os.ReadFile(refusalPath(dir, life))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out := make(map[note]bool)
	for ws := words(b); len(ws) >= 2; ws = ws[2:] {
		out[note{uint16(ws[0]), life, ws[1]}] = true
	}
	return out, nil
}
