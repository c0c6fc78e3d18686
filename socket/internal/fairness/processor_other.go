//go:build !linux

package fairness

// YieldProcessor does nothing here: kernels other than Linux do not let a thread wait for milliseconds beside one
// that is busy.
func YieldProcessor() {}
