//go:build unix

package spool_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool"
)

func TestOthersCannotRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "spool")
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	d, err := spool.OpenDirectory(dir)
	must(t, err)
	file(t, d, "a", "secret")
	l, err := d.Lock()
	must(t, err)
	defer l.Close()
	for path, want := range map[string]fs.FileMode{
		filepath.Dir(dir): 0o700, dir: 0o700, filepath.Join(dir, "a"): 0o600, filepath.Join(dir, "LOCK"): 0o600,
	} {
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %#o, want %#o", path, got, want)
		}
	}
}

func TestExposedDirectories(t *testing.T) {
	tests := []struct {
		name      string
		dir, file fs.FileMode // file 0: there is none
		mend      string      // the command that the error gives, or "" for no error
	}{
		{"private", 0o700, 0o600, ""},
		{"empty and open", 0o755, 0, ""}, // it is closed
		{"open", 0o755, 0o600, "chmod 700 DIR"},
		{"to the group alone", 0o710, 0o600, "chmod 700 DIR"},
		{"a file that others can read", 0o700, 0o644, "chmod 600 DIR/*"},
		{"a file that others can write", 0o700, 0o602, "chmod 600 DIR/*"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.file != 0 {
				must(t, os.WriteFile(filepath.Join(dir, "spare"), []byte("secret"), test.file))
				must(t, os.Chmod(filepath.Join(dir, "spare"), test.file))
			}
			must(t, os.Chmod(dir, test.dir))
			_, err := spool.OpenDirectory(dir)
			if test.mend == "" {
				must(t, err)
				if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("the directory's mode is %v: %v", info.Mode(), err)
				}
				return
			}
			wantIs(t, "exposed", err, fs.ErrPermission)
			mend := strings.ReplaceAll(test.mend, "DIR", dir)
			if err == nil || !strings.Contains(err.Error(), mend) {
				t.Fatalf("the error does not say %q: %v", mend, err)
			}
			must(t, os.Chmod(dir, 0o700)) // as it says
			must(t, os.Chmod(filepath.Join(dir, "spare"), 0o600))
			_, err = spool.OpenDirectory(dir)
			must(t, err)
		})
	}
}
