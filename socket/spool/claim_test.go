package spool_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodel-mq/yodel/socket/spool"
	"github.com/yodel-mq/yodel/socket/spool/internal/memfs"
)

// Who has claimed a cursor is the only one, and is told what the cursor loses, each message once.
func TestClaim(t *testing.T) {
	opts := spool.Options{MaxDeliveries: 2, MaxMessages: 5, Overflow: spool.DropOldest}
	virtually(t, memfs.Config{}, opts, func(b *bench) {
		var told []string
		lost := func(l spool.Loss) {
			for seq := l.Seqs.From; seq < l.Seqs.To; seq++ {
				told = append(told, fmt.Sprintf("%d %s", seq, l.Why))
			}
		}
		if nth, err := b.c.Claim(lost); err != nil || nth != 1 {
			b.Fatal(nth, err)
		}
		if _, err := b.c.Claim(nil); !errors.Is(err, spool.ErrInUse) {
			b.Errorf("a second claim says %v", err)
		}
		b.append("a", "b", "c", "d")
		if _, err := b.s.Append(b.Context(), spool.Message{
			Frames: [][]byte{[]byte("e")}, Expires: now().Add(time.Minute),
		}); err != nil {
			b.Fatal(err)
		}
		b.append("f") // a goes
		b.settle(2)
		if _, err := b.c.Next(b.Context(), 1, 0); err != nil {
			b.Fatal(err)
		}
		if err := b.c.Bury(b.Context(), 3, "no"); err != nil {
			b.Fatal(err)
		}
		if n, err := b.s.Purge(b.Context(), spool.Filter{To: 5}); err != nil || n.Messages != 1 {
			b.Fatal(n, err)
		}
		time.Sleep(time.Hour)
		b.want("left", b.got(b.c), "f")
		b.c.Return(6, 0, errors.New("no"))
		b.want("again", b.got(b.c), "f")
		b.c.Return(6, 0, errors.New("no"))
		synctest.Wait()
		b.want("told", strings.Join(told, ", "), "1 dropped, 3 buried, 4 purged, 5 expired, 6 buried")
		b.c.Unclaim()
		if nth, err := b.c.Claim(nil); err != nil || nth != 2 {
			b.Error(nth, err)
		}
		if n := b.c.Lag(); n.Messages != 0 {
			b.Errorf("lag %v", n)
		}
		if above := b.c.Above(5); len(above) != 0 {
			b.Errorf("above %v", above)
		}
	})
}
