package spool_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

const maxBytes = 2 << 20

func TestOverflow(t *testing.T) {
	for _, test := range []struct {
		name     string
		overflow spool.Overflow
	}{{"block", spool.Block}, {"reject", spool.Reject}} {
		t.Run(test.name, func(t *testing.T) {
			opts := spool.Options{MaxBytes: maxBytes, SegmentBytes: maxBytes / 16, Overflow: test.overflow}
			virtually(t, memfs.Config{}, opts, func(b *bench) {
				n := b.fill()
				if st := b.s.Stats(); st.Files > maxBytes || n < maxBytes*7/10/1024 {
					b.Errorf("%d messages in %d of %d bytes", n, st.Files, st.MaxBytes)
				}
				if full := b.told(spool.Full); len(full) != 1 {
					b.Errorf("Full was told %d times", len(full))
				}
				ctx, cancel := context.WithTimeout(b.Context(), 3*time.Second)
				defer cancel()
				began := time.Now()
				_, err := b.s.Append(ctx, text(big("more", 1000)))
				switch {
				case test.overflow == spool.Reject:
					if !errors.Is(err, spool.ErrFull) || time.Since(began) > 100*time.Millisecond {
						b.Errorf("append says %v after %v", err, time.Since(began))
					}
				case !errors.Is(err, context.DeadlineExceeded):
					b.Errorf("append says %v", err)
				}
				// What is settled makes room, and who waits gets it.
				done := make(chan error, 1)
				go func() {
					_, err := b.s.Append(b.Context(), text(big("again", 1000)))
					done <- err
				}()
				synctest.Wait()
				if test.overflow == spool.Reject {
					if err := <-done; !errors.Is(err, spool.ErrFull) {
						b.Errorf("append says %v", err)
					}
				}
				b.c.Settle(spool.Range{From: 1, To: uint64(n / 2)})
				b.sync()
				if test.overflow == spool.Reject {
					go func() {
						_, err := b.s.Append(b.Context(), text(big("again", 1000)))
						done <- err
					}()
				}
				if err := <-done; err != nil {
					b.Errorf("with room append says %v", err)
				}
				if len(b.told(spool.Room)) != 1 {
					b.Error("Room was not told")
				}
			})
		})
	}
}

// TestSmallerThanTheLastSegment: where MaxBytes is less than the only segment takes there is room nevertheless once
// nobody needs what is in it, or at once if the oldest may go.
func TestSmallerThanTheLastSegment(t *testing.T) {
	for _, test := range []struct {
		name     string
		overflow spool.Overflow
	}{{"block", spool.Block}, {"reject", spool.Reject}, {"drop oldest", spool.DropOldest}} {
		t.Run(test.name, func(t *testing.T) {
			virtually(t, memfs.Config{}, spool.Options{SegmentBytes: maxBytes}, func(b *bench) {
				for range 500 {
					b.append(big("early", 1000))
				}
				b.opts.MaxBytes, b.opts.Overflow = maxBytes/4, test.overflow
				b.reopen()
				add := func(n int) (lost error) {
					for range n {
						ctx, cancel := context.WithTimeout(b.Context(), 3*time.Second)
						_, err := b.s.Append(ctx, text(big("late", 1000)))
						cancel()
						if err != nil {
							return err
						}
					}
					return nil
				}
				switch err := add(2000); {
				case test.overflow == spool.DropOldest:
					if st := b.s.Stats(); err != nil || st.Files > maxBytes {
						b.Errorf("append says %v, with %d bytes of files", err, st.Files)
					}
				case !errors.Is(err, spool.ErrFull) && !errors.Is(err, context.DeadlineExceeded):
					b.Errorf("append says %v", err)
				}
				b.c.Settle(spool.Range{From: 1, To: b.s.Stats().Next})
				b.sync()
				time.Sleep(2 * time.Second) // that it was full is forgotten after one
				if err := add(100); err != nil {
					b.Errorf("with nothing left append says %v", err)
				}
				if st := b.s.Stats(); st.Live.Messages != 100 || st.Files > maxBytes {
					b.Errorf("%d messages in %d bytes of files", st.Live.Messages, st.Files)
				}
			})
		})
	}
}

func TestDropOldestIsCounted(t *testing.T) {
	opts := spool.Options{MaxBytes: maxBytes, SegmentBytes: maxBytes / 16, Overflow: spool.DropOldest}
	virtually(t, memfs.Config{}, opts, func(b *bench) {
		const n = 5000
		for i := range n {
			b.append(big(fmt.Sprint(i), 1000))
		}
		st := b.s.Stats()
		if st.Live.Messages+st.Dropped.Messages != n || st.Dropped.Messages == 0 || st.Files > maxBytes {
			b.Errorf("%+v", st)
		}
		var told uint64
		for _, e := range b.told(spool.Dropped) {
			told += e.Count.Messages
		}
		if told != st.Dropped.Messages {
			b.Errorf("%d dropped, %d told", st.Dropped.Messages, told)
		}
		b.reopen()
		ms, err := drain(b.Context(), b.c)
		if err != nil || uint64(len(ms)) != st.Live.Messages || ms[0].Seq != st.First || ms[len(ms)-1].Seq != n {
			b.Errorf("%d messages, %v, want %+v", len(ms), err, st)
		}
	})
}

func TestMaxMessages(t *testing.T) {
	for _, overflow := range []spool.Overflow{spool.Block, spool.Reject, spool.DropOldest} {
		virtually(t, memfs.Config{}, spool.Options{MaxMessages: 3, Overflow: overflow}, func(b *bench) {
			b.append("a", "b", "c")
			_, err := b.s.TryAppend(text("d"))
			if overflow == spool.DropOldest {
				if err != nil || b.s.Stats().Dropped.Messages != 1 {
					b.Errorf("append says %v, %+v", err, b.s.Stats())
				}
				b.want("left", b.got(b.c), "b c d")
				return
			}
			if !errors.Is(err, spool.ErrFull) {
				b.Errorf("append says %v", err)
			}
			b.settle(2)
			b.append("e")
			b.want("left", b.got(b.c), "a c e")
		})
	}
}

func TestTooLarge(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{MaxBytes: maxBytes}, func(b *bench) {
		if _, err := b.s.Append(b.Context(), text(big("", maxBytes/2+1))); !errors.Is(err, spool.ErrTooLarge) {
			b.Errorf("append says %v", err)
		}
		b.append(big("as large as a quarter of the spool", maxBytes/4), "small")
		if ms, err := drain(b.Context(), b.c); err != nil || len(ms) != 2 || len(ms[0].Frames[0]) != maxBytes/4 {
			b.Errorf("%d messages, %v", len(ms), err)
		}
	})
}

// On a full disk appends fail with ErrFull; settling, reading and opening work, and make room.
func TestFullDisk(t *testing.T) {
	for _, grow := range []bool{false, true} { // can the file system reserve room?
		t.Run(fmt.Sprint("grow ", grow), func(t *testing.T) {
			config := memfs.Config{Capacity: 400 << 10, Grow: grow}
			virtually(t, config, spool.Options{Overflow: spool.Reject}, func(b *bench) {
				n := b.fill()
				if n < 200 {
					b.Errorf("%d messages in 400 KiB", n)
				}
				_, err := b.s.Append(b.Context(), text(big("more", 1000)))
				if !errors.Is(err, spool.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
					b.Errorf("append says %v", err)
				}
				// Nobody frees anything, but for one message now and then; each is durable.
				for seq := uint64(n); seq > uint64(n)-50; seq -= 2 {
					b.settle(seq)
					b.sync()
				}
				for range 20 {
					b.fs = b.fs.Cut(memfs.Kill, 1)
					b.s.Close()
					b.opts.FS = b.fs
					b.open()
				}
				ms, err := drain(b.Context(), b.c)
				if err != nil || len(ms) != n-25 {
					b.Fatalf("%d of %d messages, %v", len(ms), n-25, err)
				}
				b.c.Settle(spool.Range{From: 1, To: uint64(n/2) + 1})
				b.sync()
				b.append(big("again", 1000))
				if st := b.s.Stats(); st.Damaged.Messages > 0 {
					b.Errorf("%+v", st)
				}
			})
		})
	}
}

// A disk that fails for good: the error, then the messages that are there are handed out still.
func TestDeadDisk(t *testing.T) {
	virtually(t, memfs.Config{}, spool.Options{}, func(b *bench) {
		b.append("a", "b")
		b.fs.Fail(memfs.Fault{On: memfs.Changes, Nth: 1, Times: -1})
		if _, err := b.s.Append(b.Context(), text("c")); !errors.Is(err, spool.ErrUncertain) {
			b.Errorf("the first append says %v", err)
		}
		if _, err := b.s.Append(b.Context(), text("d")); err == nil || errors.Is(err, spool.ErrUncertain) {
			b.Errorf("the second append says %v", err) // it was never written
		}
		b.settle(1)
		b.want("handed out", b.got(b.c), "b")
		if b.s.Stats().Failing == nil {
			b.Error("Stats do not say that it fails")
		}
		b.fs.Heal()
		b.append("e")
		if b.s.Stats().Failing != nil || len(b.told(spool.Healthy)) != 1 || len(b.told(spool.Failing)) != 1 {
			b.Error("it is not healthy again, or was told more than once")
		}
		b.want("handed out then", b.got(b.c), "e")
		b.reopen()
		b.want("after opening it again", b.got(b.c), "b e")
	})
}

// A spare file that is gone, because the change of its name failed and was made nevertheless, leaves the disk full and
// no more than that.
func TestSpareIsGone(t *testing.T) {
	for seed := range uint64(8) {
		config := memfs.Config{Capacity: 400 << 10, Seed: seed}
		virtually(t, config, spool.Options{Overflow: spool.Reject}, func(b *bench) {
			n := b.fill()
			b.fs.Fail(memfs.Fault{On: memfs.Rename, Nth: 1}, memfs.Fault{On: memfs.Remove, Nth: 1, Times: 9})
			for i := range 100 { // more than the reserve has room for
				b.settle(uint64(n - 2*i))
				if err := b.s.Sync(b.Context()); err != nil && !errors.Is(err, spool.ErrFull) {
					b.Errorf("seed %d: sync says %v", seed, err)
				}
			}
		})
	}
}

// TestSyncWaitsForWhatWaitsForRoom: of what nobody waits for, Sync says nothing before it is on disk, also where it has
// no room yet. What makes room does not wait for it.
func TestSyncWaitsForWhatWaitsForRoom(t *testing.T) {
	opts := spool.Options{SyncEvery: 5 * time.Millisecond, MaxMessages: 2}
	virtually(t, memfs.Config{}, opts, func(b *bench) {
		b.append("one", "two")
		b.sync()
		for n := range uint64(3) { // in one commit with Sync, and when it is known that there is no room
			b.append("waits")
			brief, cancel := context.WithTimeout(b.Context(), time.Second)
			defer cancel()
			wantIs(b.T, "Sync", b.s.Sync(brief), context.DeadlineExceeded)
			if got := b.s.Stats().Live.Messages; got != 2 {
				b.Errorf("%d messages are there, not 2", got)
			}
			done := make(chan error, 1)
			go func() { done <- b.s.Sync(b.Context()) }()
			synctest.Wait()
			purged, err := b.s.Purge(b.Context(), spool.Filter{To: n + 2})
			if err != nil || purged.Messages != 1 {
				b.Errorf("purged are %d messages, %v", purged.Messages, err)
			}
			must(b.T, <-done)
			if got := b.s.Stats(); got.Live.Messages != 2 || got.First != n+2 {
				b.Errorf("%d messages are there, from %d on", got.Live.Messages, got.First)
			}
		}
	})
}

// TestMaxMessagesOfMany: of more messages at once than may wait, those that have room do not wait for the others, and
// the others have their turn.
func TestMaxMessagesOfMany(t *testing.T) {
	for _, later := range []time.Duration{0, 5 * time.Millisecond} {
		for _, overflow := range []spool.Overflow{spool.Block, spool.DropOldest} {
			t.Run(fmt.Sprintf("sync every %v, overflow %d", later, overflow), func(t *testing.T) {
				opts := spool.Options{MaxMessages: 3, SyncEvery: later, Overflow: overflow}
				virtually(t, memfs.Config{}, opts, func(b *bench) {
					for range 10 {
						go func() { _, _ = b.s.Append(b.Context(), text("one of ten")) }()
					}
					time.Sleep(time.Second)
					if n := b.s.Stats().Live.Messages; n != 3 {
						b.Fatalf("%d messages are there, not 3", n)
					}
					n := uint64(0)
					for want := uint64(10); overflow == spool.Block && n < want; {
						ms, err := b.c.Next(b.Context(), 10, 0)
						must(b.T, err)
						n += uint64(len(ms))
						b.c.Settle(spool.Range{From: ms[0].Seq, To: ms[len(ms)-1].Seq + 1})
						time.Sleep(time.Second)
					}
					if dropped := b.s.Stats().Dropped.Messages; overflow == spool.DropOldest && dropped != 7 {
						b.Errorf("%d were dropped, not 7", dropped)
					}
					x := b.s.Begin()
					for range 4 {
						must(b.T, x.Append(text("one of four")))
					}
					_, err := x.Commit(b.Context())
					wantIs(b.T, "a Tx of more than may wait", err, spool.ErrTooLarge)
				})
			})
		}
	}
}

// TestTryAppendNeverWaits: not under DropOldest either, where there is nothing left to drop.
func TestTryAppendNeverWaits(t *testing.T) {
	opts := spool.Options{Overflow: spool.DropOldest, DeadBytes: -1}
	virtually(t, memfs.Config{Capacity: 128 << 10}, opts, func(b *bench) {
		for n := 0; ; n++ {
			began := time.Now()
			seq, err := b.s.TryAppend(text(big("more", 3000)))
			if took := time.Since(began); took > 100*time.Millisecond {
				b.Fatalf("message %d took %v", n, took)
			}
			if errors.Is(err, spool.ErrFull) {
				return
			}
			must(b.T, err)
			if err := b.c.Bury(b.Context(), seq, "what is dead is not dropped"); err != nil && !errors.Is(err, spool.ErrFull) {
				b.Fatal(err)
			}
		}
	})
}
