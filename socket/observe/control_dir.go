package observe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Where control sockets are.

// controlDirs are the directories in which this user's processes may have control sockets. The first is the one for
// this process; others may have been started with another environment.
func controlDirs() []string { return controlDirsFor(os.Getenv("XDG_RUNTIME_DIR"), os.Geteuid()) }

// controlDirsFor does without a runtime directory that belongs to another user: su and sudo may leave that behind.
func controlDirsFor(runtimeDir string, uid int) (dirs []string) {
	if filepath.IsAbs(runtimeDir) {
		if info, err := os.Stat(runtimeDir); err == nil && info.IsDir() && ownedBy(info, uid) {
			dirs = append(dirs, filepath.Join(runtimeDir, "yodel"))
		}
	}
	return append(dirs, "/tmp/yodel-"+strconv.Itoa(uid))
}

// makeControlDir makes the directory if need be, and sees that it is this user's alone.
func makeControlDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return checkControlDir(dir)
}

// checkControlDir sees that a directory is this user's alone. A link is not one: it might lead elsewhere next time.
func checkControlDir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	return checkPrivate(dir, info, os.Geteuid())
}

func checkPrivate(dir string, info fs.FileInfo, uid int) error {
	switch {
	case !info.IsDir():
		return fmt.Errorf("%w: %s is no directory; remove it", ErrExposed, dir)
	case !ownedBy(info, uid):
		return fmt.Errorf("%w: %s is not this user's; remove it, or set XDG_RUNTIME_DIR", ErrExposed, dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w: %s has mode %#o; run chmod 700 %s", ErrExposed, dir, info.Mode().Perm(), dir)
	}
	return nil
}

// controlName is what the nth control socket of a process is called.
func controlName(pid, n int) string {
	if n == 1 {
		return fmt.Sprintf("%d.sock", pid)
	}
	return fmt.Sprintf("%d-%d.sock", pid, n)
}

// controlPID is the inverse of controlName, as far as the process goes.
func controlPID(name string) (pid int, ok bool) {
	stem, ok := strings.CutSuffix(name, ".sock")
	if !ok {
		return 0, false
	}
	first, second, more := strings.Cut(stem, "-")
	pid, err := strconv.Atoi(first)
	if err != nil || pid <= 0 {
		return 0, false
	}
	n := 1
	if more {
		if n, err = strconv.Atoi(second); err != nil || n < 2 {
			return 0, false
		}
	}
	return pid, controlName(pid, n) == name
}
