package transport

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

var (
	_ FarInspector = (*tcpConn)(nil)
	_ FarInspector = (*ipcConn)(nil)
)

// farEnd is what FarOpen remembers of a TCP connection: whether its far end was found on this host.
type farEnd struct{ found atomic.Int32 }

const (
	notLooked = iota
	onThisHost
	elsewhere
)

// FarOpen implements [FarInspector]. The kernel knows the far end if that is in the same network namespace.
func (c *tcpConn) FarOpen() (open, known bool) {
	if c.found.Load() == elsewhere {
		return false, false
	}
	near, ok := c.LocalAddr().(*net.TCPAddr)
	far, isTCP := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !isTCP {
		return false, false
	}
	open, known = held(far.AddrPort(), near.AddrPort())
	switch {
	case known:
		c.found.Store(onThisHost)
	case c.found.Load() == onThisHost:
		return false, true // nothing is left of it
	default:
		c.found.Store(elsewhere)
	}
	return open, known
}

// FarOpen implements [FarInspector]. The end of a Unix socket is seen at once, whatever has not been read.
func (c *ipcConn) FarOpen() (open, known bool) {
	ended, _ := c.Ended()
	return !ended, true
}

// Sizes and places in what sock_diag(7) takes and gives, from the kernel's include/uapi/linux/inet_diag.h.
const (
	netlinkHeader  = 16
	diagRequest    = netlinkHeader + 56
	diagID         = 4 // in the answer
	diagInode      = diagID + 48 + 16
	diagAnswer     = diagInode + 4
	tcpListen      = 10
	netlinkRequest = 1
)

// held asks the kernel whether it has the TCP socket with these addresses, and whether a process holds that.
func held(local, remote netip.AddrPort) (open, known bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return false, false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written that could be lost
	if unix.Sendto(fd, diagQuestion(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return false, false
	}
	var buf [512]byte
	n, _, err := unix.Recvfrom(fd, buf[:], unix.MSG_DONTWAIT) // the answer is there already
	if err != nil || n < netlinkHeader+diagAnswer || binary.NativeEndian.Uint16(buf[4:]) != unix.SOCK_DIAG_BY_FAMILY {
		return false, false
	}
	answer := buf[netlinkHeader:]
	if state := answer[1]; state == tcpListen || binary.BigEndian.Uint16(answer[diagID+2:]) != remote.Port() {
		return false, false // the kernel has looked for who would be connected to
	}
	return binary.NativeEndian.Uint32(answer[diagInode:]) != 0, true
}

// diagQuestion asks for one socket.
func diagQuestion(local, remote netip.AddrPort) []byte {
	l, r := local.Addr().Unmap(), remote.Addr().Unmap()
	family := byte(unix.AF_INET)
	if l.Is6() {
		family = unix.AF_INET6
	}
	b := make([]byte, diagRequest)
	binary.NativeEndian.PutUint32(b, diagRequest)
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], netlinkRequest)
	body := b[netlinkHeader:]
	body[0], body[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(body[4:], ^uint32(0)) // in any state
	id := body[8:]
	binary.BigEndian.PutUint16(id, local.Port())
	binary.BigEndian.PutUint16(id[2:], remote.Port())
	copy(id[4:], l.AsSlice())
	copy(id[20:], r.AsSlice())
	for i := range id[40:48] {
		id[40+i] = 0xff // no cookie
	}
	return b
}
