package discovery

import "strings"

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
