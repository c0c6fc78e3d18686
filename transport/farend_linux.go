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
	s, known := c.lookFar()
	return s.open, known
}

// Harmless implements [FarInspector]. A reset throws away what the far end's kernel has not sent yet. A process that
// has more to write is told that there is room once that is half of what waits (the kernel's sk_stream_is_writeable).
func (c *tcpConn) Harmless() bool {
	s, known := c.lookFar()
	return known && s.open && s.limit > 0 && s.queued > s.limit-min(s.limit, s.queued/2)
}

func (c *tcpConn) lookFar() (s farState, known bool) {
	if c.found.Load() == elsewhere {
		return s, false
	}
	near, ok := c.LocalAddr().(*net.TCPAddr)
	far, isTCP := c.RemoteAddr().(*net.TCPAddr)
	if !ok || !isTCP {
		return s, false
	}
	s, known = held(far.AddrPort(), near.AddrPort())
	switch {
	case known:
		c.found.Store(onThisHost)
	case c.found.Load() == onThisHost:
		return s, true // nothing is left of it
	default:
		c.found.Store(elsewhere)
	}
	return s, known
}

// FarOpen implements [FarInspector]. The end of a Unix socket is seen at once, whatever has not been read.
func (c *ipcConn) FarOpen() (open, known bool) {
	ended, _ := c.Ended()
	return !ended, true
}

// Harmless implements [FarInspector]. What was written to a Unix socket is in its reader's queue, and stays there.
func (c *ipcConn) Harmless() bool {
	ended, _ := c.Ended()
	return !ended
}

// A farState is what the kernel says of a far end on this host.
type farState struct {
	open          bool   // a process holds it
	queued, limit uint32 // bytes written that are to be acknowledged, as the kernel counts its memory, and how many may be
}

// Sizes and places in what sock_diag(7) takes and gives, from the kernel's include/uapi/linux/inet_diag.h.
const (
	netlinkHeader  = 16
	diagRequest    = netlinkHeader + 56
	diagID         = 4 // in the answer
	diagInode      = diagID + 48 + 16
	diagAnswer     = diagInode + 4
	diagMemory     = 7 // the attribute INET_DIAG_SKMEMINFO, numbers of 4 bytes each:
	memorySndbuf   = 4 * 3
	memoryQueued   = 4 * 5
	tcpListen      = 10
	netlinkRequest = 1
)

// held asks the kernel whether it has the TCP socket with these addresses, and whether a process holds that.
func held(local, remote netip.AddrPort) (s farState, known bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return s, false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written that could be lost
	if unix.Sendto(fd, diagQuestion(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return s, false
	}
	var buf [512]byte
	n, _, err := unix.Recvfrom(fd, buf[:], unix.MSG_DONTWAIT) // the answer is there already
	if err != nil || n < netlinkHeader+diagAnswer || binary.NativeEndian.Uint16(buf[4:]) != unix.SOCK_DIAG_BY_FAMILY {
		return s, false
	}
	answer := buf[netlinkHeader:]
	if state := answer[1]; state == tcpListen || binary.BigEndian.Uint16(answer[diagID+2:]) != remote.Port() {
		return s, false // the kernel has looked for who would be connected to
	}
	s.open = binary.NativeEndian.Uint32(answer[diagInode:]) != 0
	if m := attribute(buf[netlinkHeader+diagAnswer:n], diagMemory); len(m) >= memoryQueued+4 {
		s.limit = binary.NativeEndian.Uint32(m[memorySndbuf:])
		s.queued = binary.NativeEndian.Uint32(m[memoryQueued:])
	}
	return s, true
}

// attribute finds one among netlink's attributes; nil if it is not there.
func attribute(list []byte, kind uint16) []byte {
	const header = 4
	for len(list) >= header {
		length := int(binary.NativeEndian.Uint16(list))
		if length < header || length > len(list) {
			return nil
		}
		if binary.NativeEndian.Uint16(list[2:]) == kind {
			return list[header:length]
		}
		list = list[min(len(list), (length+3)&^3):]
	}
	return nil
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
	body[2] = 1 << (diagMemory - 1)
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
