//go:build linux || darwin

package cli

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watchReader polls f, in a goroutine unless the reader has gone already. The end of a pipe of our own ends the poll.
func watchReader(f *os.File, gone func()) (stop func()) {
	conn, err := f.SyscallConn()
	if err != nil {
		return func() {}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	look := func(timeout int) (over bool) {
		over = true
		_ = conn.Control(func(fd uintptr) { // which fails if f is closed; then there is nothing to watch
			var hungUp bool
			if over, hungUp = poll(int32(fd), int32(r.Fd()), timeout); hungUp {
				gone()
			}
		})
		return over
	}
	over := make(chan struct{})
	if look(0) {
		close(over)
	} else {
		go func() {
			defer close(over)
			look(-1)
		}()
	}
	return sync.OnceFunc(func() {
		_ = w.Close()
		<-over
		_ = r.Close()
	})
}

// pollBand is POLLRDBAND, which nothing here ever has. macOS tells nothing of a descriptor of which nothing is asked.
const pollBand = 0x80

// poll waits, for so many milliseconds, until the reader of out has gone or something happens to quit. It returns
// whether the watch is over, and whether the reader has gone.
func poll(out, quit int32, timeout int) (over, hungUp bool) {
	for {
		fds := []unix.PollFd{{Fd: out, Events: pollBand}, {Fd: quit, Events: unix.POLLIN}}
		n, err := unix.Poll(fds, timeout)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		// A pipe that cannot be watched has other events, or an error; that is the end of the watch, too.
		return n != 0, err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	}
}
