package spool_test

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// TestPitfall has the mistakes that logs of this kind are known to have been built with, each by the shortest way to
// see it. Those of a protocol, and of measuring, are tested where these are.
func TestPitfall(t *testing.T) {
	for _, p := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a positions file beside the data", pitfallPositions},
		{"trusting what Open reads", func(t *testing.T) { mutantIsSeen(t, onlyInTheCache, 4) }},
		{"fsync returning 0 after it has failed once", pitfallSyncAgain},
		{"removing an unfinished file before its successor is durable", pitfallUnfinished},
		{"only a later batch proves that a bad one was synced", pitfallProof},
		{"numbers of files are reused after a failed birth", pitfallNumbers},
		{"state in memory that moved although its commit failed", func(t *testing.T) { mutantIsSeen(t, settleFails, 8) }},
		{"ENOSPC at making a segment is no failure of the newest one", pitfallNoSpace},
		{"preallocating too much at once", pitfallIdle},
		{"Open must not need space", pitfallOpenFull},
		{"pwritev with empty iovecs returns 0 for ever", pitfallEmpty},
		{"allocating without zeros does not save the second flush", pitfallZeros},
		{"a payload of zeros compresses, and figures lie", pitfallCompresses},
	} {
		t.Run(p.name, p.run)
	}
}

// mutantIsSeen runs a case without a mistake and with it.
func mutantIsSeen(t *testing.T, f func(context.Context, spool.Mutation) error, m spool.Mutation) {
	if err := bubble(t, f, 0); err != nil {
		t.Error(err)
	}
	if bubble(t, f, m) == nil {
		t.Error("the mistake is not seen")
	}
}

// All that is known is in the segments: nothing else is there that could disagree with them, or be lost alone.
func pitfallPositions(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		ctx := b.Context()
		b.append("settled", "dead", "left")
		b.settle(1)
		must(b.T, b.c.Bury(ctx, 2, "a reason"))
		_, err := b.s.Cursor("durable", spool.CursorOptions{})
		must(b.T, err)
		x := b.s.Begin()
		must(b.T, x.Set("key", []byte("value")))
		_, err = x.Commit(ctx)
		must(b.T, err)
		m := text("taken")
		m.Origin.Seq = 7
		must(b.T, b.s.Take(ctx, spool.Sender{Stream: spool.ID{1}, Epoch: 1}, 7, []spool.Message{m}, true))
		must(b.T, b.s.Close())
		b.fs = b.fs.Cut(memfs.Synced, 1)
		names, err := b.fs.List()
		must(b.T, err)
		for _, name := range names {
			switch {
			case strings.HasSuffix(name, ".seg"):
			case name == "spare": // it holds nothing
				must(b.T, b.fs.Remove(name))
			default:
				b.Errorf("there is %s", name)
			}
		}
		b.opts.FS = b.fs
		b.open()
		b.want("left", b.got(b.c), "left taken")
		floor, _, known := b.s.Taken(spool.ID{1})
		if v, ok := b.s.Value("key"); string(v) != "value" || !ok || len(b.dead()) != 1 || !known || floor != 8 ||
			len(b.s.Stats().Cursors) != 2 {
			b.Errorf("value %q, dead %v, taken %v %v, %+v", v, b.dead(), floor, known, b.s.Stats())
		}
	})
}

// A file whose sync has failed is left alone: neither written to nor synced again.
func pitfallSyncAgain(t *testing.T) {
	mutantIsSeen(t, noSegmentAfterFailure, 13)
	virtually(t, memfs.Config{Trace: true}, spool.Options{}, func(b *bench) {
		b.append("a")
		synctest.Wait()
		failed := segments(b.fs)[0]
		b.fs.Fail(memfs.Fault{On: memfs.Sync, Nth: 1})
		from := len(b.fs.Trace())
		b.append("b", "c")
		b.settle(1)
		b.sync()
		b.c.Settle(spool.Range{From: 1, To: 3})
		b.sync()
		hits := 0
		for _, op := range b.fs.Trace()[from:] {
			if op.Name != failed {
				continue
			}
			switch {
			case op.Kind == memfs.Sync && op.Err != nil:
				hits++
			case hits > 0 && op.Kind&memfs.Changes&^memfs.Remove != 0:
				b.Errorf("after its sync has failed: %v", op)
			}
		}
		if hits != 1 {
			b.Errorf("%d syncs have failed", hits)
		}
	})
}

// A process dies while a segment is born, and the next one, at any operation, while it makes that good.
func pitfallUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		fs := memfs.New(memfs.Config{})
		s, err := openFor(fs, 1, 0, nil)
		must(t, err)
		x := s.Begin()
		must(t, x.Set("key", []byte("value")))
		_, err = x.Commit(ctx)
		must(t, err)
		c, err := s.Cursor("", spool.CursorOptions{})
		must(t, err)
		must(t, appendAll(ctx, s, "settled", "left"))
		c.Settle(spool.Range{From: 1, To: 2})
		must(t, s.Sync(ctx))
		synctest.Wait()
		var images []*memfs.FS
		births, during := 0, false
		fs.OnChange(func(op memfs.Op) {
			if op.Kind == memfs.Create {
				births, during = births+1, true
			}
			if during && births <= 2 {
				for _, p := range memfs.Policies {
					images = append(images, fs.Cut(p, uint64(len(images))))
				}
			}
			during = during && op.Kind != memfs.SyncDir
		})
		want := "left"
		wants := make(map[int]string) // by how many images there were
		for births < 3 {
			wants[len(images)] = want
			m := big(fmt.Sprint("m", len(want)), 3000)
			must(t, appendAll(ctx, s, m))
			want += " " + m
		}
		fs.OnChange(nil)
		must(t, s.Close())
		check := func(fs *memfs.FS, want string) error {
			s, err := openFor(fs, 3, 0, nil)
			if err != nil {
				return err
			}
			defer s.Close()
			got, err := holds(ctx, s)
			if v, _ := s.Value("key"); err == nil && (string(v) != "value" || !strings.HasPrefix(got, want)) {
				err = fmt.Errorf("the value is %q, there are %d bytes of %d", v, len(got), len(want))
			}
			return err
		}
		tried := 0
		for i, image := range images {
			want := ""
			for n, w := range wants {
				if n <= i && len(w) > len(want) {
					want = w
				}
			}
			for stop, stopped := 1, true; stopped; stop++ {
				fs := image.Cut(memfs.Kill, uint64(i))
				fs.StopAt(stop)
				if s, err := openFor(fs, 2, 0, nil); err == nil {
					synctest.Wait()
					_ = s.Close()
				}
				stopped = fs.Stopped()
				for _, p := range memfs.Policies {
					tried++
					if err := check(fs.Cut(p, uint64(stop)), want); err != nil {
						t.Fatalf("image %d of %d, Open stopped at %d, %v: %v", i, len(images), stop, p, err)
					}
				}
			}
		}
		t.Logf("%d images of a birth, %d of an Open that follows", len(images), tried)
		if len(images) < 40 || tried < 1000 {
			t.Error("that is not enough")
		}
	})
}

// A bad batch is damage if a good one stands behind it, and else a commit that came to no end; whatever its header
// says, the search goes on behind it.
func pitfallProof(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		const n = 20
		name := b.kept(n)
		intact := b.fs
		files := segments(intact)
		file := files[len(files)-1]
		data, _ := intact.ReadFile(file)
		batch := func(seq uint64) int {
			at := strings.Index(string(data), name(seq)) - aheadOfText
			if at < 4096 || at%8 != 0 {
				b.Fatalf("batch %d begins at %d", seq, at)
			}
			return at
		}
		open := func(at int, change []byte) {
			b.fs = intact.Cut(memfs.Synced, 1)
			b.opts.FS = b.fs
			b.fs.WriteFile(file, append(append(append([]byte(nil), data[:at]...), change...), data[at+len(change):]...))
			b.forget()
			b.open()
		}
		// In the middle: each byte of its header, and sizes that lead nowhere or back to itself.
		at := batch(n - 10)
		for off := range 40 {
			open(at+off, []byte{data[at+off] ^ 0x41})
			if lost := b.toldExactly(n); lost > 1 {
				b.Errorf("byte %d of a header costs %d messages", off, lost)
			}
			b.quiet(spool.Torn)
			must(b.T, b.s.Close())
		}
		for _, size := range []byte{0, 8, 40, 0xff} {
			open(at+4, bytes.Repeat([]byte{size}, 4))
			b.toldExactly(n)
			must(b.T, b.s.Close())
		}
		// At the end, of which nobody was told: all of the commit is cleared but for its header.
		last := batch(n)
		open(last+40, make([]byte, len(data)-last-40))
		b.quiet(spool.Damaged)
		if es := b.told(spool.Torn); len(es) != 1 {
			b.Errorf("told as torn: %v", es)
		}
		if got := len(b.got(b.c)); got != (n-1)*301-1 {
			b.Errorf("%d bytes are left", got)
		}
	})
}

func pitfallNumbers(t *testing.T) {
	mutantIsSeen(t, blocksOfAnotherFile, 12)
	virtually(t, memfs.Config{Trace: true}, spool.Options{}, func(b *bench) {
		b.append("a")
		synctest.Wait()
		b.fs.Fail(memfs.Fault{On: memfs.Sync, Nth: 1, Times: 2}) // of the commit, and of the file that is to replace it
		b.append("b")
		made := make(map[string]int) // how often each name
		numbers := make(map[string]int)
		for _, op := range b.fs.Trace() {
			if op.Kind == memfs.Create && strings.HasSuffix(op.Name, ".seg") {
				made[op.Name]++
				numbers[op.Name[:16]]++
			}
		}
		if len(made) != 3 || len(numbers) != 2 {
			b.Errorf("made were %v; want the first segment, and two with the next number", made)
		}
		b.cut(memfs.Kill, 1)
		b.want("left", b.got(b.c), "a b")
	})
}

func pitfallNoSpace(t *testing.T) {
	config := memfs.Config{Capacity: 400 << 10, Trace: true}
	virtually(t, config, spool.Options{Overflow: spool.Reject}, func(b *bench) {
		n := uint64(b.fill())
		before := segments(b.fs)
		newest := before[len(before)-1]
		from := len(b.fs.Trace())
		_, err := b.s.Append(b.Context(), text(big("more", 1000)))
		wantIs(b.T, "Append", err, spool.ErrFull)
		if errors.Is(err, spool.ErrUncertain) || b.s.Stats().Failing != nil {
			b.Errorf("it counts as a failure: %v, %v", err, b.s.Stats().Failing)
		}
		b.quiet(spool.Failing)
		b.settle(n)
		b.sync()
		written := 0
		for _, op := range b.fs.Trace()[from:] {
			if op.Kind == memfs.Write && op.Name == newest && op.Err == nil {
				written++
			}
		}
		if written == 0 {
			b.Errorf("the newest segment, %s, is not written to any more: there are %v", newest, segments(b.fs))
		}
	})
}

func pitfallIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := memfs.New(memfs.Config{})
		s, err := spool.OpenEnv("mem", spool.Options{FS: fs}, now, locked(1), 0)
		must(t, err)
		_, err = s.Append(t.Context(), text("a"))
		must(t, err)
		time.Sleep(time.Hour)
		synctest.Wait()
		if used := fs.Used(); used > 12<<20/10 {
			t.Errorf("an idle spool takes %d bytes", used)
		}
		must(t, s.Close())
	})
}

func pitfallOpenFull(t *testing.T) {
	config := memfs.Config{Capacity: 400 << 10}
	virtually(t, config, spool.Options{Overflow: spool.Reject}, func(b *bench) {
		n := b.fill()
		f, err := b.fs.Create("of somebody else")
		must(b.T, err)
		size := int64(0)
		for step := config.Capacity; step >= 512; step /= 2 {
			if f.Allocate(size+step) == nil {
				size += step
			}
		}
		must(b.T, f.Close())
		if left := config.Capacity - b.fs.Used(); left >= 4096 {
			b.Fatalf("%d bytes are free", left)
		}
		used := b.fs.Used()
		for range 10 {
			b.cut(memfs.Kill, 1)
			if got := b.fs.Used(); got > used {
				b.Errorf("%d bytes are taken, %d were before Open", got, used)
			}
		}
		if ms, err := drain(b.Context(), b.c); err != nil || len(ms) != n {
			b.Errorf("%d of %d messages, %v", len(ms), n, err)
		}
	})
}

// Messages with empty frames, large ones between them, go to a real file.
func pitfallEmpty(t *testing.T) {
	s, err := spool.Open(t.TempDir(), spool.Options{})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	large := bytes.Repeat([]byte{7}, 20<<10)
	messages := [][][]byte{{{}}, {nil, {}, nil}, {{}, large, {}, large, nil}, {large}, {{}, {}}}
	for _, frames := range messages {
		if _, err := s.Append(ctx, spool.Message{Frames: frames}); err != nil {
			t.Fatal(err) // and not Close, which would wait for the write
		}
	}
	c, err := s.Cursor("", spool.CursorOptions{})
	must(t, err)
	ms, err := c.Next(ctx, 100, 0)
	must(t, err)
	for i, m := range ms {
		if len(m.Frames) != len(messages[i]) {
			t.Errorf("message %d has %d frames", i, len(m.Frames))
			continue
		}
		for j, f := range m.Frames {
			if !bytes.Equal(f, messages[i][j]) {
				t.Errorf("frame %d of message %d has %d bytes", j, i, len(f))
			}
		}
	}
	if len(ms) != len(messages) {
		t.Errorf("%d messages", len(ms))
	}
	must(t, s.Close())
}

// Of a thousand commits only a few write where nothing was written before, and these go far ahead, in the same write.
func pitfallZeros(t *testing.T) {
	opts := spool.Options{SegmentBytes: 8 << 20}
	virtually(t, memfs.Config{Trace: true}, opts, func(b *bench) {
		b.append(strings.Repeat("l", 1<<20)) // the next segment has 2 MiB
		synctest.Wait()
		from := len(b.fs.Trace())
		const n = 1000
		for range n {
			b.append(big("m", 1000))
		}
		covered := make(map[string]int64)
		writes, further := 0, 0
		for _, op := range b.fs.Trace() {
			if op.Kind == memfs.Write {
				end := op.Off + op.Len
				if old, ok := covered[op.Name]; ok && end > old {
					further++
					if end-old < 512<<10 {
						b.Logf("%v goes on by %d only", op, end-old)
					}
				}
				covered[op.Name] = max(covered[op.Name], end)
			}
		}
		for _, op := range b.fs.Trace()[from:] {
			if op.Kind == memfs.Write {
				writes++
			}
		}
		if further > 8 || writes < n || writes > n+8 {
			b.Errorf("of %d writes for %d commits %d go further than those before", writes, n, further)
		}
	})
}

// What is measured with does not get smaller, wherever something compresses; nor does the store make a difference.
func pitfallCompresses(t *testing.T) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestCompression)
		must(t, err)
		_, err = w.Write(incompressible(size))
		must(t, err)
		must(t, w.Close())
		if b.Len() < size {
			t.Errorf("%d bytes compress to %d", size, b.Len())
		}
	}
	written := func(body []byte) (n int64) {
		virtually(t, memfs.Config{Trace: true}, spool.Options{SegmentBytes: 1 << 20}, func(b *bench) {
			for range 100 {
				_, err := b.s.Append(b.Context(), spool.Message{Frames: [][]byte{body}})
				must(b.T, err)
			}
			for _, op := range b.fs.Trace() {
				if op.Kind == memfs.Write {
					n += op.Len
				}
			}
		})
		return n
	}
	if zeros, random := written(make([]byte, 4<<10)), written(incompressible(4<<10)); zeros != random || zeros < 400<<10 {
		t.Errorf("%d bytes are written of zeros, %d of random bytes", zeros, random)
	}
}
