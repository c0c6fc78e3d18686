//go:build !linux

package transport

// inspected is empty: there is no Inspect on this system.
type inspected struct{}

func (*inspected) firstLook() {}
