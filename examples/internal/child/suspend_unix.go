//go:build unix

package child

import "syscall"

// CanSuspend: processes can be stopped and go on later.
const CanSuspend = true

// Suspend stops the process until Resume. Where CanSuspend is false it does nothing.
func (p *Process) Suspend() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) } // it may have ended

// Resume has a process go on.
func (p *Process) Resume() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }
