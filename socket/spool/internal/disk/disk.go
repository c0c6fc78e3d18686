// Package disk has the tests of the spool that a file system in memory cannot show: that the system calls are those the
// contract of spool.FS promises, in their order, that a failing sync and a full disk of a real file system are ridden
// over, and how often the device is asked to flush.
//
// They take Linux, root, and some programs: strace, mount, unshare and losetup of util-linux, mkfs.ext4 and mkfs.xfs.
// Where these are missing, tests are skipped, except where CI is true in the environment: there they fail. What they
// mount is in a namespace of their own, and the only thing outside is a loop device, which is given back.
package disk

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// Require skips the test, unless CI is true, and fails it there, if this is no machine for it or one of the programs is
// missing.
func Require(t testing.TB, programs ...string) {
	t.Helper()
	lack := ""
	switch {
	case runtime.GOOS != "linux":
		lack = "Linux"
	case os.Getuid() != 0:
		lack = "root"
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil && lack == "" {
			lack = "the program " + p
		}
	}
	switch {
	case lack == "":
	case os.Getenv("CI") == "true":
		t.Fatalf("this needs %s, which must be there where CI is true", lack)
	default:
		t.Skipf("NOT TESTED: this needs %s; on Debian: sudo apt-get install strace util-linux mount e2fsprogs xfsprogs, "+
			"and run the tests as root", lack)
	}
}
