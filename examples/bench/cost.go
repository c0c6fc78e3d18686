package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

// A cost is what this process has used so far.
type cost struct {
	cpu     int64  // nanoseconds, user and system
	mallocs uint64 // heap objects
}

func spent() cost {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return cost{u.Utime.Nano() + u.Stime.Nano(), m.Mallocs}
}

// since is a report of what was used since then for so many messages.
func (c cost) since(messages int) report {
	now := spent()
	return report{CPU: now.cpu - c.cpu, Mallocs: int64(now.mallocs - c.mallocs), CPUMsgs: int64(messages)}
}

// memory returns the resident memory of this process in bytes, without garbage.
func memory() (int64, error) {
	runtime.GC() // twice: what a pool held back survives the first
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(b), &total, &resident); err != nil {
		return 0, fmt.Errorf("bench: /proc/self/statm: %w", err)
	}
	return resident * int64(os.Getpagesize()), nil
}
