package observe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A control is the control socket of a registry: the same as its Handler, over a unix socket that only this user's
// processes can reach.
type control struct {
	path   string
	file   fs.FileInfo
	srv    *http.Server
	served chan struct{}  // closed once Serve has returned
	conns  sync.WaitGroup // connections, each with what it runs
}

const (
	// maxControls is how many control sockets one process has.
	maxControls = 64
	// maxPath is how long the path of a unix socket may be on any system.
	maxPath = 103
	// connectTime is how long a process of this host may take to accept.
	connectTime = time.Second
)

// Listen opens the control socket of the process, by which [Processes] and tools find it without being told where:
// what [Registry.Handler] serves, over HTTP on a unix socket, for processes of the same user. It is at
// $XDG_RUNTIME_DIR/yodel/PID.sock or, where that variable is not set or names a directory of another user,
// /tmp/yodel-UID/PID.sock; a second registry of the process has PID-2.sock. The directory has to be the user's alone,
// mode 0700, or else the error matches [ErrExposed]; it is made if it is not there. The socket has mode 0600.
//
// [Registry.Close] closes it, removes the file and waits until all it has run has ended. To listen again meanwhile
// returns the same path. Where there are no users as Unix has them the error matches [errors.ErrUnsupported].
func (r *Registry) Listen() (path string, err error) {
	r.controlMu.Lock()
	defer r.controlMu.Unlock()
	switch {
	case r.isClosed():
		return "", ErrClosed
	case r.control != nil:
		return r.control.path, nil
	case os.Geteuid() < 0:
		return "", fmt.Errorf("observe: control socket: %w", errors.ErrUnsupported)
	}
	dir := controlDirs()[0]
	if err := makeControlDir(dir); err != nil {
		return "", fmt.Errorf("observe: control socket: %w", err)
	}
	ln, path, err := bindControl(dir)
	if err != nil {
		return "", fmt.Errorf("observe: control socket: %w", err)
	}
	c := &control{path: path, served: make(chan struct{})}
	c.file, _ = os.Lstat(path) // without it the file stays, for readers to remove
	c.srv = &http.Server{
		Handler:           http.HandlerFunc(r.serveControl),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      10 * time.Second, // live streams have their own
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    8 << 10,
		ConnState:         c.count,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	r.control = c
	go func() {
		defer close(c.served)
		_ = c.srv.Serve(ln) // until Close
	}()
	return path, nil
}

// serveControl answers a process of this user.
func (r *Registry) serveControl(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		(&refusal{status: http.StatusMethodNotAllowed, why: "this can be read only: GET or HEAD"}).write(w)
		return
	}
	r.serve(w, req, route(req.URL.Path))
}

// count follows how many connections there are.
func (c *control) count(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		c.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.conns.Done()
	case http.StateActive, http.StateIdle:
	}
}

// close returns once nothing of it is left.
func (c *control) close() {
	if now, err := os.Lstat(c.path); err == nil && c.file != nil && os.SameFile(now, c.file) {
		_ = os.Remove(c.path) // readers do it otherwise
	}
	_ = c.srv.Close()
	<-c.served
	_ = c.srv.Close() // connections that were accepted meanwhile
	c.conns.Wait()
}

// bindControl makes a socket in the directory. It listens before it has a name that readers look for, so that none
// takes it for one that was left behind.
func bindControl(dir string) (ln *net.UnixListener, path string, err error) {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	fresh := filepath.Join(dir, fmt.Sprintf("%d.%s.new", os.Getpid(), hex.EncodeToString(random[:])))
	if len(fresh) > maxPath {
		return nil, "", fmt.Errorf("%s is longer than the %d bytes that the path of a socket may have; "+
			"give XDG_RUNTIME_DIR a shorter one", fresh, maxPath)
	}
	ln, err = net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, "", err
	}
	ln.SetUnlinkOnClose(false)
	defer os.Remove(fresh) //nolint:errcheck // if it was renamed there is none
	if err = os.Chmod(fresh, 0o600); err == nil {
		path, err = nameControl(dir, fresh)
	}
	if err != nil {
		_ = ln.Close()
		return nil, "", err
	}
	return ln, path, nil
}

// nameControl gives a socket the first name that is free.
func nameControl(dir, fresh string) (path string, err error) {
	for n := 1; n <= maxControls; n++ {
		path = filepath.Join(dir, controlName(os.Getpid(), n))
		if err = publish(fresh, path); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
		if removeStale(path) { // of a process that had this number before
			if err = publish(fresh, path); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("this process has %d control sockets: %w", maxControls, err)
}

// publish gives a file another name, unless there is one of that name.
func publish(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil { // where sockets cannot have two names
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// removeStale removes a socket at which nobody listens any more, and reports whether it is gone.
func removeStale(path string) bool {
	file, err := os.Lstat(path)
	if err != nil || file.Mode().Type() != fs.ModeSocket || !ownedBy(file, os.Geteuid()) {
		return errors.Is(err, fs.ErrNotExist)
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return false
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return errors.Is(err, fs.ErrNotExist)
	}
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(file, now) { // another process has come, with this number
		return errors.Is(err, fs.ErrNotExist)
	}
	return os.Remove(path) == nil
}
