//go:build unix

package transport

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// longestBacklog is cut down by the system to what it allows, as package net does by reading that.
const longestBacklog = 1<<16 - 1

// bindUnix makes a socket file and listens on it. Package net would do both at once; between the two the file gets
// its mode, while nobody can connect.
func bindUnix(path string, mode fs.FileMode) (*net.UnixListener, fs.FileInfo, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer func() { _ = f.Close() }() // FileListener works on a copy
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return nil, nil, os.NewSyscallError("bind", err)
	}
	file, err := os.Lstat(path)
	if err == nil && mode != 0 {
		err = chmod(path, mode)
	}
	if err == nil {
		err = os.NewSyscallError("listen", syscall.Listen(fd, longestBacklog))
	}
	var ln net.Listener
	if err == nil {
		ln, err = net.FileListener(f)
	}
	if err != nil {
		if now, look := os.Lstat(path); look == nil && file != nil && os.SameFile(now, file) {
			err = errors.Join(err, os.Remove(path))
		}
		return nil, nil, err
	}
	return ln.(*net.UnixListener), file, nil
}

// chmod is os.Chmod that a symbolic link, put in the place of the file meanwhile, cannot lead out of its directory.
func chmod(path string, mode fs.FileMode) error {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Chmod(filepath.Base(path), mode), dir.Close())
}
