package spool_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
)

// Beside an owner that appends, settles, begins new segments and removes old ones, a view sees neither damage nor what
// is not there.
func TestViewBesideABusyOwner(t *testing.T) {
	dir := t.TempDir()
	s, err := spool.Open(dir, spool.Options{SegmentBytes: 32 << 10})
	must(t, err)
	defer s.Close()
	c, err := s.Cursor("", spool.CursorOptions{})
	must(t, err)
	_, err = s.Append(t.Context(), text("1"))
	must(t, err)
	v, err := spool.Inspect(dir)
	must(t, err)
	defer v.Close()
	if pid, _, ok := v.Owner(); pid != os.Getpid() || !ok {
		t.Errorf("the owner is %d (%v), want this process, %d", pid, ok, os.Getpid())
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // append
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := s.Append(t.Context(), text(strings.Repeat("x", i*37%5000))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	wg.Go(func() { // settle
		for {
			ms, err := c.Next(t.Context(), 16, 0)
			if err != nil {
				return
			}
			c.Settle(spool.Range{From: ms[0].Seq, To: ms[len(ms)-1].Seq + 1})
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	last := uint64(0)
	for round := 0; round < 40 || last < 500; round++ {
		r, err := v.Verify(t.Context())
		must(t, err)
		if len(r.Damage) > 0 {
			t.Fatalf("damage that is none: %+v", r.Damage)
		}
		var seqs []uint64
		for e, err := range v.Browse(t.Context(), 0) {
			must(t, err)
			seqs = append(seqs, e.Seq)
		}
		if !slices.IsSorted(seqs) || len(slices.Compact(seqs)) != len(seqs) {
			t.Fatalf("the seqs are %v", seqs)
		}
		st, err := v.Stats()
		must(t, err)
		if st.Next < last || st.Damaged.Messages > 0 {
			t.Fatalf("the next seq was %d, and is %d; damaged: %d", last, st.Next, st.Damaged.Messages)
		}
		last = st.Next
	}
	close(stop)
	_, err = s.Append(t.Context(), text("so that Next returns"))
	must(t, err)
	wg.Wait()
	if own := s.Stats(); last < 500 || own.Segments > 10 {
		t.Errorf("it was not busy: the next seq is %d, there are %d segments", last, own.Segments)
	}
	must(t, s.Close())
	if pid, _, ok := v.Owner(); ok {
		t.Errorf("a spool that is closed is owned by %d", pid)
	}
}

// A second Open of this process is told as another process is.
func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s, err := spool.Open(dir, spool.Options{})
	must(t, err)
	defer s.Close()
	_, err = spool.Open(dir, spool.Options{})
	wantIs(t, "the second", err, spool.ErrInUse)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "pid") {
		t.Errorf("the error does not say what and who: %v", err)
	}
}
