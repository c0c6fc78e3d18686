package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/yodel-mq/yodel/socket"
)

// A printRecord says which messages drain --durable is about to write, and that it has. What a process that was killed
// has written can be told from that: the record is done, or the text stands in the file that was standard output.
//
// The file begins with a byte that says what the rest is worth, so that a process that is killed leaves either the
// record before or the next one. It is for processes that are killed: that the machine may lose power is the spool's
// concern, and an output that was not synced is lost with it.
type printRecord struct {
	f *os.File
}

// The states of a record.
const (
	recordVoid  = 'X'
	recordBegun = 'I'
	recordDone  = 'D'
)

// A printRecordJSON is what follows the state.
type printRecordJSON struct {
	Before []socket.MessageID `json:"before"` // written before this batch
	Batch  []socket.MessageID `json:"batch"`
	Path   string             `json:"path"` // of standard output; "" if it is no file
	Offset int64              `json:"offset"`
	Text   []byte             `json:"text"`
}

func openPrintRecord(path string) (*printRecord, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, failf("%w", err)
	}
	return &printRecord{f: f}, nil
}

func (r *printRecord) close() { _ = r.f.Close() } // all of it was written

// begin records that text is about to be written, with which messages.
func (r *printRecord) begin(out io.Writer, before, batch []socket.MessageID, text []byte) error {
	j := printRecordJSON{Before: before, Batch: batch, Text: text}
	if f, size := regularFile(out); f != nil {
		j.Path, j.Offset = outputPath(f), size
	}
	line, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := r.set(recordVoid); err != nil {
		return err
	}
	if _, err := r.f.WriteAt(append(line, '\n'), 1); err != nil {
		return err
	}
	return r.set(recordBegun)
}

// end records that it was written.
func (r *printRecord) end() error { return r.set(recordDone) }

func (r *printRecord) set(state byte) error {
	_, err := r.f.WriteAt([]byte{state}, 0)
	return err
}

// recover returns which messages were printed by the process before this one, as far as the record knows. What it was
// just writing to the file that out still is, is written to its end.
func (r *printRecord) recover(out io.Writer) ([]socket.MessageID, error) {
	state := make([]byte, 1)
	if _, err := r.f.ReadAt(state, 0); err != nil || state[0] != recordBegun && state[0] != recordDone {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, failf("%w", err)
		}
		return nil, nil
	}
	var j printRecordJSON
	if err := json.NewDecoder(io.NewSectionReader(r.f, 1, 1<<40)).Decode(&j); err != nil {
		return nil, nil //nolint:nilerr // it is no record: nothing is known
	}
	if state[0] == recordDone {
		return append(j.Before, j.Batch...), nil
	}
	written := j.written()
	switch {
	case written == len(j.Text):
	case written > 0 && j.isFile(out):
		if _, err := out.Write(j.Text[written:]); err != nil {
			return nil, outputError(err)
		}
	default:
		return j.Before, nil
	}
	return append(j.Before, j.Batch...), r.end()
}

// written is how much of the text stands in the file where it was to go.
func (j *printRecordJSON) written() int {
	if j.Path == "" {
		return 0
	}
	f, err := os.Open(j.Path)
	if err != nil {
		return 0
	}
	defer f.Close() //nolint:errcheck // it was only read
	have := make([]byte, len(j.Text))
	n, err := f.ReadAt(have, j.Offset)
	if err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(have[:n], j.Text[:n]) {
		return 0
	}
	return n
}

// isFile reports whether out is the file that the text was to go to, and ends where it does.
func (j *printRecordJSON) isFile(out io.Writer) bool {
	f, _ := regularFile(out)
	return f != nil && outputPath(f) == j.Path
}

// regularFile is out if it is a file, with the position at which the next text goes there.
func regularFile(out io.Writer) (*os.File, int64) {
	f, ok := out.(*os.File)
	if !ok {
		return nil, 0
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0
	}
	if appends(f) {
		at = info.Size()
	}
	return f, at
}

// outputPath is where an open file can be found again; "" if that cannot be told.
func outputPath(f *os.File) string {
	if path := descriptorPath(f); path != "" {
		return path
	}
	if f != os.Stdout && filepath.IsAbs(f.Name()) {
		return f.Name()
	}
	return ""
}
