package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// lockPatience is how long Listen waits for another process that is
	// taking the same file over, which takes milliseconds.
	lockPatience = 5 * time.Second

	// probePause is the time between two attempts to connect to a socket that seems dead: BSD kernels also refuse
	// when the backlog of a living listener is full.
	probePause = 20 * time.Millisecond

	// settlingTime is the age at which a socket file that nobody listens on counts as dead: its maker may be between
	// bind and listen.
	settlingTime = 100 * time.Millisecond
)

var (
	// errLockBusy: somebody else holds the lock; try again.
	errLockBusy = errors.New("another process is taking it over")

	// errNoLock: no lock can be had here at all.
	errNoLock = errors.New("no lock can be had there")
)

// listenPath binds a path in the file system and first removes a socket file that a dead process has left there.
// Checking, removing and binding are three steps: without a lock a process could remove, as dead, the file that
// another process has bound in the meantime. So removing needs a lock, held on a file made for this purpose only.
// Binding a free path needs none: nothing is removed, and the bind fails if another process was faster.
func listenPath(ctx context.Context, path string, mode fs.FileMode) (*ipcListener, error) {
	var release func()
	defer func() {
		if release != nil {
			release()
		}
	}()
	for range 4 { // one look without the lock, one with it; more only if the file keeps changing under us
		ln, file, err := bindPath(path, mode)
		if err == nil {
			abs := absolute(path)
			return newIPCListener(ln, reachable(path, abs), abs, file), nil
		}
		if !isInUse(err) {
			return nil, err
		}
		there, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // gone since: bind again
		case err != nil:
			return nil, err
		case there.Mode()&fs.ModeSocket == 0:
			return nil, fmt.Errorf("the path is taken by a file that is not a socket (%s); "+
				"remove it or choose another path", there.Mode())
		}
		if err := dead(ctx, path); err != nil {
			return nil, err
		}
		if release == nil {
			if release, err = lockFile(ctx, path+".yodel-lock"); err != nil {
				if ctx.Err() != nil {
					return nil, err
				}
				return nil, fmt.Errorf("%w: a dead process has left the file, which is not taken over because %w; "+
					"remove it yourself", ErrAddressInUse, err)
			}
			continue // what was seen before may have changed
		}
		age := max(0, time.Since(there.ModTime()))
		if err := pause(ctx, max(probePause, settlingTime-age)); err != nil {
			return nil, err
		}
		if err := dead(ctx, path); err != nil {
			return nil, err
		}
		if now, err := os.Lstat(path); err != nil || !os.SameFile(there, now) {
			continue // not the file that was found dead
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: a dead process has left the file, and it cannot be removed: %w",
				ErrAddressInUse, err)
		}
	}
	return nil, fmt.Errorf("%w: the file keeps changing hands", ErrAddressInUse)
}

// bindPath makes a socket file with a mode, 0 for that of the umask, and listens on it.
func bindPath(path string, mode fs.FileMode) (*net.UnixListener, fs.FileInfo, error) {
	ln, file, err := bindUnix(path, mode)
	if dir := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("directory %s does not exist; create it first: %w", dir, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(now, file) {
		// Somebody took it for dead before the socket listened.
		taken := &inUseError{advice: "the file keeps changing hands", cause: syscall.EADDRINUSE}
		return nil, nil, errors.Join(taken, ln.Close())
	}
	return ln, file, nil
}

// listenFresh binds a path nobody else can know or, unless the mode says otherwise, reach.
func listenFresh(mode fs.FileMode) (*ipcListener, error) {
	dir, err := os.MkdirTemp("", "yodel-") // for this user alone
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "socket")
	if err := (*IPC)(nil).Validate(path, ForBind); err != nil {
		return nil, errors.Join(fmt.Errorf("the directory for temporary files has too long a name; set TMPDIR: %w", err),
			os.Remove(dir))
	}
	if err := letIn(dir, mode); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	ln, file, err := bindPath(path, mode)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	abs := absolute(path)
	l := newIPCListener(ln, reachable(path, abs), abs, file)
	l.dir = filepath.Dir(abs)
	return l, nil
}

// makePrivate makes a directory that is open to this user and to those who may write to a file of the given mode.
func makePrivate(dir string, mode fs.FileMode) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return letIn(dir, mode)
}

// letIn opens a private directory to the users who may write to a file of the given mode.
func letIn(dir string, mode fs.FileMode) error {
	if mode&0o022 == 0 {
		return nil
	}
	return os.Chmod(dir, 0o700|mode&0o022>>1)
}

// listenAbstract binds a name that has no file; the kernel frees it when the
// process dies, so there is nothing to take over.
func listenAbstract(ctx context.Context, name string) (*ipcListener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", name)
	switch {
	case isInUse(err):
		return nil, fmt.Errorf("%w: somebody listens there; stop them or choose another name", ErrAddressInUse)
	case err != nil:
		return nil, err
	}
	return newIPCListener(ln.(*net.UnixListener), name, "", nil), nil
}

// dead returns nil if nobody listens on the socket file at path, which only a refused connection proves, and
// otherwise what is to be done.
func dead(ctx context.Context, path string) error {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "unix", path)
	end, limited := ctx.Deadline()
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("%w: somebody listens there; stop them or choose another path", ErrAddressInUse)
	case ctx.Err() != nil:
		return ctx.Err()
	case limited && !time.Now().Before(end): // package net may see that before ctx does
		return context.DeadlineExceeded
	case isRefused(err), errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.EAGAIN), os.IsTimeout(err): // its backlog is full
		return fmt.Errorf("%w: somebody listens there, very busy; stop them or choose another path", ErrAddressInUse)
	case errors.Is(err, syscall.EPROTOTYPE):
		return fmt.Errorf("%w: a socket of another kind is bound there; stop its owner or choose another path",
			ErrAddressInUse)
	}
	if inner, ok := errors.AsType[*os.SyscallError](err); ok {
		err = inner
	}
	return fmt.Errorf("%w: a socket is there already, and whether somebody listens on it cannot be told (%w); "+
		"remove it if nobody does, or choose another path", ErrAddressInUse, err)
}

// lockFile waits for the lock on the file at path. The error is errNoLock where files cannot be locked.
func lockFile(ctx context.Context, path string) (release func(), err error) {
	wait := time.Millisecond
	for deadline := time.Now().Add(lockPatience); ; {
		release, err = tryLock(path)
		if !errors.Is(err, errLockBusy) || time.Now().After(deadline) {
			return release, err
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		wait = min(2*wait, 10*time.Millisecond)
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
