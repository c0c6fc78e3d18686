package transport

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

var (
	_ Inspector = (*tcpConn)(nil)
	_ Inspector = (*ipcConn)(nil)
)

// inspected is what Inspect remembers of a TCP connection.
type inspected struct {
	widest atomic.Uint32 // window that the peer's host has offered, as far as seen
}

// States of a TCP connection, from the kernel's include/net/tcp_states.h.
const (
	tcpFinWait2 = 5
	tcpTimeWait = 6
	tcpClose    = 7
)

// firstLook remembers what the peer's host offers of a connection that has carried nothing.
func (c *tcpConn) firstLook() { c.Inspect() }

// Inspect implements [Inspector] from TCP_INFO.
func (c *tcpConn) Inspect() (s ConnState, ok bool) {
	ok = c.control(func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		s.Unanswered = int(max(info.Retransmits, info.Probes))
		if s.Unacknowledged, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ); err != nil {
			return err
		}
		// What a process has not read takes its share of the window that its host offers.
		widest := max(c.widest.Load(), info.Snd_wnd)
		c.widest.Store(widest)
		s.Untaken = s.Unacknowledged + clue(int(widest-info.Snd_wnd))
		err = s.look(fd)
		switch info.State {
		case tcpFinWait2, tcpTimeWait, tcpClose:
			s.Acknowledged = !s.Reset
		}
		return err
	})
	return s, ok
}

// ProbeWithin implements [Inspector] by TCP_RTO_MAX_MS, which Linux has since 6.15.
func (c *tcpConn) ProbeWithin(ms int) {
	const rtoMax, least, most = 44, 1000, 120_000
	c.control(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, rtoMax, min(max(ms, least), most))
	})
}

// Inspect implements [Inspector]. What was written to a Unix socket is in the peer's queue at once.
func (c *ipcConn) Inspect() (s ConnState, ok bool) {
	ok = c.control(func(fd int) error {
		n, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
		if err != nil {
			return err
		}
		s.Untaken, s.Waiting = clue(n), n
		err = s.look(fd)
		s.Acknowledged = !s.Reset
		return err
	})
	return s, ok
}

// clue is a number of bytes as the kernel counts them, each small write at some hundred bytes more than it has: a few
// of those are none.
func clue(n int) int {
	const noise = 16 << 10
	if n < noise {
		return 0
	}
	return n
}

// ProbeWithin implements [Inspector]: there is nothing to probe.
func (c *ipcConn) ProbeWithin(int) {}

// look finds out what poll and FIONREAD tell of any socket.
func (s *ConnState) look(fd int) error {
	var err error
	if s.Ended, s.Reset, err = pollEnd(fd); err != nil {
		return err
	}
	s.Unread, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
	return err
}

// Ended implements [Inspector].
func (w *rawWriter) Ended() (ended, reset bool) {
	w.control(func(fd int) (err error) {
		ended, reset, err = pollEnd(fd)
		return err
	})
	return ended, reset
}

// pollEnd tells an end of stream from a reset. A reset leaves an error in the socket for the next read or write; poll
// reports it and does not consume it.
func pollEnd(fd int) (ended, reset bool, err error) {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for {
		_, err := unix.Poll(fds[:], 0)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return false, false, err
		}
	}
	got := fds[0].Revents
	return got&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0, got&unix.POLLERR != 0, nil
}

// control runs f on the descriptor and reports whether it could.
func (w *rawWriter) control(f func(fd int) error) bool {
	var failed error
	err := w.raw.Control(func(fd uintptr) { failed = f(int(fd)) })
	return err == nil && failed == nil
}
