//go:build unix

package auth

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// exposed reports why a file cannot be relied on.
func exposed(info fs.FileInfo, secret bool) error {
	mode := info.Mode().Perm()
	if mode&0o022 != 0 {
		return fmt.Errorf("%w: mode %#o; want nobody but the owner to write, as after chmod go-w", ErrExposed, mode)
	}
	if secret && mode&0o004 != 0 {
		return fmt.Errorf("%w: mode %#o; want others not to read it, as after chmod o-r", ErrExposed, mode)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to the user %d; want this process's, %d, or root", ErrExposed, s.Uid, os.Geteuid())
	}
	return nil
}
