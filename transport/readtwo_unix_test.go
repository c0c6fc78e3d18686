//go:build darwin || linux || openbsd

package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func TestReadTwo(t *testing.T) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) {
			t.Run("fills the first, then the second", func(t *testing.T) {
				for _, tt := range []struct {
					name, sent    string
					first, second string
				}{
					{"less than the first", "ab", "ab\x00", "\x00\x00"},
					{"the first", "abc", "abc", "\x00\x00"},
					{"some of the second", "abcd", "abc", "d\x00"},
					{"both", "abcde", "abc", "de"},
					{"more than both", "abcdefg", "abc", "de"},
				} {
					t.Run(tt.name, func(t *testing.T) {
						client, server := pair(t, s.tr, s.address)
						if _, err := client.Write([]byte(tt.sent)); err != nil {
							t.Fatal(err)
						}
						first, second := make([]byte, 3), make([]byte, 2)
						n, err := server.(TwoReader).ReadTwo(first, second)
						if want := min(5, len(tt.sent)); n != want || err != nil || string(first) != tt.first ||
							string(second) != tt.second {
							t.Errorf("got %d, %v, %q and %q", n, err, first, second)
						}
					})
				}
			})
			t.Run("waits", func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				got := make(chan int)
				go func() {
					n, _ := server.(TwoReader).ReadTwo(make([]byte, 3), make([]byte, 2))
					got <- n
				}()
				select {
				case n := <-got:
					t.Fatalf("read %d bytes of nothing", n)
				case <-time.After(10 * time.Millisecond):
				}
				if _, err := client.Write([]byte("abcd")); err != nil {
					t.Fatal(err)
				}
				if n := <-got; n != 4 {
					t.Errorf("read %d bytes", n)
				}
			})
			t.Run("allocates nothing", func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				sent, first, second := []byte("01234567"), make([]byte, 4), make([]byte, 4)
				if n := testing.AllocsPerRun(200, func() {
					if _, err := client.Write(sent); err != nil {
						t.Fatal(err)
					}
					if n, err := server.(TwoReader).ReadTwo(first, second); n != len(sent) || err != nil {
						t.Fatal(n, err)
					}
				}); n != 0 {
					t.Errorf("%v allocations", n)
				}
			})
			t.Run("the end", func(t *testing.T) {
				client, server := pair(t, s.tr, s.address)
				_ = client.Close()
				if n, err := server.(TwoReader).ReadTwo(make([]byte, 3), make([]byte, 2)); n != 0 || err != io.EOF {
					t.Errorf("got %d, %v", n, err)
				}
			})
			t.Run("past the deadline", func(t *testing.T) {
				_, server := pair(t, s.tr, s.address)
				go func() { _ = server.SetReadDeadline(time.Unix(1, 0)) }()
				if n, err := server.(TwoReader).ReadTwo(make([]byte, 3), make([]byte, 2)); n != 0 ||
					!errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got %d, %v", n, err)
				}
			})
			t.Run("while closing", func(t *testing.T) {
				_, server := pair(t, s.tr, s.address)
				var wg sync.WaitGroup
				wg.Go(func() {
					if n, err := server.(TwoReader).ReadTwo(make([]byte, 3), make([]byte, 2)); n != 0 ||
						!errors.Is(err, net.ErrClosed) {
						t.Errorf("got %d, %v", n, err)
					}
				})
				_ = server.Close()
				wg.Wait()
			})
		})
	}
}
