//go:build !linux

package transport

import "net"

// unixProcess cannot tell here.
func unixProcess(*net.UnixConn) (p Process, ok bool) { return Process{}, false }
