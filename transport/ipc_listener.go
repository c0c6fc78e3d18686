package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"
)

// fileCheck is how often Accept looks whether the socket file is still there.
const fileCheck = 2 * time.Second

// ipcListener owns a listening socket and, unless abstract, its file.
type ipcListener struct {
	ipc     *IPC
	address string // what a peer dials
	path    string // absolute path of the file; "" if abstract
	dir     string // private directory to remove too; "" if none
	check   time.Duration

	mu     sync.Mutex
	ln     *net.UnixListener // another one once the file had to be made again
	file   fs.FileInfo       // the file as it was made, to know it again
	lost   bool              // the path is not ours, which Accept has told
	closed bool
}

func newIPCListener(ln *net.UnixListener, address, path string, file fs.FileInfo) *ipcListener {
	ln.SetUnlinkOnClose(false) // it would remove whatever is there
	return &ipcListener{ln: ln, address: address, path: path, file: file, check: fileCheck}
}

func (l *ipcListener) Address() string { return l.address }

func (l *ipcListener) Accept() (net.Conn, error) {
	for {
		l.mu.Lock()
		ln := l.ln
		l.mu.Unlock()
		if l.path != "" {
			_ = ln.SetDeadline(time.Now().Add(l.check)) // fails when closed, as AcceptUnix does
		}
		c, err := ln.AcceptUnix()
		if err == nil {
			var conn *ipcConn
			if conn, err = l.ipc.newConn(c, l.address); err == nil {
				return conn, nil
			}
			err = errors.Join(err, c.Close())
		} else if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) && l.replaced(ln) {
			if err = l.checkFile(); err == nil {
				continue
			}
		}
		return nil, &OpError{Op: "accept", Endpoint: "ipc://" + l.address, Err: err}
	}
}

// replaced reports whether another socket listens in the place of ln.
func (l *ipcListener) replaced(ln *net.UnixListener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && l.ln != ln
}

// checkFile makes the socket file again if it is gone. It returns an error if the file has changed since the last
// check, which says how. Another file is never mistaken for ours: the system does not reuse a file's identity (device
// and inode) while its socket is open.
func (l *ipcListener) checkFile() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	now, err := os.Lstat(l.path)
	switch {
	case err == nil && os.SameFile(now, l.file):
		l.lost = false
		return nil
	case err == nil:
		err = errors.New("somebody has put another one in its place, to which they connect; close this one or that")
	case !errors.Is(err, fs.ErrNotExist):
		return nil // it cannot be told
	default:
		if l.dir != "" {
			_ = makePrivate(l.dir, l.ipc.Mode.Perm()) // if it is gone too
		}
		var ln *net.UnixListener
		var file fs.FileInfo
		if ln, file, err = bindPath(l.path, l.ipc.Mode.Perm()); err == nil {
			ln.SetUnlinkOnClose(false)
			_ = l.ln.Close()
			l.ln, l.file, l.lost = ln, file, false
			return errors.New("somebody removed the socket file; it was made again")
		}
	}
	if l.lost {
		return nil // said before
	}
	l.lost = true
	return fmt.Errorf("somebody removed the socket file, so that peers cannot connect here: %w", err)
}

// Close takes the file away before it closes the socket: as long as the
// socket listens nobody takes the path over, so the file cannot change hands
// between the look and the removal.
func (l *ipcListener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	if l.path != "" {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
			errs = append(errs, os.Remove(l.path))
		}
	}
	errs = append(errs, l.ln.Close())
	if l.dir != "" {
		if err := os.Remove(l.dir); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &OpError{Op: "close", Endpoint: "ipc://" + l.address, Err: err}
	}
	return nil
}
