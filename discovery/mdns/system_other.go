//go:build !linux

package mdns

import (
	"context"
	"net"
)

// listenGroup opens a socket that shares port 5353: package net sets what that takes for a group's address.
func listenGroup(i *net.Interface, f family) (*net.UDPConn, error) {
	name, group := "udp4", *group4
	if f == 6 {
		name, group = "udp6", *group6
		group.Zone = i.Name
	}
	var lc net.ListenConfig
	c, err := lc.ListenPacket(context.Background(), name, group.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}
