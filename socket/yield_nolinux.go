//go:build !linux

package socket

// yieldProcessor does nothing here: kernels other than Linux do not let a thread wait for milliseconds beside one
// that is busy.
func yieldProcessor() {}
