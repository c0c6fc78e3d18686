//go:build !linux

package transport

// farEnd is empty: there is no FarOpen on this system.
type farEnd struct{}
