package spool_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
)

// What an append costs until it is synced, and what it allocates.
func BenchmarkAppend(b *testing.B) {
	for _, appenders := range []int{1, 64} {
		for _, size := range []int{100, 1 << 10, 64 << 10} {
			b.Run(fmt.Sprintf("%d x %d", appenders, size), func(b *testing.B) {
				s, err := spool.Open(filepath.Join(b.TempDir(), "spool"), spool.Options{MaxBytes: -1})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				c, err := s.Cursor("", spool.CursorOptions{})
				if err != nil {
					b.Fatal(err)
				}
				body := incompressible(size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.SetParallelism(appenders)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						seq, err := s.Append(b.Context(), spool.Message{Frames: [][]byte{body}})
						if err != nil {
							b.Error(err)
							return
						}
						c.Settle(spool.Range{From: seq, To: seq + 1})
					}
				})
			})
		}
	}
}

// incompressible is a payload for measuring: what takes room in a store that compresses takes its room in a disk or a
// file system that does.
func incompressible(size int) []byte {
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(body)
	return body
}
