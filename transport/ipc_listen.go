package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// lockPatience is how long Listen waits for another process that is
	// binding in the same directory, which takes milliseconds.
	lockPatience = 5 * time.Second

	// probePause comes between two looks at a socket that seems dead: another program
	// may be between bind and listen, and BSD kernels also refuse when a
	// living listener's backlog is full.
	probePause = 20 * time.Millisecond
)

var (
	// errLockBusy: somebody else holds the lock; try again.
	errLockBusy = errors.New("another process is binding in the same directory")

	// errNoLock: no lock can be had here at all.
	errNoLock = errors.New("the directory cannot be locked")
)

// listenPath binds a path in the file system. It holds a lock on the
// directory from the first look to the bind, because looking, removing and
// binding are three steps: without it a process could remove, as stale, the
// file that another has bound since. The lock is on the directory itself, so
// nothing is left behind, and the kernel drops it if the process dies.
func listenPath(ctx context.Context, path string) (*ipcListener, error) {
	release, lockErr := lockDirectory(ctx, path)
	switch {
	case lockErr == nil:
		defer release()
	case !errors.Is(lockErr, errNoLock):
		return nil, lockErr
	}
	for range 3 { // more only if the file keeps changing under us
		ln, err := bindPath(ctx, path)
		if !isInUse(err) {
			return ln, err
		}
		there, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // gone since: bind again
		case err != nil:
			return nil, err
		case there.Mode()&fs.ModeSocket == 0:
			return nil, fmt.Errorf("the path is taken by a file that is not a socket (%s); remove it or choose another path", there.Mode())
		}
		alive, err := listening(ctx, path)
		switch {
		case err != nil:
			return nil, err
		case alive:
			return nil, fmt.Errorf("%w: somebody listens there; stop them or choose another path", ErrAddressInUse)
		case lockErr != nil:
			return nil, fmt.Errorf("%w: a dead process has left the file, which is not taken over because %w; remove it", ErrAddressInUse, lockErr)
		}
		if now, err := os.Lstat(path); err != nil || !os.SameFile(there, now) {
			continue // not the file that was found dead
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("a dead process has left the file: %w", err)
		}
	}
	return nil, fmt.Errorf("%w: the file keeps changing hands", ErrAddressInUse)
}

func bindPath(ctx context.Context, path string) (*ipcListener, error) {
	ln, err := listenUnix(ctx, path)
	if err != nil {
		if dir := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("directory %s does not exist; create it first: %w", dir, err)
		}
		return nil, err
	}
	abs := absolute(path)
	file, err := os.Lstat(abs)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return newIPCListener(ln, reachable(path, abs), abs, file, ""), nil
}

// listenFresh binds a path nobody else can know or reach: os.MkdirTemp makes
// the directory for this user alone.
func listenFresh(ctx context.Context) (*ipcListener, error) {
	dir, err := os.MkdirTemp("", "yodel-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "socket")
	if err := (*IPC)(nil).Validate(path, ForBind); err != nil {
		return nil, errors.Join(fmt.Errorf("the directory for temporary files has too long a name; set TMPDIR: %w", err), os.Remove(dir))
	}
	l, err := bindPath(ctx, path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	l.dir = dir
	return l, nil
}

// listenAbstract binds a name that has no file; the kernel frees it when the
// process dies, so there is nothing to take over.
func listenAbstract(ctx context.Context, name string) (*ipcListener, error) {
	ln, err := listenUnix(ctx, name)
	switch {
	case isInUse(err):
		return nil, fmt.Errorf("%w: somebody listens there; stop them or choose another name", ErrAddressInUse)
	case err != nil:
		return nil, err
	}
	return newIPCListener(ln, name, "", nil, ""), nil
}

func listenUnix(ctx context.Context, path string) (*net.UnixListener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return ln.(*net.UnixListener), nil
}

// listening reports whether somebody listens on the socket file at path. Only
// a refused connection proves that nobody does.
func listening(ctx context.Context, path string) (bool, error) {
	for try := range 2 {
		if try > 0 {
			if err := pause(ctx, probePause); err != nil {
				return false, err
			}
		}
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return true, c.Close()
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if !isRefused(err) && !errors.Is(err, fs.ErrNotExist) {
			// A full backlog, no permission, another kind of socket: taken.
			return true, nil
		}
	}
	return false, nil
}

// lockDirectory waits for the lock on the directory of path. The error is
// errNoLock where there is none to be had.
func lockDirectory(ctx context.Context, path string) (release func(), err error) {
	wait := time.Millisecond
	for deadline := time.Now().Add(lockPatience); ; {
		release, err = tryLockDirectory(path)
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
