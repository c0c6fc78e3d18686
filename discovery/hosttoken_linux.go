package discovery

import (
	"fmt"
	"strings"
	"syscall"
)

// hostToken wants the namespace and the boot id, which say it all: a container has another namespace, and no machine is
// booted with the same id. The machine id is there for systems that restore a snapshot many times.
func hostToken(s system) string {
	// A goroutine that is locked to a thread may have moved it to another namespace.
	netns, err := s.readlink("/proc/thread-self/ns/net")
	if err != nil {
		netns, err = s.readlink("/proc/self/ns/net")
	}
	boot, bootErr := s.read("/proc/sys/kernel/random/boot_id")
	if err != nil || bootErr != nil || len(boot) == 0 {
		return fallbackToken(s)
	}
	machine, err := s.read("/etc/machine-id")
	if err != nil {
		machine, _ = s.read("/var/lib/dbus/machine-id")
	}
	return token(strings.TrimSpace(string(machine)), strings.TrimSpace(string(boot)), netns)
}

// filesToken wants the mount namespace, and the root directory for processes that have changed theirs (chroot).
func filesToken(s system) string {
	mounts, err := s.readlink("/proc/thread-self/ns/mnt")
	if err != nil {
		mounts, err = s.readlink("/proc/self/ns/mnt")
	}
	boot, bootErr := s.read("/proc/sys/kernel/random/boot_id")
	root, rootErr := s.root()
	if err != nil || bootErr != nil || rootErr != nil {
		return ""
	}
	return token("files", strings.TrimSpace(string(boot)), mounts, root)
}

// rootDir tells root directories apart.
func rootDir() (string, error) {
	var st syscall.Stat_t
	if err := syscall.Stat("/", &st); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino), nil
}
