//go:build unix

package transport

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestIPCMode(t *testing.T) {
	for _, tc := range []struct{ mode, dir fs.FileMode }{
		{0o600, 0o700},
		{0o660, 0o710},
		{0o666, 0o711},
		{0o602, 0o701},
		{0o644, 0o700},
		{0o777, 0o711},
		{fs.ModeSetuid | 0o666, 0o711},
	} {
		t.Run(fmt.Sprintf("%04o", tc.mode), func(t *testing.T) {
			tr := &IPC{Mode: tc.mode}
			path := filepath.Join(shortDir(t), "s")
			l, fresh := watched(t, tr, path), listen(t, tr, "*")
			mode := func(path string) fs.FileMode {
				info, err := os.Lstat(path)
				if err != nil {
					t.Fatal(err)
				}
				return info.Mode() &^ fs.ModeSocket &^ fs.ModeDir
			}
			for _, p := range []string{path, fresh.Address()} {
				if got := mode(p); got != tc.mode.Perm() {
					t.Errorf("mode %v", got)
				}
			}
			if got := mode(filepath.Dir(fresh.Address())); got != tc.dir {
				t.Errorf("directory %v, want %v", got, tc.dir)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Accept(); err == nil || mode(path) != tc.mode.Perm() {
				t.Errorf("made again with %v, %v", mode(path), err)
			}
		})
	}
}
