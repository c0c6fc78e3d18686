//go:build unix

package curve

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// exposed tells whether others than the owner have access to a file, or the owner is somebody else.
func exposed(info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w: mode %04o; want %04o", ErrExposed, mode, keyFileMode)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to user %d, we are %d", ErrExposed, s.Uid, os.Geteuid())
	}
	return nil
}
