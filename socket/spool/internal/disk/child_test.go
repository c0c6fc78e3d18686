package disk_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
)

func message(n int) spool.Message {
	return spool.Message{Frames: [][]byte{[]byte(strings.Repeat("m", n))}}
}

// commitChild appends so much that new segments are begun, and says so after each; then it settles all and says so, and
// waits until all segments but the newest are removed.
func commitChild(ctx context.Context, dir string) error {
	s, err := spool.Open(dir, spool.Options{SegmentBytes: 64 << 10})
	if err != nil {
		return err
	}
	say("opened")
	for i := range commits {
		if _, err := s.Append(ctx, message(4000)); err != nil {
			return err
		}
		say("ok %d", i)
	}
	c, err := s.Cursor("", spool.CursorOptions{})
	if err != nil {
		return err
	}
	say("cursor")
	if _, err := c.Next(ctx, commits, 0); err != nil {
		return err
	}
	c.Settle(spool.Range{From: 1, To: commits + 1})
	if err := s.Sync(ctx); err != nil {
		return err
	}
	say("settled")
	for { // the janitor removes what is settled
		if files, err := filepath.Glob(filepath.Join(dir, "*.seg")); err != nil || len(files) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		return err
	}
	say("closed")
	return nil
}

const commits = 40

// reopenChild opens what is there, and appends one message.
func reopenChild(ctx context.Context, dir string) error {
	s, err := spool.Open(dir, spool.Options{SegmentBytes: 64 << 10})
	if err != nil {
		return err
	}
	say("opened")
	_, err = s.Append(ctx, message(100))
	say("ok 0")
	return errors.Join(err, s.Close())
}

// manyChild appends 200 messages one by one and says how many were refused, and what happened meanwhile.
func manyChild(ctx context.Context, dir string) error {
	var mu sync.Mutex
	kinds := make(map[spool.EventKind]int)
	s, err := spool.Open(dir, spool.Options{Events: func(e spool.Event) {
		mu.Lock()
		defer mu.Unlock()
		kinds[e.Kind]++
	}})
	if err != nil {
		return err
	}
	refused := 0
	for i := range many {
		if _, err := s.Append(ctx, message(i)); err != nil {
			refused++
			say("refused %d: %v", i, err)
		}
	}
	err = s.Close()
	mu.Lock()
	defer mu.Unlock()
	say("refused %d, failing %d, healthy %d", refused, kinds[spool.Failing], kinds[spool.Healthy])
	return err
}

const many = 200

// fullChild fills the disk, and goes on: it reads, settles, appends again when there is room, and opens once more.
func fullChild(ctx context.Context, dir string) error {
	open := func() (*spool.Spool, *spool.Cursor, error) {
		s, err := spool.Open(dir, spool.Options{MaxBytes: -1, SegmentBytes: 1 << 20, Overflow: spool.Reject})
		if err != nil {
			return nil, nil, err
		}
		c, err := s.Cursor("", spool.CursorOptions{})
		return s, c, err
	}
	fill := func(s *spool.Spool) (n int, err error) {
		for {
			if _, err := s.Append(ctx, message(4000)); errors.Is(err, spool.ErrFull) {
				return n, nil
			} else if err != nil {
				return n, fmt.Errorf("append %d on a full disk: %w", n, err)
			}
			n++
		}
	}
	left := func(s *spool.Spool) (n int, err error) {
		for _, err := range s.Browse(ctx, 0) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	s, c, err := open()
	if err != nil {
		return err
	}
	stored, err := fill(s)
	if err != nil {
		return err
	}
	say("full after %d", stored)
	if n, err := left(s); err != nil || n != stored {
		return fmt.Errorf("of %d messages %d can be read on a full disk: %w", stored, n, err)
	}
	settled := 0
	for settled < stored/2 {
		ms, err := c.Next(ctx, 100, 0)
		if err != nil {
			return err
		}
		c.Settle(spool.Range{From: ms[0].Seq, To: ms[len(ms)-1].Seq + 1})
		settled += len(ms)
	}
	if err := s.Sync(ctx); err != nil {
		return fmt.Errorf("settling on a full disk: %w", err)
	}
	for again := 0; again < stored/4; { // the room comes back, without another Open
		n, err := fill(s)
		if err != nil {
			return err
		}
		again, stored = again+n, stored+n
		time.Sleep(10 * time.Millisecond)
	}
	say("room again")
	if n, err := fill(s); err != nil {
		return err
	} else {
		stored += n
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("close on a full disk: %w", err)
	}
	if s, _, err = open(); err != nil {
		return fmt.Errorf("open on a full disk: %w", err)
	}
	n, err := left(s)
	say("left %d of %d", n, stored-settled)
	return errors.Join(err, s.Close())
}

// growChild appends where no room can be reserved.
func growChild(ctx context.Context, dir string) error {
	s, err := spool.Open(dir, spool.Options{SegmentBytes: 64 << 10})
	if err != nil {
		return err
	}
	for range commits {
		if _, err := s.Append(ctx, message(4000)); err != nil {
			return err
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	v, err := spool.Inspect(dir)
	if err != nil {
		return err
	}
	r, err := v.Verify(ctx)
	say("%d messages, %d places damaged", r.Messages, len(r.Damage))
	return errors.Join(err, v.Close())
}

// flushChild appends when it is told to: a line of standard input has how many goroutines append, how often and how
// much. It says how many commits that took.
func flushChild(ctx context.Context, dir string) error {
	s, err := spool.Open(dir, spool.Options{})
	if err != nil {
		return err
	}
	say("opened")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var appenders, times, size int
		if _, err := fmt.Sscan(in.Text(), &appenders, &times, &size); err != nil {
			return err
		}
		before := s.Stats().Commits
		var wg sync.WaitGroup
		errs := make(chan error, appenders)
		for range appenders {
			wg.Go(func() {
				for range times {
					if _, err := s.Append(ctx, message(size)); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		select {
		case err := <-errs:
			return err
		default:
		}
		say("commits %d", s.Stats().Commits-before)
	}
	return s.Close()
}
