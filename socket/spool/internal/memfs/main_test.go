package memfs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"go.uber.org/goleak"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sector = 512

// images is how many seeds a test tries that looks for what chance can do.
const images = 400

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("the error is %v, want %v", err, want)
	}
}

// create makes a file whose name is durable.
func create(t *testing.T, m *memfs.FS, name string) spool.File {
	t.Helper()
	f, err := m.Create(name)
	must(t, err)
	must(t, m.SyncDir())
	return f
}

func write(t *testing.T, f spool.File, off int64, p []byte) {
	t.Helper()
	must(t, f.WriteVec([][]byte{p}, off))
}

// synced makes a file that is durable, name and all.
func synced(t *testing.T, m *memfs.FS, name string, p []byte) spool.File {
	t.Helper()
	f := create(t, m, name)
	write(t, f, 0, p)
	must(t, f.Sync())
	return f
}

// content returns what a file holds, or nil if there is none.
func content(t *testing.T, m *memfs.FS, name string) []byte {
	t.Helper()
	p, err := m.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	must(t, err)
	return p
}

func names(t *testing.T, m *memfs.FS) []string {
	t.Helper()
	all, err := m.List()
	must(t, err)
	return all
}

// fill returns n sectors full of c.
func fill(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n*sector) }

// letters names what each sector is full of, by the letter; "." is zeros, "?" anything else.
func letters(p []byte) string {
	var s []byte
	for len(p) > 0 {
		n := min(sector, len(p))
		c := p[0]
		switch {
		case !bytes.Equal(p[:n], bytes.Repeat([]byte{c}, n)):
			c = '?'
		case c == 0:
			c = '.'
		}
		s, p = append(s, c), p[n:]
	}
	return string(s)
}

// outcomes returns what check says of the images that many seeds give, and how often.
func outcomes(m *memfs.FS, p memfs.Policy, check func(*memfs.FS) string) map[string]int {
	seen := make(map[string]int)
	for seed := range uint64(images) {
		seen[check(m.Cut(p, seed))]++
	}
	return seen
}
