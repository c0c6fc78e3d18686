package fairness

import "syscall"

// YieldProcessor lets another thread that waits for this one's processor run first (sched_yield).
func YieldProcessor() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
