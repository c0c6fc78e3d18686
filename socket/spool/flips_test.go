package spool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

var flipEvery = setting("SPOOL_FLIP_EVERY", 97) // of how many bytes of a log one is changed

// A flipped log is a small log of which one bit is wrong.
type flipped struct {
	fs   *memfs.FS
	want map[uint64]uint64 // by seq, which message
	gone map[uint64]bool   // settled
	last uint64            // the seq of the last commit
}

// buried is the message of smallLog that is a dead letter of one cursor, which may be lost, and waits for the other.
const buried = 89

// smallLog makes a log of several segments, with a subscription, a value, a dead letter and settled messages.
func smallLog(ctx context.Context) (*flipped, error) {
	l := &flipped{fs: memfs.New(memfs.Config{}), want: make(map[uint64]uint64), gone: make(map[uint64]bool)}
	s, err := openFor(l.fs, 1, 0, nil)
	if err != nil {
		return nil, err
	}
	c, err := s.Cursor("", spool.CursorOptions{})
	if err == nil {
		_, err = s.Cursor("durable", spool.CursorOptions{Start: spool.Start{At: spool.Earliest}})
	}
	x := s.Begin()
	if err == nil {
		err = x.Set("key", []byte("value"))
	}
	if err == nil {
		_, err = x.Commit(ctx)
	}
	for id := uint64(1); err == nil && id <= 90; id++ {
		m := content(id)
		if m.Frames[0] = m.Frames[0][:min(len(m.Frames[0]), 600)]; len(m.Frames) > 1 {
			m.Frames = m.Frames[:1]
		}
		l.last, err = s.Append(ctx, m)
		l.want[l.last] = id
		if id%9 == 0 {
			for _, seq := range []uint64{id, id / 2} {
				c.Settle(spool.Range{From: seq, To: seq + 1})
				l.gone[seq] = true
			}
		}
	}
	if err == nil {
		err = c.Bury(ctx, buried, "for a test")
		l.gone[buried] = true
	}
	if err == nil {
		l.last, err = s.Append(ctx, content(91))
		l.want[l.last] = 91
	}
	if e := s.Close(); err == nil {
		err = e
	}
	return l, err
}

// prefix reports whether a message is as smallLog has appended it.
func (l *flipped) prefix(m *spool.Message) bool {
	want := content(l.want[m.Seq])
	return len(m.Frames) > 0 && len(m.Frames[0]) > 0 && len(m.Frames[0]) <= len(want.Frames[0]) &&
		string(want.Frames[0][:len(m.Frames[0])]) == string(m.Frames[0])
}

// open opens the log after it was hurt, and says what is wrong and how many messages are reported as lost.
func (l *flipped) open(ctx context.Context, hurt func(*memfs.FS)) (lost int, err error) {
	fs := l.fs.Cut(memfs.Synced, 1)
	hurt(fs)
	reported, damaged := make(map[uint64]int), false
	defer func() { lost = len(reported) }()
	s, err := openFor(fs, 2, 0, func(e spool.Event) {
		if e.Kind == spool.Damaged {
			damaged = true
			for seq := e.Seqs.From; seq < e.Seqs.To; seq++ {
				reported[seq]++
			}
		}
	})
	if err != nil {
		return 0, fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	if n := len(s.Stats().Cursors); n != 2 {
		return 0, fmt.Errorf("%d cursors are there", n)
	}
	if v, ok := s.Value("key"); !ok || string(v) != "value" {
		return 0, fmt.Errorf("the value is %q", v)
	}
	for _, name := range []string{"", "durable"} {
		c, err := s.Cursor(name, spool.CursorOptions{})
		if err != nil {
			return 0, err
		}
		ms, err := drain(ctx, c)
		if err != nil {
			return 0, err
		}
		synctest.Wait()
		got := make(map[uint64]bool)
		for i := range ms {
			got[ms[i].Seq] = true
			switch {
			case !l.prefix(&ms[i]):
				return 0, fmt.Errorf("seq %d is not as it was appended", ms[i].Seq)
			case name == "" && l.gone[ms[i].Seq] && !damaged:
				return 0, fmt.Errorf("seq %d was settled and is handed out; no damage is reported", ms[i].Seq)
			case reported[ms[i].Seq] > 0 && ms[i].Seq != buried:
				return 0, fmt.Errorf("seq %d was reported and is handed out", ms[i].Seq)
			}
		}
		for seq := range l.want {
			wanted := (name != "" || !l.gone[seq]) && seq != l.last
			if wanted && !got[seq] && reported[seq] != 1 {
				return 0, fmt.Errorf("seq %d is missing and is reported %d times", seq, reported[seq])
			}
		}
	}
	return 0, nil
}

// One bit that is wrong costs one record at most, and the loss is told exactly; in the last commit it may cost that.
func TestOneBitCostsOneRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := smallLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(crashSeed, 4))
		n, cost, names := 0, 0, segments(l.fs)
		for _, name := range names {
			data, _ := l.fs.ReadFile(name)
			for at := rng.IntN(flipEvery); at < len(data); at += flipEvery {
				bit := byte(1) << rng.IntN(8)
				lost, err := l.open(t.Context(), func(fs *memfs.FS) { change(fs, name, at, 1, bit) })
				if err != nil || lost > 1 {
					t.Fatalf("%s, byte %d of %d, bit %#x: %d lost, %v", name, at, len(data), bit, lost, err)
				}
				n++
				cost += lost
			}
		}
		if len(names) < 3 {
			t.Errorf("there are %d segments only", len(names))
		}
		if cost < n/100 {
			t.Errorf("of %d bits %d have cost a message", n, cost)
		}
		t.Logf("%d bits in %d segments, %d have cost a message", n, len(names), cost)
	})
}

// change flips bits of a file, from at on.
func change(fs *memfs.FS, name string, at, n int, bits byte) {
	data, _ := fs.ReadFile(name)
	for i := at; i < min(at+n, len(data)); i++ {
		data[i] ^= bits
	}
	fs.WriteFile(name, data)
}

// Whatever is gone, a sector, a page, the rest of a segment or all of it, what is lost is told exactly, and nothing
// that is handed out is wrong.
func TestWhatIsLostIsToldExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := smallLog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		try := func(what string, hurt func(*memfs.FS)) {
			if _, err := l.open(t.Context(), hurt); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		names := segments(l.fs)
		for i, name := range names {
			data, _ := l.fs.ReadFile(name)
			newest := i == len(names)-1
			for _, size := range []int{512, 4096} {
				for at := 0; at < len(data); at += size {
					if newest && at+size > len(strings.TrimRight(string(data), "\x00"))-600 {
						break // the last commit, and maybe the one ahead of it: torn for all that can be told
					}
					clear := func(fs *memfs.FS) {
						b, _ := fs.ReadFile(name)
						copy(b[at:min(at+size, len(b))], make([]byte, size))
						fs.WriteFile(name, b)
					}
					try(fmt.Sprintf("%d zeros at %d of %s", size, at, name), clear)
					try(fmt.Sprintf("%d wrong at %d of %s", size, at, name), func(fs *memfs.FS) {
						change(fs, name, at, size, 0x55)
					})
				}
			}
			if newest {
				continue
			}
			for _, left := range []int{0, 100, 4096, 6000, len(data) / 2} {
				try(fmt.Sprintf("%s cut to %d", name, left), func(fs *memfs.FS) { fs.WriteFile(name, data[:left]) })
			}
			try(name+" gone", func(fs *memfs.FS) { _ = fs.Remove(name) })
		}
	})
}
