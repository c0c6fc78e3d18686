package patterns

import (
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// allocated returns how many bytes do allocates. Other goroutines allocate too, so it is done again if it was more than
// it should be.
func allocated(most uint64, do func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= most {
			break
		}
	}
	return least
}

// allowance is what decoding may allocate.
func allowance(data []byte) uint64 { return 200<<10 + 3000*uint64(len(data)) }
