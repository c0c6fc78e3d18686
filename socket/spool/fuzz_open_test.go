package spool_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// FuzzOpen opens a spool one of whose segments is anything: it opens, or says that the format is unknown, and what it
// hands out is what was appended.
func FuzzOpen(f *testing.F) {
	var l *flipped
	// A bubble needs a T; the seed corpus is made in one, and each run is one.
	f.Add(uint8(0), uint32(4096), []byte{1, 2, 3})
	f.Add(uint8(1), uint32(0), []byte("YSPOOL2\n"))
	f.Add(uint8(2), uint32(5000), make([]byte, 600))
	f.Add(uint8(9), uint32(100), []byte{})
	f.Fuzz(func(t *testing.T, which uint8, at uint32, with []byte) {
		synctest.Test(t, func(t *testing.T) {
			if l == nil {
				made, err := smallLog(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				l = made
			}
			fs := l.fs.Cut(memfs.Synced, 1)
			names := segments(fs)
			name := names[int(which)%len(names)]
			data, _ := fs.ReadFile(name)
			copy(data[int(at)%len(data):], with)
			if len(with) == 0 {
				data = data[:int(at)%len(data)]
			}
			fs.WriteFile(name, data)
			s, err := openFor(fs, 2, 0, nil)
			if errors.Is(err, spool.ErrFormat) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			c, err := s.Cursor("", spool.CursorOptions{})
			if err != nil {
				t.Fatal(err)
			}
			ms, err := drain(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ms {
				if !l.prefix(&ms[i]) {
					t.Fatalf("seq %d is not as it was appended", ms[i].Seq)
				}
			}
		})
	})
}
