//go:build !linux

package transport

var _ FarInspector = (*tcpConn)(nil)

// farEnd knows nothing: only Linux tells.
type farEnd struct{}

// FarOpen implements [FarInspector].
func (farEnd) FarOpen() (open, known bool) { return false, false }

// Harmless implements [FarInspector].
func (farEnd) Harmless() bool { return false }
