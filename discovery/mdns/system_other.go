//go:build !linux

package mdns

import (
	"context"
	"net"
)

// listenGroup opens a socket that shares port 5353: package net sets what that takes for a group's address.
func listenGroup(i *net.Interface, f family) (*net.UDPConn, error) {
	name := "udp4"
	if f == 6 {
		name = "udp6"
	}
	var lc net.ListenConfig
	c, err := lc.ListenPacket(context.Background(), name, group(i, f).String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}
