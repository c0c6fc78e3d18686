package simnet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// trace runs a workload of several hosts with everything random switched on, and hashes what each reader saw and when.
func trace(t *testing.T, seed uint64) (hash string, stats Stats) {
	bubble(t, func(t *testing.T) {
		n := New(Config{
			Latency: 5 * time.Millisecond, Jitter: 20 * time.Millisecond, Bandwidth: 100_000, Window: 4096,
			Seed: seed, CutPerKiB: 0.02, MeanLife: 10 * time.Second,
		})
		start := time.Now()
		var mu sync.Mutex
		var log []string
		var wg sync.WaitGroup
		for i := range 4 {
			address := fmt.Sprintf("srv:%d", i+1)
			l, err := n.Listen(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					buf := make([]byte, 8<<10)
					for {
						k, err := c.Read(buf)
						mu.Lock()
						log = append(log, fmt.Sprint(time.Since(start), address, k, err))
						mu.Unlock()
						if err != nil {
							break
						}
					}
					c.Close()
				}
			})
			wg.Go(func() {
				for range 10 {
					c, err := n.Host(fmt.Sprint("host", i)).Dial(t.Context(), address)
					if err != nil {
						t.Error(err)
						break
					}
					for range 40 {
						if _, err := io.WriteString(c, strings.Repeat("x", 700)); err != nil {
							break
						}
						time.Sleep(3 * time.Millisecond)
					}
					c.Close()
				}
				l.Close()
			})
		}
		wg.Wait()
		// Readers at one instant may log in any order: what counts is what each saw when.
		slices.Sort(log)
		sum := sha256.Sum256([]byte(strings.Join(log, "\n")))
		hash, stats = hex.EncodeToString(sum[:]), n.Stats()
	})
	return hash, stats
}

func TestSeedDecidesEverything(t *testing.T) {
	first, stats := trace(t, 1)
	if stats.Cuts < 5 || stats.Cuts == stats.Connections {
		t.Fatalf("the workload should meet some cuts: %+v", stats)
	}
	for range 3 {
		if again, s := trace(t, 1); again != first || s != stats {
			t.Fatalf("same seed, other trace:\n%s %+v\n%s %+v", first, stats, again, s)
		}
	}
	if other, _ := trace(t, 2); other == first {
		t.Fatal("other seed, same trace")
	}
}
