package mdns

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// listenGroup opens a socket that is bound to the group's own address, which package net does not do: on a wildcard
// address it would take unicast packets that are meant for the machine's mDNS daemon. Without the MULTICAST_ALL options
// Linux would also deliver what came in on other interfaces.
func listenGroup(i *net.Interface, f family) (*net.UDPConn, error) {
	domain, level, all := unix.AF_INET, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL
	var addr unix.Sockaddr = &unix.SockaddrInet4{Port: port, Addr: [4]byte(group4.IP.To4())}
	if f == 6 {
		domain, level, all = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL
		addr = &unix.SockaddrInet6{Port: port, Addr: [16]byte(group6.IP), ZoneId: uint32(i.Index)}
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "mdns")
	defer func() { _ = file.Close() }() // FilePacketConn takes a copy
	if f == 6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	_ = unix.SetsockoptInt(fd, level, all, 0) // for IPv6 since Linux 4.20; the index of each packet is checked anyway
	if err := unix.Bind(fd, addr); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	c, err := net.FilePacketConn(file)
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}
