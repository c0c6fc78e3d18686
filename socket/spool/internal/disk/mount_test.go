package disk_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/yodel-mq/yodel/socket/spool/internal/disk"
)

// mounted are the words before a command that has a file system of its own at dir; nobody else sees it, and it goes
// with the command.
func mounted(dir string, mount ...string) []string {
	return []string{
		"unshare", "--mount", "--propagation", "private", "sh", "-e", "-c",
		"mount " + strings.Join(mount, " ") + ` "$0"; exec "$@"`, dir,
	}
}

// TestFullDisk fills a real disk. What is refused is refused with ErrFull; reading, settling and opening go on; room
// comes back by settling; and nothing is lost.
func TestFullDisk(t *testing.T) {
	disk.Require(t, "unshare", "mount")
	dir := t.TempDir()
	said := runChild(t, "full", filepath.Join(dir, "spool"), mounted(dir, "-t", "tmpfs", "-o", "size=12m", "none")...)
	var stored, left, want int
	if len(said) != 3 {
		t.Fatalf("said: %v", said)
	}
	if n, err := fmt.Sscanf(said[0], "full after %d", &stored); n != 1 || stored < 1000 {
		t.Errorf("the disk was full after %q: %v", said[0], err)
	}
	if n, err := fmt.Sscanf(said[2], "left %d of %d", &left, &want); n != 2 || left != want || left == 0 {
		t.Errorf("after opening once more: %q, %v", said[2], err)
	}
}

// TestFilesThatGrow: ramfs cannot reserve room.
func TestFilesThatGrow(t *testing.T) {
	disk.Require(t, "unshare", "mount")
	dir := t.TempDir()
	said := runChild(t, "grow", filepath.Join(dir, "spool"), mounted(dir, "-t", "ramfs", "none")...)
	if want := fmt.Sprintf("%d messages, 0 places damaged", commits); said[0] != want {
		t.Errorf("said %q, want %q", said[0], want)
	}
}

// TestFlushesOfACommit counts, at the device, what a commit costs: one flush, on file systems that keep a journal too,
// for the space is allocated and zeroed ahead.
func TestFlushesOfACommit(t *testing.T) {
	for _, kind := range []struct {
		name    string
		mkfs    []string
		options string
	}{
		// With commit=600 the journal's own clock, which asks for flushes too, does not count on a slow machine.
		{"ext4", []string{"mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"}, "commit=600"},
		{"xfs", []string{"mkfs.xfs", "-q"}, "rw"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			disk.Require(t, "unshare", "mount", "losetup", kind.mkfs[0])
			device := loopDevice(t, kind.mkfs)
			dir := t.TempDir()
			own := mounted(dir, "-t", kind.name, "-o", kind.options, device)
			c := startChild(t, "flush", filepath.Join(dir, "spool"), own...)
			c.expect("opened")
			for _, load := range []string{"1 500 100", "64 100 1024", "1 500 65536"} {
				before := flushes(t, device)
				c.tell(load)
				commits, err := strconv.Atoi(c.expect("commits "))
				must(t, err)
				each := float64(flushes(t, device)-before) / float64(commits)
				t.Logf("%s, %s: %d commits, %.3f flushes each", kind.name, load, commits, each)
				if each > 1.1 {
					t.Errorf("%s (appenders, messages, bytes): %.2f flushes a commit, over 1.1", load, each)
				}
				if each < 0.9 {
					t.Errorf("%s: %.2f flushes a commit: they are not counted, or not made", load, each)
				}
			}
		})
	}
}

// loopDevice makes a file system in a file, and a device of it.
func loopDevice(t *testing.T, mkfs []string) (device string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(image)
	must(t, err)
	must(t, f.Truncate(512<<20))
	must(t, f.Close())
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run(mkfs[0], append(mkfs[1:], image)...)
	device = run("losetup", "--find", "--show", image)
	t.Cleanup(func() { // the context is over by now
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("%s stays: %v: %s", device, err, out)
		}
	})
	return device
}

// flushes is how many flushes a device has done, the sixteenth number of its statistics.
func flushes(t *testing.T, device string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(device), "stat"))
	must(t, err)
	fields := strings.Fields(string(text))
	if len(fields) < 16 {
		t.Fatalf("this kernel does not count flushes: %s", text)
	}
	n, err := strconv.Atoi(fields[15])
	must(t, err)
	return n
}
