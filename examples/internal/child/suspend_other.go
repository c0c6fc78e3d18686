//go:build !unix

package child

// CanSuspend: processes can be stopped and go on later.
const CanSuspend = false

// Suspend stops the process until Resume. Where CanSuspend is false it does nothing.
func (p *Process) Suspend() {}

// Resume has a process go on.
func (p *Process) Resume() {}
