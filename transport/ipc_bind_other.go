//go:build !unix

package transport

import (
	"errors"
	"io/fs"
	"net"
	"os"
)

// bindUnix makes a socket file and listens on it; files have no modes here.
func bindUnix(path string, _ fs.FileMode) (*net.UnixListener, fs.FileInfo, error) {
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	ln.SetUnlinkOnClose(false)
	file, err := os.Lstat(path)
	if err != nil {
		return nil, nil, errors.Join(err, ln.Close())
	}
	return ln, file, nil
}
