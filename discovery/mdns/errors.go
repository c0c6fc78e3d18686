package mdns

import "errors"

// Errors that reach the user as the Err of a [discovery.Trouble] event, wrapped with what they are about.
var (
	// ErrPort says that UDP port 5353 cannot be had, most often because another program holds it for itself. Peers
	// are then found by asking every few seconds, and this node is not found by others until the port is free, which
	// is tried again once a second.
	ErrPort = errors.New("mdns: port 5353 cannot be had")
	// ErrNoInterface says that no network interface is up that can be used, not even loopback. One that appears later
	// is used then.
	ErrNoInterface = errors.New("mdns: no usable network interface")
)
