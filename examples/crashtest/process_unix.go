//go:build unix

package main

import "syscall"

// canSuspend: processes can be stopped and go on later.
const canSuspend = true

func (p *process) suspend() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) } // it may have ended
func (p *process) resume()  { _ = p.cmd.Process.Signal(syscall.SIGCONT) }
