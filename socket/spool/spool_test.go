package spool_test

import (
	"fmt"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

func text(s string) spool.Message { return spool.Message{Frames: [][]byte{[]byte(s)}} }

func mustOpen(t *testing.T, fs spool.FS, opts spool.Options) *spool.Spool {
	t.Helper()
	opts.FS = fs
	s, err := spool.Open("mem", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestWhatWasAppendedIsThereAfterReopening(t *testing.T) {
	fs := memfs.New(memfs.Config{})
	ctx := t.Context()
	s := mustOpen(t, fs, spool.Options{SegmentBytes: 16 << 10})
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	for i := range n {
		seq, err := s.Append(ctx, text(fmt.Sprint("message ", i, string(make([]byte, 200)))))
		if err != nil || seq != uint64(i+1) {
			t.Fatal(seq, err)
		}
	}
	ms, err := c.Next(ctx, 100, 0)
	if err != nil || len(ms) != 100 {
		t.Fatal(len(ms), err)
	}
	c.Settle(spool.Range{From: 1, To: 51})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, fs, spool.Options{SegmentBytes: 16 << 10})
	if c, err = s.Cursor("", spool.CursorOptions{}); err != nil {
		t.Fatal(err)
	}
	want := uint64(51)
	for want <= n {
		ms, err := c.Next(ctx, 1000, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if m.Seq != want || string(m.Frames[0][:len(fmt.Sprint("message ", want-1))]) != fmt.Sprint("message ", want-1) {
				t.Fatalf("got %d %.20q, want %d", m.Seq, m.Frames[0], want)
			}
			want++
		}
	}
	if st := s.Stats(); st.Live.Messages != n-50 || st.Damaged.Messages != 0 {
		t.Errorf("%+v", st)
	}
}
